"""Starters: a reference without what is between LAB:BEGIN and LAB:END.

    // LAB:BEGIN 2 move_all(file, op, move)
    ...
    // LAB:END

becomes

    // Task 2.
    labs::not_started("move_all", file, op, move);

The names in parentheses are those that nothing else would use.
"""

import re

from course.labs import Trouble

BEGIN = re.compile(r"^( *)// LAB:BEGIN (\d+) ([\w:~]+)\((.*)\)$")
END = re.compile(r"^ *// LAB:END$")
INCLUDE = '#include "labs/not_started.h"\n'
COLUMNS = 100


def call_of(indent, function, names):
    """The line, or the lines as clang-format breaks them."""
    arguments = ", ".join([f'"{function}"', *names])
    one = f"{indent}labs::not_started({arguments});"
    if len(one) <= COLUMNS:
        return one + "\n"
    raise Trouble(f"the starter's line for {function} is too long: {one}")


def starter_of(reference, path):
    """The text of a starter."""
    lines, inside, regions = [], False, 0
    for number, line in enumerate(reference.splitlines(keepends=True), 1):
        begin = BEGIN.match(line.rstrip("\n"))
        if begin and not inside:
            indent, task, function, names = begin.groups()
            lines.append(f"{indent}// Task {task}.\n")
            lines.append(call_of(indent, function, [n.strip() for n in names.split(",") if n]))
            inside, regions = True, regions + 1
        elif END.match(line.rstrip("\n")) and inside:
            inside = False
        elif "LAB:" in line:
            raise Trouble(f"{path}:{number}: a mark that nobody understands: {line.strip()}")
        elif not inside:
            lines.append(line)
    if inside or regions == 0:
        raise Trouble(f"{path}: {'a region without an end' if inside else 'no region'}")
    return with_include("".join(lines), path)


def with_include(text, path):
    """Among the project's own includes, in order."""
    own = [match for match in re.finditer(r'^#include "(.*)"\n', text, re.M)]
    if not own:
        raise Trouble(f"{path}: no include of the project's own to put another one beside")
    for match in own:
        if match.group(1) > "labs/not_started.h" and match is not own_header(own, path):
            return text[:match.start()] + INCLUDE + text[match.start():]
    return text[:own[-1].end()] + INCLUDE + text[own[-1].end():]


def own_header(own, path):
    """The header of this very file stands alone at the top."""
    wanted = str(path).replace(".cpp", ".h")
    return own[0] if own[0].group(1) == wanted else None


def plain(reference):
    """The reference as a person reads it: without the marks."""
    return "".join(line for line in reference.splitlines(keepends=True)
                   if not BEGIN.match(line.rstrip("\n")) and not END.match(line.rstrip("\n")))
