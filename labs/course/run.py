"""Runs a lab's tests on somebody's files, and believes no more of what comes back than it must.

A test has passed when its process has ended by itself with status 0, has begun and ended its
report with the words that it was given, without a failure and with as many checks as the reference.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass

from course import build, labs, sandbox
from course.labs import Trouble

NOT_STARTED = 77
CPU_CALIBRATIONS = 20  # a test may take so many times the calibration's processor time
CPU_S_MIN = 2          # the limit counts whole seconds
WALL_CPU = 10          # and so many times that by the clock: other work may be going on
FRAMES_MAX = 40        # as many as labs/grader/report.cpp takes
FAILURE = {"expected", "found", "cause", "function", "evidence"}


@dataclass
class Outcome:
    test: object
    seed: int
    state: str               # passed, failed, not_started, blocked
    failure: dict | None = None  # what the test itself says: expected, found, cause, function ...
    trouble: str = ""        # how it ended, where the test itself could not say
    likely: str = ""         # what the test had said about such an end before
    frames: tuple = ()       # of the functions it was in then
    blocked_by: str = ""
    not_started: str = ""    # the function that is not written yet
    checks: int = 0
    raw: sandbox.Raw | None = None

    @property
    def points(self):
        return self.test.points if self.state == "passed" else 0


def calibrate():
    """The processor time, in seconds, that this machine takes for a piece of work like a test's."""
    done = subprocess.run([str(build.tool("labs_calibrate"))], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Trouble(f"the calibration failed: {done.stderr.strip()}")
    return int(done.stdout) / 1e9


def report_of(raw, test, seed):
    """The report's lines after the first, if it begins as it must and every line is one that the
    grader writes; else None. Whoever shares the process may have written any of them."""
    lines = []
    for line in raw.report.decode(errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except (ValueError, RecursionError):
            return None
    begin = {"begin": raw.words[0], "id": test.id, "seed": seed}
    if not lines or lines[0] != begin or not all(is_line(line) for line in lines[1:]):
        return None
    return lines[1:]


def is_line(line):
    """Whether this is a line of labs/grader/report.cpp: an end, an expected trouble, or a signal."""
    def whole(value):
        return type(value) is int
    if not isinstance(line, dict):
        return False
    if line.keys() == {"end", "checks", "failure"}:
        return whole(line["checks"]) and (line["failure"] is None or is_failure(line["failure"]))
    if line.keys() == {"trouble"}:
        return isinstance(line["trouble"], str)
    return line.keys() == {"signal", "frames"} and isinstance(line["frames"], list) and \
        len(line["frames"]) <= FRAMES_MAX and all(whole(frame) for frame in line["frames"])


def is_failure(failure):
    return isinstance(failure, dict) and failure.keys() == FAILURE and \
        all(isinstance(text, str) for text in failure.values())


def judge(raw, test, seed):
    """The Outcome that this run has earned."""
    outcome = Outcome(test, seed, "failed", raw=raw)
    if raw.status == NOT_STARTED:
        outcome.state = "not_started"
        outcome.not_started = not_started(raw.output)
        return outcome
    report = report_of(raw, test, seed)
    for line in report or []:
        outcome.likely = line.get("trouble", outcome.likely)
        outcome.frames = tuple(line.get("frames", outcome.frames))
    ends = [line for line in report or [] if "checks" in line]
    if any(line.get("end") != raw.words[1] for line in ends):
        report, ends = None, []
    if raw.late:
        outcome.trouble = f"the test did not end within {raw.wall_s:.0f} seconds, although it had " \
                          f"taken only {raw.cpu_s:.1f} seconds of the processor: it waits for " \
                          "something that does not come"
    elif raw.status < 0:
        outcome.trouble = trouble_of_signal(raw)
    elif report is None:
        outcome.trouble = "the program ended before the test began, or spoiled the test's report"
    elif len(ends) != 1 or raw.status != 0:
        outcome.trouble = f"the program ended in the middle of the test, with status {raw.status}"
    else:
        outcome.checks = ends[0]["checks"]
        outcome.failure = ends[0]["failure"]
        if outcome.failure is None and test.checks not in (0, outcome.checks):
            outcome.trouble = f"the test made {outcome.checks} of its {test.checks} checks"
        elif outcome.failure is None:
            outcome.state = "passed"
    return outcome


def not_started(output):
    """The function that said so, if it is one of the labs'."""
    marker = "NOT STARTED: "
    said = [line[len(marker):] for line in output.splitlines() if line.startswith(marker)]
    functions = {name for lab in labs.all_labs() for task in lab.tasks for name in task.functions}
    return said[-1] if said and said[-1] in functions else "a function"


def name_of(number):
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"


def trouble_of_signal(raw):
    number = -raw.status
    if number in (signal.SIGXCPU, signal.SIGKILL) and raw.cpu_s >= raw.cpu_limit_s - 0.5:
        return f"the test did not end within {raw.cpu_limit_s} seconds of processor time"
    words = {signal.SIGSEGV: "memory was touched that is not there",
             signal.SIGBUS: "memory was touched that is not there",
             signal.SIGABRT: "it was aborted", signal.SIGFPE: "a division by zero"}
    text = f"the program ended by {name_of(number)}"
    return text + (f": {words[number]}" if number in words else "")


class Runner:
    """A lab's programs on somebody's files, in a folder that goes away with it."""

    def __init__(self, lab, calibration_s=None):
        self.lab = lab
        self.calibration_s = calibrate() if calibration_s is None else calibration_s
        self.folder = tempfile.TemporaryDirectory(prefix="pagealloc-lab-")
        os.chmod(self.folder.name, 0o755)  # whoever the sandbox makes of us must get in
        self.programs = {}

    def __enter__(self):
        return self

    def __exit__(self, *ended):
        self.folder.cleanup()

    def take(self, files, color=False, untrusted=False):
        """Compiles and links these (name -> path); CompileError with what there is to say. The
        compiler's warnings."""
        self.programs, warnings = build.programs(self.lab, files, self.folder.name, color,
                                                 untrusted)
        return warnings

    def take_library(self):
        """The library's own code: the reference, where it is there."""
        for target in self.lab.targets:
            self.programs[target] = shutil.copy2(build.tool(target), self.folder.name)

    def cpu_limit_s(self, test):
        return test.cpu * max(CPU_S_MIN, math.ceil(CPU_CALIBRATIONS * self.calibration_s))

    def check_list(self):
        """The programs have exactly the tests of the table."""
        for target, program in self.programs.items():
            wanted = [test.id for test in self.lab.tests
                      if self.lab.program_of(test.id) == target]
            done = subprocess.run([str(build.tool(target)), "--list"], capture_output=True,
                                  text=True, check=True)
            if done.stdout.split() != wanted:
                raise Trouble(f"{program.name} has the tests {' '.join(done.stdout.split())}, the "
                              f"table says {' '.join(wanted)}")

    def run_test(self, test, seed):
        cpu_s = self.cpu_limit_s(test)
        program = self.programs[self.lab.program_of(test.id)]
        raw = sandbox.run(program, ["run", test.id], seed, cpu_s, WALL_CPU * cpu_s)
        return judge(raw, test, seed)

    def run(self, seed, only=None, on_outcome=None):
        """All tests in the table's order, or `only` one; those whose parents have failed are not
        run."""
        outcomes = {}
        for test in self.lab.tests:
            if only is not None and test.id != only:
                continue
            blocked = [parent for parent in test.after
                       if only is None and outcomes[parent].state != "passed"]
            if blocked:
                outcomes[test.id] = Outcome(test, seed, "blocked", blocked_by=blocked[0])
            else:
                outcomes[test.id] = self.run_test(test, seed)
            if on_outcome:
                on_outcome(outcomes[test.id])
        return list(outcomes.values())
