"""./lab grade: the score as people and as other systems read it."""

import json
import os
import pathlib
import sys
import tempfile

from course import confined, formats, labs, progress, record, terminal
from course.labs import Trouble


def grade(options):
    if options.replay:
        return replay(pathlib.Path(options.replay))
    chosen = [labs.find(options.lab)] if options.lab else labs.all_labs()
    formatted = [name for name in ("json", "gradescope", "classroom50", "junit")
                 if getattr(options, name)]
    if formatted and len(chosen) != 1:
        raise Trouble(f"--{formatted[0]} is for one lab: ./lab grade NN --{formatted[0]}")
    if options.submission and len(chosen) != 1:
        raise Trouble("a submission is one lab's: ./lab grade NN --submission DIR")
    if options.output and not formatted:
        raise Trouble("-o is for a format: --json, --gradescope, --classroom50 or --junit")
    if (options.plot or options.metadata) and not options.gradescope:
        raise Trouble("--plot and --metadata are for --gradescope")
    if options.hidden and options.seed is None:
        raise Trouble("--hidden keeps a seed from the student: give one that he does not know, with "
                      "--seed")
    options.seed = 1 if options.seed is None else options.seed
    check_places(options)
    grades = []
    for lab in chosen:
        made = grade_one(lab, options)
        terminal.end_status()
        if not options.submission and not made["refused"]:
            progress.note_score(lab, made["score"])
        grades.append(made)
    if formatted:
        write(options.output, text_of(grades[0], formatted[0], options))
    else:
        for made in grades:
            show(made)
    ran = options.submission and not grades[0]["refused"]
    if ran and (missing := confined.available()):
        print(missing, file=sys.stderr)
    if len(grades) > 1:
        total, most = sum(g["score"] for g in grades), sum(g["max"] for g in grades)
        print(f"\n  {'all labs':<24}{terminal.bar(total, most)}")
    return 0


def check_places(options):
    """Trouble now, and not when the grade is made, where it could not be written, or what is to be in
    it not be read."""
    for path in options.plot or ():
        with open(path, "rb"):
            pass
    if options.output is not None:
        output = pathlib.Path(options.output)
        if output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK):
            raise Trouble(f"{output} is no file that can be written")
    if not options.submission:
        progress.check()


def grade_one(lab, options):
    """The record. What is wrong with a submission is said in it, to its author."""
    folder = pathlib.Path(options.submission) if options.submission else lab.folder
    try:
        files = record.take_submission(lab, folder)
    except record.NotTaken as fault:
        return record.refuse(lab, options.seed, options.hidden, fault)
    return record.make(lab, files, options.seed, options.hidden,
                       lambda outcome: show_status(lab, outcome),
                       untrusted=options.submission is not None)


def show_status(lab, outcome):
    # Standard output may be somebody's file.
    if sys.stdout.isatty():
        terminal.status(f"Lab {lab.number}: {outcome.test.id} {outcome.test.name}")


def show(made):
    title = f"{made['lab'][:2]}  {made['title']}"
    print(f"  {title:<24}{terminal.bar(made['score'], made['max'])}")
    if made["refused"]:
        print("      not graded: " + made["refused"])
        return
    if made["compile_error"]:
        print("      does not compile: " + made["compile_error"].strip().splitlines()[0])
        return
    if all(test["state"] in ("not_started", "blocked") for test in made["tests"]):
        print(f"      {terminal.paint('NOT STARTED', 'blue')}")
        return
    for test in made["tests"]:
        if test["state"] == "failed":
            print(f"      {terminal.sign('failed')} {test['id']:<5} {test['name']}")


def improvement(made, metadata):
    """Points more than the submission before had, as Gradescope tells; None: it tells nothing."""
    try:
        with open(metadata, encoding="utf-8") as file:
            before = json.load(file)["previous_submissions"][-1]
        return made["score"] - round(float(before["score"]))
    except (OSError, ArithmeticError, ValueError, LookupError, TypeError):
        return None


def text_of(made, form, options):
    if form == "junit":
        return formats.junit(made)
    if form == "gradescope":
        plots = [(pathlib.Path(path).stem, path) for path in options.plot or ()]
        improved = improvement(made, options.metadata) if options.metadata else None
        made = formats.gradescope(made, plots, improved)
    elif form == "classroom50":
        made = formats.classroom50(made)
    return json.dumps(made, indent=1) + "\n"


def write(output, text):
    if output is None:
        sys.stdout.write(text)
        return
    pathlib.Path(output).write_text(text, encoding="utf-8")


def contents_of(path, name, file):
    try:
        return record.contents_of(name, file)
    except Trouble as trouble:
        raise Trouble(f"{path}: {trouble}") from trouble


def replay(path):
    """Makes a stored grade again, from the files in its record."""
    old = record.load(path)
    lab = labs.find(old["lab"])
    if old.get("refused"):
        print(f"Lab {lab.number}: nothing was graded, for {old['refused']}")
        return 0
    with tempfile.TemporaryDirectory(prefix="pagealloc-replay-") as folder:
        for name, file in old["files"].items():
            if name not in {each.name for each in lab.files}:
                raise Trouble(f"{path}: {name} is no file of lab {lab.number}")
            (pathlib.Path(folder) / name).write_bytes(contents_of(path, name, file))
        try:
            files = record.take_submission(lab, pathlib.Path(folder))
        except record.NotTaken as fault:
            raise Trouble(f"{path}: {fault}") from fault
        new = record.make(lab, files, old["seed"], old["hidden"], untrusted=True)
    found = record.differences(old, new)
    print(f"Lab {lab.number} with seed {old['seed']}: {new['score']} of {new['max']} points")
    for difference in found:
        print(f"  {difference}")
    if not found:
        print("  the same grade, test by test")
    return 1 if found else 0
