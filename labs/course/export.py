"""./lab export: a student's repository, or the zip of an autograder.

What is not given is not there: no reference, no wrong solution, no answer of the instructor, in no
file and in no history. What is missing of the product's sources is compiled from the student's files
(tools/lab_sources.cmake).
"""

import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
import zipfile

from course import labs, starter
from course.labs import ROOT, Trouble

# Not for students: answers, the grader's proof, rules for those who change the product itself.
LEFT_OUT = re.compile(
    r"labs/[^/]+/(wrong|right|hostile)/|labs/[^/]+/instructor\.md$|labs/(student|autograder)/|"
    r"labs/course/(tests/.*|(proof|proof_page|proof_export|costs|hostile|export)\.py)$|"
    r"docs/(grader-proof|teaching)\.md$|docs/trials/|"
    r".*/wrong/.*\.patch$|\.ci/|tools/tidy\.py$|\.clang-tidy$")
RUN_OF_LINES = 3     # so many lines of a reference in a row are a leak
LINE_CHARACTERS = 12  # and shorter ones say nothing


def tracked_files():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True,
                            check=False)
    if listed.returncode != 0:
        raise Trouble("an export is made from what git knows of, and this is no clone")
    return [name for name in listed.stdout.decode().split("\0")
            if name and (ROOT / name).exists()]


def parse_given(text):
    """"00-02,04" -> {"00", "01", "02", "04"}."""
    given = set()
    for part in filter(None, (text or "").split(",")):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not match:
            raise Trouble(f"--given wants numbers of labs, such as 01-03, and not '{part}'")
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        given |= {f"{number:02}" for number in range(first, last + 1)}
    for number in given:
        labs.find(number)
    return given


def missing_references(given):
    """Those of the labs that are not given, as paths in the repository."""
    return {file.reference for lab in labs.all_labs() if lab.number not in given
            for file in lab.files}


def fill(target, given):
    """Writes the student's repository into the empty folder `target`."""
    missing = missing_references(given)
    for name in tracked_files():
        if name in missing or LEFT_OUT.match(name):
            continue
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            os.symlink(os.readlink(ROOT / name), path)
        elif (ROOT / name).suffix in (".cpp", ".h"):
            path.write_text(starter.plain((ROOT / name).read_text(encoding="utf-8")),
                            encoding="utf-8")
            shutil.copymode(ROOT / name, path)
        else:
            shutil.copy2(ROOT / name, path)
    for lab in labs.all_labs():
        for file in lab.files:
            text = starter.starter_of((ROOT / file.reference).read_text(encoding="utf-8"),
                                      file.reference)
            for path in (target / "labs" / lab.name / file.name,
                         target / "labs" / lab.name / "starter" / file.name):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for name in ("README.md", "AGENTS.md"):
        shutil.copy2(ROOT / "labs" / "student" / name, target / name)
    note = {"given": sorted(given), "missing": sorted(missing)}
    (target / "labs" / "export.json").write_text(json.dumps(note, indent=1) + "\n",
                                                 encoding="utf-8")
    check_leaks(target, given)


def telling_lines(text):
    """(number, line without blanks) of those that say something."""
    lines = ((number, re.sub(r"\s+", "", line))
             for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if len(line) >= LINE_CHARACTERS]


def regions_of(reference):
    """What a starter leaves out, region by region."""
    regions, inside = [], None
    for line in reference.splitlines():
        if starter.BEGIN.match(line):
            inside = []
        elif starter.END.match(line):
            regions.append("\n".join(inside))
            inside = None
        elif inside is not None:
            inside.append(line)
    return regions


