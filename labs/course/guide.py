"""What leads a student on: next, hint, show, predict, reset, reveal."""

import json
import math
import re

from course import check, labs, progress, starter, terminal
from course.labs import ROOT, Trouble

TIERS = ("nudge", "invariant", "almost code")


def summary(lab):
    """(state for people, best points)."""
    best = progress.of(lab).get("best")
    if best is None:
        return ("given" if lab.number in labs.given() else "not begun"), 0
    return ("passed" if best >= lab.points else f"{best} of {lab.points}"), best


def show_all():
    print(f"{terminal.paint('The labs', 'bold')}\n")
    for lab in labs.all_labs():
        state, best = summary(lab)
        print(f"  {lab.number}  {lab.title:<22}{terminal.bar(best, lab.points, 20)}   {state}")
    print("\n./lab next says what to do now, ./lab show NN what is in a lab.")
    return 0


def show(lab):
    state, _ = summary(lab)
    print(f"{terminal.paint(f'Lab {lab.number}  {lab.title}', 'bold')}   {state}\n")
    print(f"  Handout   labs/{lab.name}/README.md")
    print("  You write " + ", ".join(f"labs/{lab.name}/{file.name}" for file in lab.files))
    if lab.needs:
        print("  Builds on " + ", ".join(f"lab {number}" for number in lab.needs))
    hints = progress.of(lab).get("hints", {})
    for task in lab.tasks:
        tests = [test for test in lab.tests if test.task == task.number]
        used = hints.get(str(task.number), 0)
        seen = f"   {used} of 3 hints read" if used else ""
        print(f"\n  {terminal.paint(f'Task {task.number}', 'bold')}  {task.what}{seen}")
        print(f"          {', '.join(task.functions)}")
        for test in tests:
            after = f"   after {' '.join(test.after)}" if test.after else ""
            print(f"    {test.id:<5} {test.name}  ({test.points}){after}")
    return 0


def first_open():
    """The first lab that is neither passed nor given; None: there is none."""
    given = labs.given()
    return next((lab for lab in labs.all_labs()
                 if not progress.passed(lab) and lab.number not in given), None)


def next_step():
    lab = first_open()
    if lab is None:
        show_all()
        print("\nThat was all of it.")
        return 0
    record = progress.of(lab)
    begun = record.get("points", 0) > 0
    print(terminal.paint(f"Lab {lab.number}  {lab.title}", "bold"))
    if not begun:
        steps = [f"read labs/{lab.name}/README.md"]
        if any(question["id"] not in predictions_of(lab) for question in lab.predictions):
            steps.append(f"./lab predict {lab.number}    write down what you expect, first")
        task = lab.tasks[0]
        steps.append(f"task 1: {task.what} ({task.functions[0]} in labs/{lab.name}/"
                     f"{file_of(lab, task.functions[0])})")
        steps.append(f"./lab check {lab.number}      as often as you like")
        for number, step in enumerate(steps, 1):
            print(f"  {number}. {step}")
        return 0
    print(f"  {terminal.bar(record.get('points', 0), lab.points)}\n")
    print(f"./lab check {lab.number} shows what is missing and what to do about it.")
    return 0


def file_of(lab, function):
    """Which of the lab's files has it."""
    from course.explain import definition_of
    found = definition_of(function, check.sources_of(check.student_files(lab)))
    return found[0] if found else lab.files[0].name


# --- Hints --------------------------------------------------------------------------------------


def hints_of(lab):
    """task -> its three hints."""
    text = (lab.folder / "hints.md").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^## Task ", text, flags=re.M)[1:]:
        number = int(re.match(r"\d+", part).group())
        found[number] = [hint.strip() for hint in re.split(r"^\d\. ", part, flags=re.M)[1:]]
    return found


def task_to_hint(lab):
    """Where the student is: the first task whose tests have not all passed, in the last check; None:
    all have."""
    passed = set(progress.of(lab).get("passed_tests", ()))
    for task in lab.tasks:
        if any(test.id not in passed for test in lab.tests if test.task == task.number):
            return task.number
    return None


def hint(lab, task_number, again):
    number = task_number or task_to_hint(lab)
    if number is None:
        print(f"Lab {lab.number} is passed; ./lab hint {lab.number} TASK shows a task's hints all the "
              "same.")
        return 0
    task = lab.task(number)
    hints = hints_of(lab)[number]
    used = progress.of(lab).get("hints", {})
    before = used.get(str(number), 0)
    count = max(1, before) if again else min(before + 1, len(hints))
    print(terminal.paint(f"Lab {lab.number}, task {number}: {task.what}", "bold"))
    for index, text in enumerate(hints[:count]):
        if index < count - 1 and not again:
            continue
        print(f"\n{index + 1} of {len(hints)}, {TIERS[index]}")
        print(re.sub(r"^\*\*.*?\*\* ", "", re.sub(r"\n +", "\n", text)))
    if count < len(hints):
        print(f"\nThe next one says more: ./lab hint {lab.number} {number}")
    elif not again:
        print(f"\nThat was the last. All again: ./lab hint {lab.number} {number} --again")
    used[str(number)] = count
    progress.update(lab, hints=used)
    return 0


