"""./lab check NN: the tests on the student's files, and what to do next."""

import pathlib
import sys
import time

from course import build, explain, labs, progress, terminal
from course.labs import Trouble
from course.run import Runner

OUTPUT_LINES = 40  # of a compiler's message


def student_files(lab):
    files = {file.name: lab.folder / file.name for file in lab.files}
    for path in files.values():
        if not path.is_file():
            raise Trouble(f"{path.relative_to(build.ROOT)} is not there; "
                          f"./lab reset {lab.number} brings the starter back")
    return files


def sources_of(files):
    return {name: path.read_text(encoding="utf-8", errors="replace")
            for name, path in files.items()}


def prepare(lab, files=None, color=False):
    """The first time this takes minutes, and says so. CompileError if the library is to be made of
    these `files` of the student's and they are no C++."""
    if files and not all((build.ROOT / file.reference).exists() for file in lab.files):
        build.try_compiling(lab, files, color)  # the library's build would say more than is needed
    said = []

    def show(line):
        if not line.startswith("["):
            return
        if not terminal.is_terminal():
            if not said:
                print("Building what the tests need: minutes the first time, seconds later.",
                      file=sys.stderr)  # standard output may be somebody's file
            said.append(line)
        else:
            terminal.status(f"Building what the tests need {line.split(']')[0]}]  "
                            "(the first time only)")
    build.prepare(lab, show)
    terminal.end_status()


def show_compile_error(error):
    lines = str(error).rstrip().splitlines()
    print("\n".join(lines[:OUTPUT_LINES]))
    if len(lines) > OUTPUT_LINES:
        print(f"... {len(lines) - OUTPUT_LINES} more lines; mend the first error first")


def grade_files(lab, files, seed, only=None, color=False, on_outcome=None, untrusted=False):
    """(outcomes, explanations by test, warnings) of these files; CompileError if they are not C++."""
    with Runner(lab) as runner:
        warnings = runner.take(files, color, untrusted)
        outcomes = runner.run(seed, only, on_outcome)
        sources = sources_of(files)
        explained = {
            each.test.id: explain.explain(each, lab, sources,
                                          runner.programs[lab.program_of(each.test.id)])
            for each in outcomes if each.state == "failed"}
    return outcomes, explained, warnings


def line_of(outcome):
    test = outcome.test
    if outcome.state == "blocked":
        points = f"waits for {outcome.blocked_by}"
    elif outcome.state == "not_started":
        points = f"NOT STARTED {outcome.not_started}"
    else:
        points = f"{outcome.points} of {test.points}"
    text = f"{terminal.sign(outcome.state)} {test.id:<5} {test.name}"
    # The sign is one cell wide or four, whatever colours are around it.
    cells = (1 if terminal.is_utf8() else 4) + len(f" {test.id:<5} {test.name}")
    room = max(1, terminal.width() - 6 - cells - len(points))
    style = {"passed": "green", "failed": "red", "not_started": "blue", "blocked": "dim"}
    return f"    {text}{' ' * room}{terminal.paint(points, style[outcome.state])}"


def show_outcomes(lab, outcomes):
    task = None
    for outcome in outcomes:
        if outcome.test.task != task:
            task = outcome.test.task
            what = lab.task(task)
            print(f"\n  {terminal.paint(f'Task {task}', 'bold')}  {what.what}")
        print(line_of(outcome))


def show_explanation(test, explanation):
    print(f"\n{terminal.paint(f'{test.id}  {test.name}', 'bold', 'red')}\n")
    print(terminal.labelled("Expected", explanation.expected))
    print(terminal.labelled("Found", explanation.found))
    print(terminal.labelled("Likely cause", explanation.cause))
    if explanation.look_at:
        print(terminal.labelled("Look at", explanation.look_at))
    print(terminal.labelled("Just this", explanation.again))
    if explanation.evidence:
        print()
        for line in explanation.evidence.rstrip().splitlines():
            print("    " + line)


