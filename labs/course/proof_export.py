"""A student's repository with nothing given: it builds by itself, grades itself to 0, and has no
reference anywhere. `./lab proof` makes one and looks."""

import json
import pathlib
import subprocess
import tempfile

from course import export, labs


def run(folder, *command):
    """Its standard output; what it has said instead if it fails is the fault."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise labs.Trouble(f"in an export, {' '.join(command)} failed:\n"
                           f"{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def history_faults(folder, missing):
    """What its git knows beside the one commit, and of the files that must not be there."""
    faults = []
    commits = run(folder, "git", "rev-list", "--all", "--reflog").split()
    if len(commits) != 1:
        faults.append(f"an export has {len(commits)} commits, not one")
    listed = set(run(folder, "git", "log", "--all", "--name-only", "--format=").split("\n"))
    faults += [f"an export's history has {name}" for name in sorted(missing & listed)]
    for name in ("git remote", "git stash list", "git status --porcelain"):
        if said := run(folder, *name.split()).strip():
            faults.append(f"in an export, {name} says {said}")
    return faults


def grade_faults(folder, lab):
    record = folder.parent / "record.json"
    run(folder, "./lab", "grade", lab.number, "--json", "-o", str(record))
    made = json.loads(record.read_text(encoding="utf-8"))
    faults = []
    if made["compile_error"]:
        faults.append(f"in an export, the starter of lab {lab.number} does not compile: "
                      f"{made['compile_error']}")
    if made["warnings"]:
        faults.append(f"in an export, the starter of lab {lab.number} compiles with warnings: "
                      f"{made['warnings']}")
    if made["score"] != 0 or made["max"] != lab.points:
        faults.append(f"in an export, the starter of lab {lab.number} gets {made['score']} of "
                      f"{made['max']}")
    states = {test["id"]: test["state"] for test in made["tests"]}
    if set(states) != {test.id for test in lab.tests}:
        faults.append(f"in an export, lab {lab.number} has the tests {' '.join(states)}")
    faults += [f"in an export, the starter's {lab.number} {test_id} is {state}"
               for test_id, state in states.items() if state not in ("not_started", "blocked")]
    return faults


def faults_of_all():
    """What is wrong with an export; it builds the engine once more, which takes minutes."""
    missing = export.missing_references(set())
    with tempfile.TemporaryDirectory(prefix="pagealloc-export-") as scratch:
        folder = pathlib.Path(scratch) / "student"
        folder.mkdir()
        try:
            export.fill(folder, set())
            export.begin_history(folder)
            faults = [fault for lab in labs.all_labs() for fault in grade_faults(folder, lab)]
            faults += history_faults(folder, missing)
        except labs.Trouble as trouble:
            return [str(trouble)]
        faults += [f"an export has {name}" for name in sorted(missing) if (folder / name).exists()]
    return faults