# --- Predictions --------------------------------------------------------------------------------


def predictions_file(lab):
    return lab.folder / "predictions.json"


def predictions_of(lab):
    """id -> number, and under "before" what was said before that."""
    try:
        answers = labs.read_json(predictions_file(lab))
    except FileNotFoundError:
        return {}
    if not is_answers(answers):
        raise Trouble(f"{predictions_file(lab)} has another form than ./lab predict gives it: "
                      '{"P1": 12, "P2": 0.5}')
    return answers


def is_answers(answers):
    if not isinstance(answers, dict):
        return False
    before = answers.get("before", {})
    return isinstance(before, dict) and all(isinstance(said, list) for said in before.values()) and \
        all(type(number) in (int, float) and abs(number) < 1e300
            for name, number in answers.items() if name != "before")


def predict(lab, again=None):
    """Asks what is not answered yet, and `again` once more. Once the lab is passed, it tells what came
    out."""
    if not lab.predictions:
        print(f"Lab {lab.number} asks for no predictions.")
        return 0
    if again is not None and again not in {question["id"] for question in lab.predictions}:
        raise Trouble(f"lab {lab.number} has no prediction {again} "
                      f"({lab.predictions[0]['id']} to {lab.predictions[-1]['id']})")
    answers = predictions_of(lab)
    passed = progress.passed(lab)
    for question in lab.predictions:
        name = question["id"]
        if name not in answers or name == again:
            number = ask(question)
            if number is None:
                return 0
            if name in answers:  # what was said first is not forgotten
                answers.setdefault("before", {}).setdefault(name, []).append(answers[name])
            answers[name] = number
            predictions_file(lab).write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
        else:
            print(f"{terminal.paint(name, 'bold')}  {question['question']}")
            print(f"    you said: {answers[name]:g} {question['unit']}")
        if passed and "found" in question:
            print(terminal.labelled("    came out", question["found"]))
    print(f"\nThey stand in labs/{lab.name}/predictions.json; ./lab predict {lab.number} "
          f"{lab.predictions[0]['id']} asks one again.")
    if not passed:
        print(f"When lab {lab.number} is passed, ./lab predict {lab.number} tells what came out.")
    return 0


def ask(question):
    """A number; None: there is nobody who answers."""
    print(f"{terminal.paint(question['id'], 'bold')}  {question['question']}")
    while True:
        try:
            number = parse_number(input(f"    {question['unit']}: ").strip())
        except EOFError:
            print()
            return None
        if number is not None:
            return number
        print("    a number, please, such as 12 or 0.5")


def parse_number(text):
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# --- Beginning again, and the end ---------------------------------------------------------------


def starter_text(lab, file):
    """From the reference where it is there, else the starter that the repository began with."""
    reference = ROOT / file.reference
    if reference.exists():
        return starter.starter_of(reference.read_text(encoding="utf-8"), file.reference)
    kept = lab.folder / "starter" / file.name
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    raise Trouble(f"neither {file.reference} nor labs/{lab.name}/starter/{file.name} is here")


def reset(lab, sure):
    """Puts the starter back; what was there is kept beside it."""
    if not sure:
        raise Trouble(f"this puts the starter of lab {lab.number} in place of your files (they are "
                      f"kept in .lab/): ./lab reset {lab.number} --yes")
    starters = {file.name: starter_text(lab, file) for file in lab.files}  # or an error, before all
    progress.check()
    saved = progress.FOLDER / "saved" / lab.name
    number = 1
    while (saved / str(number)).exists():
        number += 1
    for name, text in starters.items():
        path = lab.folder / name
        if path.exists():
            (saved / str(number)).mkdir(parents=True, exist_ok=True)
            (saved / str(number) / name).write_bytes(path.read_bytes())
        path.write_text(text, encoding="utf-8")
        print(f"labs/{lab.name}/{name}: the starter")
    progress.forget(lab)
    if (saved / str(number)).exists():
        print(f"What you had is in .lab/saved/{lab.name}/{number}.")
    return 0


def reveal(lab):
    """The reference, to those who have no need of it any more."""
    if not progress.passed(lab):
        _, best = summary(lab)
        raise Trouble(f"first all {lab.points} points of lab {lab.number} (the best was {best}); "
                      f"./lab hint {lab.number} helps")
    for file in lab.files:
        path = ROOT / file.reference
        if not path.exists():
            raise Trouble(f"not available here: this repository was made without {file.reference}; "
                          "whoever teaches the course has it")
        print(terminal.paint(f"// {file.reference}", "bold"))
        print(starter.plain(path.read_text(encoding="utf-8")))
    return 0
