#!/usr/bin/env python3
"""Rules of this repository that no compiler checks.

usage: tidy.py tree ROOT            the source tree: sizes, twins, clauses, words
       tidy.py calls NAME=OBJECT... no object but linux.cpp's makes a system call (needs nm)
"""

import os
import re
import subprocess
import sys

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
IMPLEMENTATIONS = ["impl_pread", "impl_mmap", "impl_direct", "impl_uring"]
# The lesson is `diff -r impl_pread impl_uring`: these two have to agree in every function that both
# need. The other two leave out what they have no use for.
TWINS = ("impl_pread", "impl_uring")
# What only one of them needs: mmap its map, io_uring what its entries are made of.
OWN = {
    "impl_pread": (),
    "impl_mmap": ("Map::make", "Map::~Map", "Engine::page_in_place", "Engine::write",
                  "Engine::sync"),
    "impl_direct": (),
    "impl_uring": ("Engine::Engine", "Engine::~Engine", "Engine::prepare", "Engine::queue",
                   "Engine::fill", "Engine::buffer_of", "Engine::send", "Engine::step_sync"),
}
ONLY_LINUX = re.compile(
    r"^((open(at)?|close|fopen|fdopen|readv?|writev?|preadv?2?|pwritev?2?|lseek|fsync|fdatasync|"
    r"sync|syncfs|sync_file_range|ftruncate|truncate|fallocate|posix_fallocate|posix_fadvise|mmap|"
    r"munmap|mremap|madvise|msync|mincore|ioctl|fcntl|flock|statx|f?stat|lstat|fstatat|readlink|"
    r"syscall|unlink(at)?|rename(at2?)?|link|symlink|mkdir|rmdir|getrlimit|setrlimit|sigaction|"
    r"signal|(clock_)?nanosleep|u?sleep|pthread_create|io_uring_\w+)(64)?)(@.*)?$")
# What the C++ library makes of them: std::filesystem but for its paths, and file streams.
ONLY_LINUX_CXX = re.compile(
    r"^_ZN?K?St(10filesystem(?!7__cxx11)|\d+basic_([io]?fstream|filebuf))")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def sources(root, endings):
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed
            if name.endswith(endings) and os.path.exists(os.path.join(root, name))]


def check_sizes(root):
    for name in sources(root, (".h", ".cpp", ".py", ".sh")):
        lines = read(os.path.join(root, name)).splitlines()
        if len(lines) > FILE_LINES_MAX:
            yield f"{name}: {len(lines)} lines, at most {FILE_LINES_MAX}"
        if name.endswith((".h", ".cpp")):
            yield from check_functions(name, lines)


