"""What an object defines: a student's must stand in for the one that it replaces, and for nothing else.

The linker takes from the libraries whatever the objects before them do not define, without a word. So
a file without a function would be graded on the reference, where that is in the library, and a file
with a function of the grader's, or of the C library, would be asked instead of that.
"""

import functools
import json
import os
import shlex
import subprocess
from dataclasses import dataclass

from course.labs import ROOT, Trouble


@dataclass(frozen=True)
class Symbols:
    strong: frozenset     # defined, once in a program
    weak: frozenset       # defined, where the compiler has to repeat them: inline functions, templates
    undefined: frozenset  # wanted from elsewhere

    @property
    def defined(self):
        return self.strong | self.weak


@functools.lru_cache(maxsize=64)
def symbols_at(paths, _changed):
    done = subprocess.run(["nm", "--extern-only", "--portability", *paths], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"nm cannot read what was compiled: {done.stderr.strip()[:500]}")
    kinds = {}
    for line in done.stdout.splitlines():
        words = line.split(" ")
        if len(words) >= 2 and len(words[1]) == 1:  # other lines name files
            kinds.setdefault("weak" if words[1] in "VWu" else
                             "undefined" if words[1] in "Uvw" else "strong", set()).add(words[0])
    return Symbols(*(frozenset(kinds.get(kind, ())) for kind in ("strong", "weak", "undefined")))


def symbols_of(*paths):
    paths = tuple(str(path) for path in paths)
    return symbols_at(paths, tuple(os.stat(path).st_mtime_ns for path in paths))


def object_of(sources, folder):
    """The library's object of the first of these sources that it is made of; None: of none."""
    with open(folder / "compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    for source in sources:
        for entry in entries:
            if entry["file"] != str(source):
                continue
            words = shlex.split(entry["command"])
            path = folder / words[words.index("-o") + 1]
            if path.exists():
                return path
    return None


def plain(names):
    """As C++ writes them."""
    done = subprocess.run(["c++filt", *sorted(names)], capture_output=True, text=True, check=True)
    return " and ".join(done.stdout.splitlines())


def trouble(own, replaced, linked):
    """What is wrong with an object in the place of another; empty: nothing. `linked` are the objects
    and libraries that it will be linked with."""
    mine, theirs, others = symbols_of(own), symbols_of(replaced), symbols_of(*linked)
    missing = theirs.strong - mine.defined
    if missing:
        return (f"a function of the starter is missing, {plain(missing)}: your files must define "
                "exactly the functions that the starter has")
    taken = (mine.defined - theirs.defined) & (others.strong | others.undefined)
    if taken:
        return (f"{plain(taken)} is defined here, but not in the starter: the rest of the program has "
                "it already, or would take yours for another's. Give a function of your own another "
                "name, or put it into the unnamed namespace")
    return ""
