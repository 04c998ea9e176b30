"""The grader's own proof: starters score nothing, the reference everything, and no wrong solution
gets past. `./lab proof` runs it and writes docs/grader-proof.md."""

import os
import pathlib
import re
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from course import build, check, explain, labs, starter
from course.labs import ROOT, Trouble
from course.run import Runner, calibrate

HEAD = re.compile(r"^# ([a-z ]+): (.*)$")


@dataclass
class Patched:
    """A patch over the reference: wrong on purpose, or another way to be right."""
    path: pathlib.Path
    head: dict
    reference: str
    states: dict = field(default_factory=dict)   # test -> state
    texts: dict = field(default_factory=dict)    # test -> what the student reads
    faults: list = field(default_factory=list)   # of the proof

    @property
    def name(self):
        return self.path.stem

    @property
    def caught_by(self):
        return self.head.get("caught by", "").replace(",", " ").split()


def read_patch(path):
    head, reference = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        match = HEAD.match(line)
        if match:
            head[match.group(1)] = match.group(2)
        elif line.startswith("--- a/"):
            reference = line[len("--- a/"):].split("\t")[0]
            break
    if reference is None:
        raise Trouble(f"{path}: no line '--- a/FILE'")
    return Patched(path, head, reference)


def find(lab, name):
    """The wrong or right solution of this name; Trouble if there is none."""
    for patched in patches(lab, "wrong") + patches(lab, "right"):
        if patched.name == name:
            return patched
    raise Trouble(f"lab {lab.number} has no wrong or right solution '{name}'")


def patches(lab, folder):
    return [read_patch(path) for path in sorted((lab.folder / folder).glob("*.patch"))]


