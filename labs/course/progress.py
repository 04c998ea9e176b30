"""What a student has reached so far: .lab/progress.json in the repository, for this machine only."""

import json
import os

from course.labs import ROOT

FOLDER = ROOT / ".lab"
FILE = FOLDER / "progress.json"


def load():
    try:
        with open(FILE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


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


def passed(lab):
    return of(lab).get("best", 0) >= lab.points
