#!/usr/bin/env python3
"""What keeps a submission in its place: the sandbox, its scratch folder, and whose symbols are whose.
Needs what ./lab build debug makes."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "labs"))

from course import confined, sandbox, symbols  # noqa: E402
from course.labs import Trouble  # noqa: E402


def run_in_sandbox(script, cpu_s=5):
    """What sandbox.run makes of a shell script; $1 is the descriptor for reports."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "program"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        os.chmod(folder, 0o755)
        return sandbox.run(program, [], 4711, cpu_s, 60)


class Runs(unittest.TestCase):
    def test_words_and_seed_come_on_standard_input_and_the_report_on_its_descriptor(self):
        raw = run_in_sandbox('read a b c; echo "$c" >&2; eval "echo $a $b >&$1"; exit 3')
        self.assertEqual(raw.report.decode().split(), list(raw.words))
        self.assertEqual((raw.output, raw.status, raw.late), ("4711\n", 3, False))

    def test_the_seed_is_in_no_command_line(self):
        raw = run_in_sandbox("read line < /proc/$$/cmdline; echo \"read: $line\"")
        self.assertRegex(raw.output, "read: .*/program")
        self.assertNotIn("4711", raw.output)

    def test_a_status_of_its_own_is_no_missing_sandbox(self):
        self.assertEqual(run_in_sandbox("exit 125").status, 125)

    def test_no_sandbox_is_no_verdict(self):
        with self.assertRaisesRegex(Trouble, "no sandbox: /nowhere/program"):
            sandbox.run("/nowhere/program", [], 1, 5, 60)

    def test_only_so_much_of_the_report_is_kept(self):
        raw = run_in_sandbox("exec >&$1; for i in 1 2 3; do head -c 1000000 /dev/zero; done")
        self.assertEqual(len(raw.report), 0, "head is another process, which is refused")
        raw = run_in_sandbox("printf '%2000000d' 1 >&$1")
        self.assertEqual(len(raw.report), sandbox.REPORT_BYTES)


class Scratch(unittest.TestCase):
    def test_it_goes_away_however_deep_it_is_and_whatever_its_rights_are(self):
        with confined.scratch_folder("pagealloc-test-") as folder:
            here = os.getcwd()
            os.chdir(folder)
            os.mkdir("closed", 0o000)
            for _ in range(2000):
                os.mkdir("d")
                os.chdir("d")
            os.chdir(here)
        self.assertFalse(os.path.exists(folder))


class Symbols(unittest.TestCase):
    """Objects of three small sources: what is replaced, what replaces it, and the rest."""

    def trouble(self, source):
        compiler = shutil.which("g++")
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            for name, text in (("theirs", "int f() { return 1; }\n"), ("own", source),
                               ("rest", "#include <unistd.h>\nint f();\nvoid taken() {}\n"
                                        "int main() { return f() + (int)write(1, 0, 0); }\n")):
                paths[name] = f"{folder}/{name}.o"
                subprocess.run([compiler, "-x", "c++", "-c", "-o", paths[name], "-"], input=text,
                               text=True, check=True)
            return symbols.trouble(paths["own"], paths["theirs"], [paths["rest"]])

    def test_what_the_starter_has_and_own_helpers_are_right(self):
        for source in ("int f() { return 2; }\n",
                       "namespace { int g() { return 2; } }\nint f() { return g(); }\n",
                       "int helper() { return 2; }\nint f() { return helper(); }\n",
                       "#include <string>\n#include <vector>\nint f() { std::vector<std::string> all(3);"
                       " all.emplace_back(\"x\"); return (int)all.size(); }\n"):
            self.assertEqual(self.trouble(source), "", source)

    def test_what_is_missing_is_named(self):
        self.assertIn("is missing, f()", self.trouble(""))
        self.assertIn("is missing, f()", self.trouble("static int f() { return 1; }\n"))

    def test_what_others_define_or_want_is_refused(self):
        f = "int f() { return 2; }\n"
        for name, source in (("taken()", "void taken() {}\n"), ("main", "int main() {}\n"),
                             ("taken()", "[[gnu::weak]] void taken() {}\n"),
                             ("write", 'extern "C" long write(int, const void*, unsigned long) '
                                       "{ return 0; }\n")):
            self.assertIn(f"{name} is defined here", self.trouble(f + source), source)


if __name__ == "__main__":
    unittest.main()