def what_next(lab, outcomes):
    """One sentence."""
    failed = next((each for each in outcomes if each.state == "failed"), None)
    if failed is not None:
        return f"mend {failed.test.id}; ./lab hint {lab.number} {failed.test.task} if you are stuck"
    waiting = next((each for each in outcomes if each.state == "not_started"), None)
    if waiting is not None:
        task = lab.task(waiting.test.task)
        other = labs.owner_of(waiting.not_started, lab)
        if other is not None:
            return (f"{waiting.test.id} has led to {waiting.not_started}, which lab {other.number} is "
                    f"about. No test of lab {lab.number} comes there when your code is right: what "
                    "has it let through that it must refuse?")
        return f"task {task.number}, write {waiting.not_started}; labs/{lab.name}/README.md " \
               "says what it must keep"
    if not progress.passed(lab):
        return f"./lab check {lab.number}, to see all of it"
    steps = []
    if lab.bench:
        steps.append(f"./lab bench {lab.number}")
    if lab.predictions:
        steps.append(f"./lab predict {lab.number} (what came out)")
    if all((build.ROOT / file.reference).exists() for file in lab.files):
        steps.append(f"./lab reveal {lab.number}")
    return f"that was all of lab {lab.number}. " + ", ".join([*steps, "./lab next"])


def check(lab, seed, only=None, everything=False):
    """True when all that ran has passed."""
    files = student_files(lab)
    progress.check()
    heading = f"Lab {lab.number}  {lab.title}"
    print(f"{terminal.paint(heading, 'bold')}   seed {seed}")
    try:
        prepare(lab, files, terminal.is_terminal())
        begun = time.monotonic()
        terminal.status("Compiling ...")
        outcomes, explained, warnings = grade_files(
            lab, files, seed, only, terminal.is_terminal(),
            lambda outcome: terminal.status(f"{outcome.test.id} {outcome.test.name}"))
    except build.CompileError as error:
        terminal.end_status()
        show_compile_error(error)
        return False
    terminal.end_status()
    if warnings:
        show_compile_error(warnings)
    show_outcomes(lab, outcomes)
    points = sum(outcome.points for outcome in outcomes)
    if only is None:
        progress.note_score(lab, points)
        progress.update(lab, passed_tests=[each.test.id for each in outcomes
                                           if each.state == "passed"])
        print(f"\n  {terminal.bar(points, lab.points)}   "
              f"{terminal.paint(f'{time.monotonic() - begun:.1f} s', 'dim')}")
    failed = [each for each in outcomes if each.state == "failed"]
    for outcome in failed if everything else failed[:1]:
        show_explanation(outcome.test, explained[outcome.test.id])
    if len(failed) > 1 and not everything:
        print(f"\n{len(failed) - 1} more failed: ./lab check {lab.number} --all explains them too.")
    print(f"\n{terminal.paint('Next:', 'bold')} {what_next(lab, outcomes)}")
    return all(outcome.state == "passed" for outcome in outcomes)


def keep(lab, folder):
    """Links the lab's programs and leaves them, for a debugger."""
    path = pathlib.Path(folder).absolute()
    path.mkdir(parents=True, exist_ok=True)
    prepare(lab)
    try:
        made, _ = build.programs(lab, student_files(lab), path)
    except build.CompileError:
        return  # which check() will show
    for program in made.values():
        print(f"Kept: {program}")


def watch(lab, seed, only=None, everything=False):
    """Checks again whenever one of the student's files is saved, until Ctrl-C."""
    student_files(lab)  # or an error, before anything is waited for
    seen = None
    while True:
        try:
            now = {name: path.stat().st_mtime_ns for name, path in student_files(lab).items()}
        except (Trouble, FileNotFoundError):
            now = seen  # an editor that saves by renaming has none for a moment
        if now == seen:
            time.sleep(0.3)  # nothing but a person waits for it
            continue
        seen = now
        if terminal.is_terminal():
            print("\x1b[2J\x1b[H", end="")
        check(lab, seed, only, everything)
        print(terminal.paint("Waiting for a file to be saved; Ctrl-C ends it.", "dim"), flush=True)
