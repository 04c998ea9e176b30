"""A lab's tests with somebody's files in front of the library.

The build system makes the tests and the library once. A student's files are compiled here, with the
same flags, and linked in front, so that the linker has no need of the library's own objects of these
functions. Starters, submissions, wrong and hostile solutions all come this way.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from course import symbols
from course.confined import Sandbox, end_group, scratch_folder
from course.labs import ROOT, Trouble

BUILD = ROOT / "build" / "debug"      # what grades: assertions on
RELEASE = ROOT / "build" / "release"  # what measures
COMPILE_S = 120   # a submission that keeps the compiler busy for ever
COMPILE_BYTES = 4 << 30
OBJECT_BYTES = 256 << 20
SAID_BYTES = 64 << 10  # of what a compiler says; an include that includes itself says it for ever


class CompileError(Exception):
    """What the compiler or the linker had to say about the student's files."""


def make(targets, on_output=None, folder=BUILD):
    """Has the build system make these; quick when nothing has changed."""
    command = ["cmake", "--build", str(folder), "--target", *targets]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = []
    for line in process.stdout:
        output.append(line)
        if on_output:
            on_output(line)
    if process.wait() != 0:
        said = "".join(output[-60:])
        # In a student's repository the library has his files.
        if "undefined reference to" in said or "multiple definition of" in said:
            raise CompileError(explain_linker(said))
        raise Trouble("the build failed:\n" + said)


def prepare(lab, on_output=None):
    make([*lab.targets, "labs_sandbox", "labs_calibrate"], on_output)


def tool(name):
    return BUILD / "bin" / name


def flags_of(target, folder=BUILD):
    """What the target's own sources are compiled with, for a file from anywhere."""
    marker = f"{target}.dir/"
    with open(folder / "compile_commands.json", encoding="utf-8") as file:
        for entry in json.load(file):
            if marker in entry["command"]:
                words = shlex.split(entry["command"])
                break
        else:
            raise Trouble(f"nothing is known of how {target} is compiled: ./lab build debug")
    kept, skip = [], 0
    for word in words:
        if skip:
            skip -= 1
        elif word in ("-o", "-c", "-MT", "-MF"):
            skip = 1
        elif word not in ("-MD", "-MMD", "-Werror"):  # a warning is shown, and is no failure
            kept.append(word)
    return kept


def link_command(target, folder=BUILD):
    """The words of the command that links it."""
    listed = subprocess.run(["ninja", "-C", str(folder), "-t", "commands", target],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    words = shlex.split(listed[-1])
    return [word for word in words if word not in (":", "&&")]


def run_tool(command, cwd, sandbox=None):
    """A compiler or linker to its end; in a sandbox that may write to the folder `sandbox` alone,
    if one is given. What it had to say."""
    if shutil.which(command[0]) is None:
        raise Trouble(f"{command[0]} is not there: ./lab doctor says what is missing")
    box, kept_open = None, []
    if sandbox is not None:
        box = Sandbox(sandbox, (COMPILE_S, COMPILE_BYTES, OBJECT_BYTES), alone=False)
        command = box.command([shutil.which(command[0]), *command[1:]])
        kept_open = [box.says_to]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TMPDIR": str(sandbox or "/tmp")}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, env=environment, pass_fds=kept_open,
                                   start_new_session=True)
        try:
            if box is not None:
                box.started()
            status = process.wait(COMPILE_S)
        except subprocess.TimeoutExpired as error:
            raise CompileError(f"the compiler did not end within {COMPILE_S} seconds") from error
        finally:
            end_group(process)
        output.seek(0)
        said = output.read(SAID_BYTES).decode(errors="replace")
    if status != 0:
        raise CompileError(said if said.strip() else
                           "the compiler was ended: it took too much time or memory")
    return said


def compile_files(lab, target, files, into, color=False, untrusted=False, folder=BUILD):
    """Objects of `files` (name -> path) in the folder `into`, and the warnings."""
    flags = flags_of(target, folder)
    jobs = []
    for name, path in files.items():
        output = pathlib.Path(into) / f"{target}_{name}.o"
        command = [*flags, f"-fdiagnostics-color={'always' if color else 'never'}",
                   f"-ffile-prefix-map={path}=labs/{lab.name}/{name}", "-MD", "-MF", f"{output}.d",
                   "-o", str(output), "-c", str(path)]
        jobs.append((command, output))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(run_tool, command, ROOT, into if untrusted else None)
                   for command, _ in jobs]
    warnings = "".join(job.result() for job in running)
    for name, (_, output) in zip(files, jobs):
        refuse_reference(lab, name, pathlib.Path(f"{output}.d").read_text(errors="replace"))
    return [str(output) for _, output in jobs], warnings


