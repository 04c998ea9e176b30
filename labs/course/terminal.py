"""What a person sees: colour where there is a terminal, plain lines where there is none."""

import os
import shutil
import sys
import textwrap


def is_terminal():
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and \
        "NO_COLOR" not in os.environ


def is_utf8():
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


def paint(text, *styles):
    if not is_terminal():
        return text
    return "".join(f"\x1b[{CODES[style]}m" for style in styles) + text + "\x1b[0m"


SIGNS = {"passed": ("✓", "ok  ", "green"), "failed": ("✗", "FAIL", "red"),
         "not_started": ("○", "    ", "blue"), "blocked": ("·", "-   ", "dim")}


def sign(state):
    fancy, plain, style = SIGNS[state]
    return paint(fancy if is_utf8() else plain, style)


def width():
    return min(100, shutil.get_terminal_size((100, 24)).columns)


def bar(points, most, cells=40):
    filled = cells * points // most if most else 0
    full, empty = ("█", "░") if is_utf8() else ("#", ".")
    style = "green" if points == most else "yellow"
    return paint(full * filled, style) + paint(empty * (cells - filled), "dim") + \
        f"  {points} of {most}"


def labelled(label, text, indent=15):
    """A label in a column of its own and the text beside it."""
    lines = textwrap.wrap(text, max(30, width() - indent), break_long_words=False,
                          break_on_hyphens=False) or [""]
    first = paint(f"{label:<{indent}}", "bold") + lines[0]
    return "\n".join([first, *(" " * indent + line for line in lines[1:])])


def status(text):
    """A line that the next one replaces; on a terminal only."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)


def end_status():
    status("")