def apply(lab, patched, folder):
    """name -> path of the lab's files: the patched one alone, for the others are the library's."""
    names = {file.reference: file.name for file in lab.files}
    if patched.reference not in names:
        raise Trouble(f"{patched.path}: {patched.reference} is none of the lab's references")
    output = pathlib.Path(folder) / names[patched.reference]
    done = subprocess.run(["patch", "--quiet", "--fuzz=0", f"--output={output}",
                           str(ROOT / patched.reference), str(patched.path)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"{patched.path.relative_to(ROOT)} does not apply to {patched.reference} any "
                      f"more: {done.stdout.strip()}")
    return {names[patched.reference]: output}


def run_patched(lab, patched, seed, calibration_s):
    """Fills in states and texts."""
    with tempfile.TemporaryDirectory(prefix="pagealloc-proof-") as folder, \
            Runner(lab, calibration_s) as runner:
        files = apply(lab, patched, folder)
        try:
            runner.take(files)
        except build.CompileError as error:
            patched.faults.append(f"does not compile: {str(error)[:2000]}")
            return patched
        outcomes = runner.run(seed)
        sources = check.sources_of(files)
        for outcome in outcomes:
            patched.states[outcome.test.id] = outcome.state
            if outcome.state == "failed":
                patched.texts[outcome.test.id] = explain.explain(
                    outcome, lab, sources, runner.programs[lab.program_of(outcome.test.id)]).text()
    return patched


def judge_wrong(lab, patched, seed):
    """What is wrong with the grader, by this wrong solution. Which test finds it first, and in which
    words, is asked of the seed that the page is made with; others must find it."""
    failed = [test for test, state in patched.states.items() if state == "failed"]
    if patched.faults:
        return
    for key in ("sentence", "caught by", "message"):
        if key not in patched.head:
            patched.faults.append(f"its head says nothing of '{key}'")
    if not failed:
        patched.faults.append("keeps all its points")
    if seed != 1:
        return
    for test in patched.caught_by:
        lab.test(test)
        if test not in failed:
            patched.faults.append(f"is not caught by {test}, but by {' '.join(failed) or 'none'}")
        elif squeezed(patched.head.get("message", "")) not in squeezed(patched.texts[test]):
            patched.faults.append(f"the text of {test} does not say '{patched.head['message']}':\n"
                                  + patched.texts[test])


def squeezed(text):
    return " ".join(text.split())


def judge_right(lab, patched):
    for test, state in patched.states.items():
        if state != "passed":
            patched.faults.append(f"loses {test}: {patched.texts.get(test, state)}")


def files_from(lab, folder, text_of):
    files = {}
    for file in lab.files:
        path = pathlib.Path(folder) / file.name
        path.write_text(text_of(file), encoding="utf-8")
        files[file.name] = path
    return files


def check_starter(lab, calibration_s):
    """Faults of the starter: it must compile without a warning and be nothing but not started."""
    def text_of(file):
        reference = (ROOT / file.reference).read_text(encoding="utf-8")
        return starter.starter_of(reference, file.reference)
    faults = []
    for file in lab.files:
        path = lab.folder / file.name
        if not path.exists() or path.read_text(encoding="utf-8") != text_of(file):
            faults.append(f"{path.relative_to(ROOT)} is not what ./lab starters makes of "
                          f"{file.reference}")
    with tempfile.TemporaryDirectory(prefix="pagealloc-proof-") as folder, \
            Runner(lab, calibration_s) as runner:
        try:
            warnings = runner.take(files_from(lab, folder, text_of))
        except build.CompileError as error:
            return [*faults, f"the starter does not compile: {error}"]
        if warnings:
            faults.append(f"the starter compiles with warnings: {warnings}")
        for outcome in runner.run(1):
            if outcome.state not in ("not_started", "blocked"):
                faults.append(f"the starter's {outcome.test.id} is {outcome.state}")
    return faults


@dataclass
class ReferenceRun:
    """What one run of the reference has shown."""
    seed: int
    faults: list = field(default_factory=list)
    checks: dict = field(default_factory=dict)  # test -> how many it made


def run_reference(lab, seed, calibration_s):
    done = ReferenceRun(seed)
    with Runner(lab, calibration_s) as runner:
        runner.take_library()
        runner.check_list()
        for outcome in runner.run(seed):
            if outcome.state == "passed":
                done.checks[outcome.test.id] = outcome.checks
                continue
            text = explain.explain(outcome, lab, {}).text() if outcome.state == "failed" \
                else outcome.state
            done.faults.append(f"the reference loses {outcome.test.id} with seed {seed}: {text}")
    return done


def judge_reference(lab, runs):
    """(faults of all runs, checks that the tests make)."""
    faults = [fault for run in runs for fault in run.faults]
    checks = {}
    for run in runs:
        for test_id, count in run.checks.items():
            if checks.setdefault(test_id, count) != count:
                faults.append(f"{test_id} makes {count} checks with seed {run.seed} and "
                              f"{checks[test_id]} with another")
    for test in lab.tests:
        if test.checks and test.id in checks and test.checks != checks[test.id]:
            faults.append(f"{test.id} makes {checks[test.id]} checks, the table says {test.checks}"
                          " (./lab proof --record writes them there)")
    return faults, checks


def later_starters(lab):
    """name -> path of what students have not begun when they come to this lab: what the library is
    made of in their repository."""
    files = {}
    for later in labs.all_labs():
        if later.number <= lab.number:
            continue
        for file in later.files:
            if file.reference.startswith(("pagealloc/", "impl_")):
                files[f"{later.number}_{file.name}"] = later.folder / file.name
    return files


def check_alone(lab, calibration_s):
    """Faults of the labs' order: this one can be done while all later ones are not begun."""
    with Runner(lab, calibration_s) as runner:
        files = later_starters(lab)
        if not files:
            return []
        try:
            runner.take(files)
        except build.CompileError as error:
            return [f"with the starters of later labs it does not link: {error}"]
        return [f"{outcome.test.id} is {outcome.state} {outcome.not_started} while later labs are "
                "not begun" for outcome in runner.run(1) if outcome.state != "passed"]


@dataclass
class Proof:
    lab: object
    starter_faults: list
    reference_faults: list
    checks: dict
    wrong: list
    right: list
    times: int
    seed: int

    @property
    def faults(self):
        found = [*self.starter_faults, *self.reference_faults]
        for patched in (*self.wrong, *self.right):
            found += [f"{patched.name}: {fault}" for fault in patched.faults]
        if self.times == 0:  # one solution alone says nothing of the others
            return found
        if len(self.wrong) < 8:
            found.append(f"{len(self.wrong)} wrong solutions, at least 8 are wanted")
        if self.lab.points != 100:
            found.append(f"the points add up to {self.lab.points}, not to 100")
        for test in labs.find(self.lab.number).tests:
            if not test.checks:
                found.append(f"the table has no number of checks for {test.id} (--record)")
            # The last tests of lab 06 have what the seed draws: which of them finds what, differs.
            if self.seed == 1 and not any(patched.states.get(test.id) == "failed"
                                          for patched in self.wrong):
                found.append(f"{test.id} catches nothing")
        return found


def prove_one(lab, patched, seed, calibration_s):
    run_patched(lab, patched, seed, calibration_s)
    if patched.path.parent.name == "right":
        judge_right(lab, patched)
    else:
        judge_wrong(lab, patched, seed)
    return patched


def workers():
    """Who runs all of it. Processes and no threads: a program that one has just written cannot be run
    while another is between its fork and its exec ("Text file busy"). Twice as many as there are
    processors, so that whatever runs, the references among it, runs while others want to."""
    return ProcessPoolExecutor(2 * os.cpu_count())


class Proving:
    """A lab's runs, handed to the workers: with this seed, and the reference with as many from it on;
    `only` names one wrong or right solution. Call build.prepare() first."""

    def __init__(self, pool, lab, times=20, only=None, seed=1):
        self.lab, self.times, self.only, self.seed = lab, times, only, seed
        calibration_s = calibrate()
        self.solutions = [pool.submit(prove_one, lab, patched, seed, calibration_s)
                          for folder in ("wrong", "right") for patched in patches(lab, folder)
                          if only in (None, patched.name)]
        if only is None:
            self.references = [pool.submit(run_reference, lab, seed + turn, calibration_s)
                               for turn in range(times)]
            self.others = [pool.submit(check_starter, lab, calibration_s),
                           pool.submit(check_alone, lab, calibration_s)]

    def proof(self):
        """Waits for all of them."""
        done = [job.result() for job in self.solutions]
        wrong = [p for p in done if p.path.parent.name == "wrong"]
        right = [p for p in done if p.path.parent.name == "right"]
        if self.only is not None:
            return Proof(self.lab, [], [], {}, wrong, right, 0, self.seed)
        faults, checks = judge_reference(self.lab, [job.result() for job in self.references])
        return Proof(self.lab, [fault for job in self.others for fault in job.result()], faults,
                     checks, wrong, right, self.times, self.seed)


def record(lab, checks):
    """Writes the numbers of checks into the lab's table."""
    path = lab.folder / "lab.json"
    text = path.read_text(encoding="utf-8")
    for test_id, count in checks.items():
        text, found = re.subn(
            rf'(\{{"id": "{re.escape(test_id)}",[^{{}}]*?)(, "checks": \d+)?(\}})',
            rf'\g<1>, "checks": {count}\g<3>', text)
        if found != 1:
            raise Trouble(f"{path}: the line of test {test_id} has another form")
    path.write_text(text, encoding="utf-8")


def show(proof):
    for patched in (*proof.wrong, *proof.right):
        failed = [test for test, state in patched.states.items() if state == "failed"]
        print(f"  {'FAULT' if patched.faults else 'ok   '} {patched.name}: "
              f"{'caught by ' + ' '.join(failed) if failed else 'keeps all points'}")
    for fault in proof.faults:
        print(f"\nFAULT {fault}")
    print(f"\nLab {proof.lab.number}: {len(proof.wrong)} wrong solutions, {len(proof.faults)} "
          f"faults of the grader")


def show_texts(proof):
    for patched in proof.wrong:
        for test, text in patched.texts.items():
            print(f"\n== {patched.name}, {test}\n{text}")