def check_leaks(target, given):
    """No file has a few lines in a row of a reference that is not given."""
    runs = {}
    for name in missing_references(given):
        for region in regions_of((ROOT / name).read_text(encoding="utf-8")):
            lines = [line for _, line in telling_lines(region)]
            for at in range(len(lines) - RUN_OF_LINES + 1):
                runs[tuple(lines[at:at + RUN_OF_LINES])] = name
    for shown in (path for lab in labs.all_labs() for pattern in lab.given
                  for path in lab.folder.glob(pattern)):
        lines = [line for _, line in telling_lines(shown.read_text(encoding="utf-8"))]
        for at in range(len(lines) - RUN_OF_LINES + 1):
            runs.pop(tuple(lines[at:at + RUN_OF_LINES]), None)
    for path in sorted(target.rglob("*")):
        if not path.is_file() or path.is_symlink() or ".git" in path.parts:
            continue
        try:
            found = telling_lines(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
        for at in range(len(found) - RUN_OF_LINES + 1):
            name = runs.get(tuple(line for _, line in found[at:at + RUN_OF_LINES]))
            if name:
                raise Trouble(f"{path.relative_to(target)}:{found[at][0]} has lines of {name}, "
                              "which is not given")


def begin_history(target):
    """One commit, by nobody in particular: what came before is no business of students."""
    def git(*words):
        done = subprocess.run(
            ["git", "-C", str(target), "-c", "user.name=pagealloc",
             "-c", "user.email=pagealloc@localhost", "-c", "init.defaultBranch=main", *words],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Trouble(f"git {words[0]} failed: {done.stderr.strip()}")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "The labs, not started")


def export_student(options):
    given = parse_given(options.given)
    target = pathlib.Path(options.into or "pagealloc-student").absolute()
    if target.exists() and not target.is_dir():
        raise Trouble(f"{target} is no folder")
    if target.exists() and any(target.iterdir()):
        raise Trouble(f"{target} is there already, and not empty")
    existed = target.exists()
    target.mkdir(parents=True, exist_ok=True)
    try:
        fill(target, given)
        begin_history(target)
    except BaseException:  # what is half made, or has a leak, must not be handed out by mistake
        remove(target, existed)
        raise
    names = ", ".join(sorted(given)) or "none"
    print(f"{target}: references given: {names}; {len(missing_references(given))} sources are the "
          "student's to write")
    return 0


def remove(target, but_the_folder):
    """What an export has made: the folder, or all that is in it."""
    for path in list(target.iterdir()) if but_the_folder else [target]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def export_gradescope(options):
    lab = labs.find(options.gradescope)
    before = {each.number for each in labs.all_labs() if each.number < lab.number}
    given = parse_given(options.given) if options.given else before
    output = pathlib.Path(options.into or f"autograder-{lab.name}.zip").absolute()
    if os.path.lexists(output):
        raise Trouble(f"{output} is there already; its seed may be that of a term's grades")
    if not output.parent.is_dir():
        raise Trouble(f"{output.parent} is no folder")
    seed = options.seed if options.seed is not None else secrets.randbelow(labs.SEEDS)
    with tempfile.TemporaryDirectory(prefix="pagealloc-export-") as folder:
        folder = pathlib.Path(folder)
        fill(folder / "repository", given)
        for name in ("setup.sh", "run_autograder"):
            shutil.copy2(ROOT / "labs" / "autograder" / name, folder / name)
        (folder / "seed").write_text(f"{seed}\n", encoding="utf-8")
        (folder / "lab").write_text(f"{lab.number}\n", encoding="utf-8")
        try:
            pack(folder, output)
        except BaseException:  # half a zip is none
            output.unlink(missing_ok=True)
            raise
    print(f"{output}: lab {lab.number}, seed {seed} (keep it: a grade is made again with it)")
    return 0


def pack(folder, output):
    """A zip with the files' modes: setup.sh must stay executable."""
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_symlink():
                entry = zipfile.ZipInfo(name)
                entry.create_system = 3
                entry.external_attr = 0o120777 << 16
                archive.writestr(entry, os.readlink(path))
            elif path.is_file():
                archive.write(path, name)


def export(options):
    return export_gradescope(options) if options.gradescope else export_student(options)
