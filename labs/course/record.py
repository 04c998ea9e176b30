"""A grade as it is kept: everything that is needed to make it again.

The record holds the files that were graded, word for word, the seed, and hashes of what graded
them; ./lab grade --replay RECORD makes the grade anew and compares.
"""

import base64
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import platform

from course import build, check, explain, labs
from course.labs import ROOT, SEEDS, Trouble, read_json

SCHEMA = "pagealloc/grade/v1"
FILE_BYTES = 256 << 10  # of one file of a submission
BUILT_FROM = ("pagealloc", "harness", "labs/grader")
SOURCES = (".cpp", ".h", ".py", ".txt", ".cmake", ".in", ".trace")

# What a grade cannot be made again without.
KINDS = {"lab": str, "seed": int, "hidden": bool, "grader": str, "files": dict, "score": int,
         "tests": list}


class NotTaken(Trouble):
    """What is wrong with a submission: its author's to mend, and no trouble of the grader's."""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sources_of_grade(lab):
    """All of this repository that a grade depends on, beside the files that are graded: the table, the
    tests, the grader, what the tests run on, and how it is built."""
    places = [ROOT / name for name in ("CMakeLists.txt", "CMakePresets.json")]
    for folder in (*BUILT_FROM, f"labs/{lab.name}"):
        places += (ROOT / folder).rglob("*")
    for pattern in ("impl_*/*", "tools/*.cmake", "labs/*", "labs/course/*.py"):
        places += ROOT.glob(pattern)
    graded = {lab.folder / file.name for file in lab.files}
    sources = {path for path in places if path not in graded and path.is_file() and
               (path.suffix in SOURCES or path.name in ("CMakePresets.json", "lab.json"))}
    # A student's repository is made of his own files where it has no reference.
    return sources | {other.folder / file.name for other in labs.all_labs(ROOT) if other != lab
                      for file in other.files if not (ROOT / file.reference).exists()}


def grader_hash(lab):
    """Who has the same, and the same compiler and libraries of the system, gives the same grades."""
    whole = hashlib.sha256()
    for path in sorted(sources_of_grade(lab)):
        data = path.read_bytes() if path.is_file() else b""
        whole.update(f"{path.relative_to(ROOT)} {sha256(data)}\n".encode())
    return whole.hexdigest()


def stored(data):
    """A file as the record has it: as text where it is text, so that people can read it."""
    try:
        return {"sha256": sha256(data), "text": data.decode()}
    except UnicodeDecodeError:
        return {"sha256": sha256(data), "base64": base64.b64encode(data).decode()}


def contents_of(name, file):
    """The bytes that stored() has been given; Trouble if they are not those any more."""
    try:
        data = file["text"].encode() if isinstance(file.get("text"), str) else \
            base64.b64decode(file["base64"], validate=True)
    except ValueError as error:
        raise Trouble(f"what it has of {name} cannot be read: {error}") from error
    if sha256(data) != file["sha256"]:
        raise Trouble(f"what it has of {name} has not the hash that stands beside it")
    return data


def place_of(lab, folder, name):
    """Where this file lies in a submission, as a path in it; NotTaken if it cannot be graded. No link
    is followed, for it may lead to somebody else's work."""
    places = [pathlib.Path(name), pathlib.Path("labs", lab.name, name)]
    place = next((place for place in places if os.path.lexists(folder / place)), None)
    if place is None:
        raise NotTaken(f"{name} is missing")
    for part in (place, *place.parents[:-1]):
        if (folder / part).is_symlink():
            raise NotTaken(f"{part} is a symbolic link, and only the file itself is taken")
    if not (folder / place).is_file():
        raise NotTaken(f"{place} is no regular file")
    if (folder / place).stat().st_size > FILE_BYTES:
        raise NotTaken(f"{place} is larger than {FILE_BYTES} bytes")
    return place


def take_submission(lab, folder):
    """name -> path of the lab's files in a submission, and of nothing else that is there. They lie
    in the folder itself, or where they lie in the repository."""
    if not folder.is_dir():
        raise Trouble(f"{folder} is no folder")
    files, faults = {}, []
    for file in lab.files:
        try:
            files[file.name] = folder / place_of(lab, folder, file.name)
        except NotTaken as fault:
            faults.append(str(fault))
    if faults:
        wanted = " and ".join(file.name for file in lab.files)
        raise NotTaken(f"{'; '.join(faults)}. Lab {lab.number} is graded by {wanted}, in the folder "
                       f"that is handed in or in labs/{lab.name}/ there.")
    return files


