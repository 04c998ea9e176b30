"""What a student has reached so far: .lab/progress.json in the repository, for this machine only."""

import json
import os

from course.labs import ROOT, Trouble, read_json

FOLDER = ROOT / ".lab"
FILE = FOLDER / "progress.json"


KINDS = {"points": int, "best": int, "passed_tests": list, "hints": dict}


def load():
    """lab's name -> what is known of it. Trouble if it cannot be read: nobody writes over it then."""
    try:
        progress = read_json(FILE)
    except FileNotFoundError:
        return {}
    except Trouble as trouble:
        raise Trouble(f"{trouble}; mend it, or move it away to begin anew") from trouble
    if not isinstance(progress, dict) or not all(map(is_whole, progress.values())):
        raise Trouble(f"{FILE} has another form than ./lab gives it; mend it, or move it away to begin "
                      "anew")
    return progress


def is_whole(lab):
    """What stands there of one lab is what this program has written."""
    return isinstance(lab, dict) and \
        all(isinstance(lab.get(key, kind()), kind) for key, kind in KINDS.items()) and \
        all(isinstance(test, str) for test in lab.get("passed_tests", ())) and \
        all(isinstance(count, int) for count in lab.get("hints", {}).values())


def check():
    """Trouble now, and not after minutes of tests, if it can be neither read nor written."""
    load()
    FOLDER.mkdir(exist_ok=True)
    if not os.access(FOLDER, os.W_OK):
        raise Trouble(f"{FOLDER} is not to be written to: what you reach could not be kept")


def save(progress):
    """Whole or not at all: a Ctrl-C in the middle must not lose a term's work."""
    FOLDER.mkdir(exist_ok=True)
    new = FILE.with_suffix(".new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(progress, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, FILE)


def of(lab):
    return load().get(lab.name, {})


def update(lab, **changes):
    progress = load()
    progress.setdefault(lab.name, {}).update(changes)
    save(progress)


def note_score(lab, points):
    """Remembers the last score and the best."""
    before = of(lab)
    update(lab, points=points, best=max(points, before.get("best", 0)))


def forget(lab):
    """As if nothing had been checked yet. The best stays: what was passed once may be revealed."""
    progress = load()
    for key in ("points", "passed_tests"):
        progress.get(lab.name, {}).pop(key, None)
    save(progress)


def passed(lab):
    return of(lab).get("best", 0) >= lab.points
