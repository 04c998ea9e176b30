"""A failed test in words: expected, found, likely cause, where to look, how to run just this."""

import re
import subprocess
from dataclasses import dataclass


@dataclass
class Explanation:
    expected: str
    found: str
    cause: str
    look_at: str   # file:line (function)
    again: str     # the command
    evidence: str

    def text(self):
        lines = [f"Expected: {self.expected}", f"Found: {self.found}",
                 f"Likely cause: {self.cause}"]
        if self.look_at:
            lines.append(f"Look at: {self.look_at}")
        lines.append(f"Just this: {self.again}")
        if self.evidence:
            lines.append("")
            lines.append(self.evidence.rstrip())
        return "\n".join(lines)


def definition_of(function, sources):
    """(file, line) where a student's file defines it; sources: name -> text."""
    for name in (function, function.rsplit("::", 1)[-1]):
        pattern = re.compile(rf"(?<![\w:]){re.escape(name)}\(")
        for file, text in sources.items():
            for number, line in enumerate(text.splitlines(), 1):
                # A definition stands at the outer level, and is no declaration.
                if re.match(r"[A-Za-z]", line) and pattern.search(line) and \
                        not line.rstrip().endswith(";"):
                    return file, number
    # Or in a class; there a line that opens a block is one if it begins with a type.
    short = re.escape(function.rsplit("::", 1)[-1])
    for file, text in sources.items():
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(rf"  [\w:<>&* ]+[ &*]{short}\(.*\{{$", line):
                return file, number
    return None


def place_of(function, lab, sources):
    """"ring.cpp/Engine::step" is for a lab where another file has a function of the same name."""
    file, _, name = function.rpartition("/")
    if file in sources:
        function, sources = name, {file: sources[file]}
    found = definition_of(function, sources) if function else None
    if found is None:
        return function
    return f"labs/{lab.name}/{found[0]}:{found[1]} ({function})"


def place_of_frames(frames, program, lab):
    """The innermost place in the student's own files where the program was when it ended."""
    for index, frame in enumerate(frames):
        # Return addresses point behind the call.
        address = frame if index == 0 else frame - 1
        done = subprocess.run(["addr2line", "-f", "-C", "-i", "-e", str(program), hex(address)],
                              capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        for function, place in zip(lines[::2], lines[1::2]):
            file = place.split(" ")[0]
            match = re.search(rf"labs/{lab.name}/([\w.]+):(\d+)$", file)
            if match and match.group(1) in {each.name for each in lab.files}:
                name = re.sub(r"\(.*", "", function).replace("pagealloc::", "")
                return f"labs/{lab.name}/{match.group(1)}:{match.group(2)} (in {name.split()[-1]})"
    return ""


def explain(outcome, lab, sources, program=None):
    """Precondition: outcome.state == "failed"."""
    again = f"./lab check {lab.number} --test {outcome.test.id} --seed {outcome.seed}"
    if outcome.failure is not None:
        failure = outcome.failure
        return Explanation(failure["expected"], failure["found"], failure["cause"],
                           place_of(failure["function"], lab, sources), again,
                           failure["evidence"])
    place = place_of_frames(outcome.frames, program, lab) if outcome.frames and program else ""
    usual = ("an endless loop" if "processor time" in outcome.trouble else
             "a pointer, an index or a life that has ended; with a debugger: gdb --args, see "
             "docs/labs.md" if outcome.frames else
             "the code under test must return to its caller; it may neither end the process nor "
             "write to descriptors that it has not opened")
    printed = outcome.raw.output.strip() if outcome.raw else ""
    evidence = ("it printed:\n" + "\n".join(printed.splitlines()[-8:])) if printed else ""
    return Explanation("the test runs to its end", outcome.trouble, outcome.likely or usual, place,
                       again, evidence)
