"""What an object defines: a student's must stand in for the one that it replaces, and for nothing else.

The linker takes from the libraries whatever the objects before them do not define, without a word. So
a file without a function would be graded on the reference, where that is in the library, and a file
with a function of the grader's, or of the C library, would be asked instead of that.

The grader's own functions are in the same program, and among them is the one that says that a test
has passed: an object may not want them either, nor run before the grader has begun.
"""

import functools
import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass

from course.labs import ROOT, Trouble

GRADER = "9pagealloc4labs"  # its namespace, as symbols have it
# Functions that are called before those that constructors' default priority is for.
EARLY = re.compile(r"\s(\.(?:preinit_array|init_array\.|ctors|init\b)\S*)\s")
# Names that belong to the compiler and to the C library, which calls some of them at its start; and
# what a compiler itself puts into an object.
RESERVED, COMPILERS = re.compile(r"_(?!Z)"), {"__clang_call_terminate"}


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


def runs_early(path):
    """What in this object the C library would call before the grader has begun; empty: nothing."""
    done = subprocess.run(["readelf", "--sections", "--symbols", "--wide", path], text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"readelf cannot read what was compiled: {done.stderr.strip()[:500]}")
    match = EARLY.search(done.stdout)
    return match.group(1) if match else "an ifunc" if " IFUNC " in done.stdout else ""


def of_grader(linked):
    """The functions of the grader and of its tests."""
    own = [path for path in linked if path.endswith((".o", "liblabs_grader.a"))]
    return {name for name in symbols_of(*own).strong if GRADER in name}


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
    early = runs_early(own)
    if early:
        return (f"something in it runs before all initializers ({early}): a solution needs neither a "
                "priority nor a section of its own")
    asked = (mine.undefined - theirs.undefined - theirs.defined) & of_grader(linked)
    if asked:
        return f"{plain(asked)} is the grader's: a solution does not call it"
    taken = (mine.defined - theirs.defined) & (others.strong | others.undefined) | \
        (mine.strong - theirs.defined) & others.weak | \
        {name for name in mine.defined - theirs.defined - COMPILERS if RESERVED.match(name)}
    if taken:
        return (f"{plain(taken)} is defined here, but not in the starter: the rest of the program has "
                "it already, or would take yours for another's. Give a function of your own another "
                "name, or put it into the unnamed namespace")
    return ""