def check_functions(name, lines):
    """A function is a statement, at the outer level or a class's, that opens a block."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and line.endswith("{"):
            first = number  # of the statement: a long signature stands on several lines
            while first > 1 and re.search(r"[^\s;{}:>]\s*$", lines[first - 2].split("//")[0]):
                first -= 1
            opens = re.match(r"^( ?| {2})(?!namespace|class|struct|enum|union|extern|using|#|/)\S",
                             lines[first - 1])
            if opens and "(" in "".join(lines[first - 1:number]):
                start, indent = first, opens.group(1)
        if start and re.match(rf"^{indent}\}}", line):
            if number - start + 1 > FUNCTION_LINES_MAX:
                yield f"{name}:{start}: a function of {number - start + 1} lines"
            start = None


def functions_of(path):
    """Names of the functions defined at the outer level, in order."""
    found = []
    for line in read(path).splitlines():
        match = re.match(r"^[A-Za-z]", line) and re.search(r"([\w:~]+)\(", line)
        if match and not line.startswith(("static_assert", "return", "using")):
            found.append(match.group(1))
    return found


def check_twins(root):
    files = {impl: sorted(os.listdir(os.path.join(root, impl))) for impl in IMPLEMENTATIONS}
    for impl in IMPLEMENTATIONS:
        if files[impl] != files[TWINS[0]]:
            yield f"{impl} has the files {files[impl]}, {TWINS[0]} has {files[TWINS[0]]}"
    # What stands before open() is an implementation's own business: its helpers.
    public = {}
    for impl in IMPLEMENTATIONS:
        names = functions_of(os.path.join(root, impl, "engine.cpp"))
        public[impl] = [name for name in names[names.index("open"):] if name not in OWN[impl]]
    if public[TWINS[0]] != public[TWINS[1]]:
        yield f"{TWINS[0]} has {public[TWINS[0]]}, {TWINS[1]} has {public[TWINS[1]]}"
    for impl in IMPLEMENTATIONS:
        rest = iter(public[TWINS[0]])
        if not all(name in rest for name in public[impl]):
            yield f"{impl}/engine.cpp: {public[impl]} is not in the order of {public[TWINS[0]]}"
        for name in ("open", "Engine::make", "Engine::another", "Engine::begin"):
            if name not in public[impl]:
                yield f"{impl}/engine.cpp lacks {name}"


def check_contract(root):
    text = read(os.path.join(root, "pagealloc", "CONTRACT.md"))
    suite = "".join(read(os.path.join(root, name)) for name in sources(root, "_test.cpp"))
    defined = set(re.findall(r"TEST_P\(Contract, (C\d\d_\w+)\)", suite))
    named = set(re.findall(r"`(C\d\d_\w+)`", text))
    clauses = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    if clauses != list(range(1, 19)):
        yield f"CONTRACT.md numbers its clauses {clauses}"
    for clause in clauses:
        if not any(name.startswith(f"C{clause:02}_") for name in defined):
            yield f"clause {clause} has no test"
    for name in sorted(named - defined):
        yield f"CONTRACT.md names {name}, which does not exist"
    for name in sorted(defined - named):
        yield f"CONTRACT.md does not name {name}"


def check_words(root):
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    for name in sources(root, (".h", ".cpp", ".py", ".sh", ".md", "CMakeLists.txt")):
        for number, line in enumerate(read(os.path.join(root, name)).splitlines(), 1):
            if unfinished.search(line):
                yield f"{name}:{number}: left unfinished: {line.strip()}"
            if name.endswith((".h", ".cpp")) and len(line) > 100:
                yield f"{name}:{number}: {len(line)} columns"


def check_dependencies(root):
    """Includes point downward: nobody below knows who is above."""
    for name in sources(root, (".h", ".cpp")):
        for target in re.findall(r'^#include "(\S+)"', read(os.path.join(root, name)), re.MULTILINE):
            top, below = name.split("/")[0], target.split("/")[0]
            knows = top in (below, "labs") or name == "pagealloc/open.cpp"
            if below.startswith("impl_") and not knows:
                yield f"{name} includes {target}: only open.cpp knows the implementations"
            if below in ("harness", "labs") and top not in ("harness", "labs"):
                yield f"{name} includes {target}"
            if top.startswith("impl_") and "conformance" in target:
                yield f"{name} includes {target}"


def check_calls(objects):
    for item in objects:
        name, path = item.split("=", 1)
        # From the archive or the object: "U name" is what a member asks others for.
        listing = subprocess.run(["nm", "--undefined-only", path], capture_output=True, text=True,
                                 check=True).stdout
        member = os.path.basename(path)
        for line in listing.splitlines():
            if line.endswith(":"):
                member = line[:-1]
            words = line.split()
            if len(words) != 2 or words[0] != "U" or member.startswith("linux.cpp"):
                continue
            # The headers of CLI11 can read a file of options, which no command here offers.
            hidden = name != "cli" and ONLY_LINUX_CXX.match(words[1])
            if ONLY_LINUX.match(words[1]) or hidden:
                yield f"{name}: {member} calls {words[1]}; only os/linux.cpp may"


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "tree":
        root = arguments[1]
        faults = [fault for check in (check_sizes, check_twins, check_contract, check_words,
                                      check_dependencies) for fault in check(root)]
    elif len(arguments) >= 2 and arguments[0] == "calls":
        faults = list(check_calls(arguments[1:]))
    else:
        sys.exit(__doc__)
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(f"tidy: {len(faults)} faults")
    print("tidy: nothing to complain of")


if __name__ == "__main__":
    main(sys.argv[1:])