def refuse_reference(lab, name, dependencies):
    """CompileError if a file has the reference included instead of being written."""
    included = {os.path.realpath(ROOT / word) for word in dependencies.split()}
    for file in lab.files:
        if str(ROOT / file.reference) in included:
            raise CompileError(f"labs/{lab.name}/{name} includes {file.reference}, which is what is to "
                               "be written")


def try_compiling(lab, files, color=False):
    """CompileError if one of them is not C++."""
    with tempfile.TemporaryDirectory(prefix="pagealloc-try-") as folder:
        try:
            compile_files(lab, lab.targets[0], files, folder, color)
        except CompileError as error:
            raise CompileError(str(error).replace(f"{ROOT}/", "")) from None


def link_words(target, folder=BUILD):
    """The words of its link command, with whole paths."""
    return [str(folder / word) if (folder / word).exists() else word
            for word in link_command(target, folder)]


def link(target, objects, output, untrusted=False, folder=BUILD):
    words = link_words(target, folder)
    # Behind the tests, so that an inline function which both have is the tests'; before the library.
    last = max(i for i, word in enumerate(words) if word.endswith(".o"))
    words[last + 1:last + 1] = objects
    words[words.index("-o") + 1] = str(output)
    try:
        run_tool(words, folder, output.parent if untrusted else None)
    except CompileError as error:
        raise CompileError(explain_linker(str(error))) from None


def explain_linker(text):
    rule = "your files must define exactly the functions that the starter has"
    missing = sorted(set(re.findall(r"undefined reference to [`']([^`']+)'", text)))
    if missing:
        return f"a function of the starter is missing, {' and '.join(missing)}: {rule}"
    twice = sorted(set(re.findall(r"multiple definition of [`']([^`']+)'", text)))
    if twice:
        return (f"{' and '.join(twice)} is there twice: a function of the starter is missing, or one "
                f"is there that is not in the starter; {rule}")
    return text


def programs(lab, files, into, color=False, untrusted=False, targets=None, folder=BUILD):
    """The lab's programs, or `targets`, on these files: target -> path, and the compiler's warnings.
    Call prepare() first. What is `untrusted` is compiled in a sandbox: what a source includes ends
    up in messages, and nobody's secrets may."""
    made, warnings = {}, ""
    into = pathlib.Path(into)
    # Whoever the sandbox makes of the compiler writes to the scratch folder, and nothing stays there:
    # the programs end where only we can change them.
    with scratch_folder("objects-", into) as scratch:
        copies = {}
        for name, path in files.items():
            copies[name] = pathlib.Path(scratch) / name
            shutil.copyfile(path, copies[name])
        try:
            for target in targets or lab.targets:
                objects, said = compile_files(lab, target, copies, scratch, color, untrusted, folder)
                warnings = warnings or said
                check_symbols(lab, target, dict(zip(copies, objects)), folder)
                output = pathlib.Path(scratch) / target
                link(target, objects, output, untrusted, folder)
                made[target] = into / target
                shutil.copyfile(output, made[target])
                made[target].chmod(0o755)
        except CompileError as error:
            raise CompileError(by_name(lab, scratch, str(error))) from None
        warnings = by_name(lab, scratch, warnings)
    return made, warnings


def check_symbols(lab, target, objects, folder):
    """CompileError if these objects (name of a file -> path) do not stand in for what they replace, or
    for more. The linker would take what is missing from the library, where the reference may be."""
    linked = [word for word in link_words(target, folder) if word.endswith((".o", ".a"))]
    for file in lab.files:
        if file.name not in objects:
            continue
        # In a student's repository the library is made of his file, or of the starter.
        replaced = symbols.object_of([ROOT / file.reference, lab.folder / "starter" / file.name,
                                      lab.folder / file.name], folder)
        if replaced is None:
            raise Trouble(f"the library has no object of {file.reference}: ./lab build debug")
        trouble = symbols.trouble(objects[file.name], replaced, linked)
        if trouble:
            raise CompileError(f"labs/{lab.name}/{file.name}: {trouble}")


def by_name(lab, folder, text):
    """Messages name the student's file and not our copy of it."""
    return text.replace(f"{folder}/", f"labs/{lab.name}/")
