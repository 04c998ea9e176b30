"""The labs and their tables, as they stand in labs/NN_name/lab.json."""

import json
import pathlib
import re
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEDS = 1 << 64  # what a test draws from takes so many


class Trouble(Exception):
    """What stops a command, in one line for people."""


def seed_of(text):
    """A seed as it is typed, or @FILE that holds one, for what is on a command line everybody reads;
    anything else would fail every test, and not by the student's fault."""
    if text.startswith("@"):
        try:
            text = pathlib.Path(text[1:]).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise Trouble(f"no seed in {text[1:]}: {error}") from error
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) >= SEEDS:
        raise Trouble(f"a seed is a whole number from 0 to {SEEDS - 1}, and not '{text}'")
    return int(text)


def read_json(path):
    """What somebody may have edited, or a full disk cut; FileNotFoundError if it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Trouble(f"{path} is no JSON: {error}") from error


@dataclass(frozen=True)
class Test:
    id: str
    name: str
    points: int
    task: int
    after: tuple[str, ...]
    checks: int  # how many the reference's run makes
    cpu: int     # times the usual limit of processor time


@dataclass(frozen=True)
class Task:
    number: int
    functions: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class File:
    name: str        # in the lab's folder: what the student writes
    reference: str   # in the repository: what it stands for


@dataclass(frozen=True)
class Lab:
    number: str
    name: str  # of the folder
    title: str
    files: tuple[File, ...]
    tasks: tuple[Task, ...]
    tests: tuple[Test, ...]
    needs: tuple[str, ...] = ()
    predictions: tuple[dict, ...] = ()
    given: tuple[str, ...] = ()  # files of the folder that share lines with a reference on purpose
    bench: str = ""  # which rows of the harness are about this lab's code: a regular expression
    programs: dict = field(default_factory=dict)  # target -> tests; all others are lab_NN's

    @property
    def folder(self):
        return ROOT / "labs" / self.name

    @property
    def points(self):
        return sum(test.points for test in self.tests)

    def test(self, test_id):
        for test in self.tests:
            if test.id == test_id:
                return test
        raise Trouble(f"lab {self.number} has no test {test_id} "
                      f"({self.tests[0].id} to {self.tests[-1].id})")

    def task(self, number):
        for task in self.tasks:
            if task.number == number:
                return task
        raise Trouble(f"lab {self.number} has no task {number} (1 to {len(self.tasks)})")

    def program_of(self, test_id):
        for target, tests in self.programs.items():
            if test_id in tests:
                return target
        return f"lab_{self.number}"

    @property
    def targets(self):
        return [f"lab_{self.number}", *self.programs]


def load(table):
    """One lab.json. What is missing or double in it is an error here and nowhere later."""
    try:
        return lab_of(table, read_json(table))
    except (KeyError, TypeError, AttributeError) as error:
        raise Trouble(f"{table} is no table of a lab: {type(error).__name__} {error}") from error


def lab_of(table, raw):
    name = table.parent.name
    tests = tuple(Test(id=each["id"], name=each["name"], points=each["points"], task=each["task"],
                       after=tuple(each.get("after", ())), checks=each.get("checks", 0),
                       cpu=each.get("cpu", 1))
                  for each in raw["tests"])
    seen = set()
    for test in tests:
        if test.id in seen:
            raise Trouble(f"{table}: test {test.id} twice")
        for parent in test.after:
            if parent not in seen:
                raise Trouble(f"{table}: test {test.id} stands before {parent}, which it needs")
        seen.add(test.id)
    return Lab(number=name[:2], name=name, title=raw["title"],
               files=tuple(File(each["name"], each["reference"]) for each in raw["files"]),
               tasks=tuple(Task(each["number"], tuple(each["functions"]), each["what"])
                           for each in raw["tasks"]),
               tests=tests, needs=tuple(raw.get("needs", ())),
               predictions=tuple(raw.get("predictions", ())),
               given=tuple(raw.get("given", ())), bench=raw.get("bench", ""),
               programs=raw.get("programs", {}))


def all_labs(root=ROOT):
    return [load(table) for table in sorted(root.glob("labs/[0-9][0-9]_*/lab.json"))]


def given():
    """Numbers of the labs whose references a student's repository was made with."""
    note = ROOT / "labs" / "export.json"
    return set(read_json(note)["given"]) if note.exists() else set()


def unwritten(*folders):
    """(lab, file) of those that a student's repository is compiled from in place of what these folders
    lack, and that somebody has still to write."""
    return [(lab, file) for lab in all_labs() for file in lab.files
            if file.reference.startswith(folders) and not (ROOT / file.reference).exists()
            and "labs::not_started(" in text_of(lab, file)]


def text_of(lab, file):
    """A student's file, whatever its encoding."""
    path = lab.folder / file.name
    if not path.is_file():
        raise Trouble(f"{path.relative_to(ROOT)} is not there; ./lab reset {lab.number} brings the "
                      "starter back")
    return path.read_text(encoding="utf-8", errors="replace")


def require_written(program, *folders):
    missing = unwritten(*folders)
    if missing:
        wanted = sorted({lab.number for lab, _ in missing})
        raise Trouble(f"{program} needs what {'lab' if len(wanted) == 1 else 'labs'} "
                      f"{', '.join(wanted)} will make (NOT STARTED: "
                      + ", ".join(f"labs/{lab.name}/{file.name}" for lab, file in missing) + ")")


def owner_of(function, but):
    """The lab among whose tasks is this function, and that is not the lab `but`; None: there is
    none."""
    if any(function in task.functions for task in but.tasks):
        return None
    return next((lab for lab in all_labs() for task in lab.tasks if function in task.functions), None)


def find(number):
    """By its number, "1" or "01", or its folder's name."""
    labs = all_labs()
    for lab in labs:
        if number == lab.name or re.fullmatch("[0-9]+", number) and int(number) == int(lab.number):
            return lab
    known = ", ".join(f"{lab.number} {lab.title}" for lab in labs)
    raise Trouble(f"no lab '{number}' (there are: {known})")