def begin(lab, seed, hidden):
    """The record of a grade that nothing has been found for yet."""
    return {
        "schema": SCHEMA, "lab": lab.name, "title": lab.title, "seed": seed, "hidden": hidden,
        "datetime": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "grader": grader_hash(lab),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "files": {}, "score": 0, "max": lab.points, "refused": None, "compile_error": None,
        "warnings": "", "tests": []}


def refuse(lab, seed, hidden, fault):
    """The record of a submission that could not be taken: no points, and why."""
    return begin(lab, seed, hidden) | {"refused": str(fault)}


def make(lab, files, seed, hidden=False, on_outcome=None, untrusted=False):
    """Grades these files. With `hidden` the seed is kept in the record and told nobody."""
    record = begin(lab, seed, hidden)
    record["files"] = {name: stored(path.read_bytes()) for name, path in files.items()}
    try:
        check.prepare(lab, None if untrusted else files)
        outcomes, explained, record["warnings"] = check.grade_files(
            lab, files, seed, on_outcome=on_outcome, untrusted=untrusted)
    except build.CompileError as error:
        record["compile_error"] = str(error)
        return record
    for outcome in outcomes:
        record["tests"].append(test_record(lab, outcome, explained.get(outcome.test.id), hidden))
    record["score"] = sum(each["points"] for each in record["tests"])
    return record


def test_record(lab, outcome, explanation, hidden):
    said = None
    if explanation is not None:
        said = dataclasses.asdict(explanation)
        if hidden:
            said["again"] = f"./lab check {lab.number} --seed N, with several numbers N; the seed " \
                            "of this run is not told"
            if outcome.failure is None:  # what the submission prints may be the seed
                said["evidence"] = ""
    raw = outcome.raw
    return {"id": outcome.test.id, "name": outcome.test.name, "task": outcome.test.task,
            "state": outcome.state, "points": outcome.points, "max": outcome.test.points,
            "blocked_by": outcome.blocked_by, "not_started": outcome.not_started,
            "explanation": said, "checks": outcome.checks,
            "cpu_s": round(raw.cpu_s, 4) if raw else 0,
            "memory_bytes": raw.memory_bytes if raw else 0}


def text_of(test):
    """What a student reads of one test."""
    if test["state"] == "passed":
        return "passed"
    if test["state"] == "blocked":
        return f"not run: it needs {test['blocked_by']}"
    if test["state"] == "not_started":
        return f"NOT STARTED: {test['not_started']}"
    return explain.Explanation(**test["explanation"]).text()


def load(path):
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise Trouble(f"{path} is no record of a grade: its schema is not {SCHEMA}")
    for key, kind in KINDS.items():
        if type(record.get(key)) is not kind:
            raise Trouble(f"{path} is no whole record of a grade: its '{key}' is missing or no {kind.__name__}")
    if not 0 <= record["seed"] < SEEDS:
        raise Trouble(f"{path}: its seed is not from 0 to {SEEDS - 1}")
    for name, file in record["files"].items():
        if not has_strings(file, "sha256", "text") and not has_strings(file, "sha256", "base64"):
            raise Trouble(f"{path} is no whole record of a grade: it has not the text of {name}")
    if not all(has_strings(test, "id", "state") for test in record["tests"]):
        raise Trouble(f"{path} is no whole record of a grade: a test in it has no id or no state")
    return record


def has_strings(part, *keys):
    return isinstance(part, dict) and all(isinstance(part.get(key), str) for key in keys)


def differences(old, new):
    """What two grades of the same files disagree on."""
    found = []
    if old["grader"] != new["grader"]:
        found.append("the grader has changed since: its table, its tests or its code")
    if old["score"] != new["score"]:
        found.append(f"the score was {old['score']} and is {new['score']}")
    compiled = [not record.get("compile_error") for record in (old, new)]
    if compiled[0] != compiled[1]:
        words = {True: "compiled", False: "did not compile"}
        return [*found, f"the files {words[compiled[0]]} then, and {words[compiled[1]]} now"]
    before, now = ({test["id"]: test["state"] for test in record["tests"]} for record in (old, new))
    for test in {**before, **now}:
        states = [states.get(test, "not there") for states in (before, now)]
        if states[0] != states[1]:
            found.append(f"{test} was {states[0]} and is {states[1]}")
    return found
