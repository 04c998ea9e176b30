#!/usr/bin/env python3
"""What keeps a submission in its place: the sandbox, its scratch folder, and whose symbols are whose.
Needs what ./lab build debug makes."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

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

    def test_what_interrupts_us_ends_it(self):
        begun = []

        def interrupted(process, *_):
            begun.append(process)
            raise KeyboardInterrupt
        with mock.patch.object(sandbox, "watch", interrupted), self.assertRaises(KeyboardInterrupt):
            run_in_sandbox("while :; do :; done", 600)
        self.assertEqual(begun[0].returncode, -signal.SIGKILL)

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
            os.mkdir("closed")
            pathlib.Path("closed/file").touch()
            os.chmod("closed", 0o000)
            for _ in range(2000):
                os.mkdir("d")
                os.chdir("d")
            os.chdir(here)
        self.assertFalse(os.path.exists(folder))


class Symbols(unittest.TestCase):
    """Objects of three small sources: what is replaced, what replaces it, and the rest."""

    def trouble(self, source):
        """`rest` is one of the tests, too, and has a function of the grader's."""
        compiler = shutil.which("g++")
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            for name, text in (("theirs", "int f() { return 1; }\n"), ("own", source),
                               ("rest", "#include <unistd.h>\nint f();\nvoid taken() {}\n"
                                        "inline int twice(int n) { return 2 * n; }\n"
                               "namespace pagealloc::labs { void pass() {} }\n"
                               "int main() { return twice(f()) + (int)write(1, 0, 0); }\n")):
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

    def test_an_inline_function_of_the_tests_cannot_be_another(self):
        f = "int f() { return 2; }\n"
        self.assertIn("twice(int) is defined here", self.trouble(f + "int twice(int) { return 0; }\n"))
        same = "inline int twice(int n) { return 2 * n; }\nint f() { return twice(1); }\n"
        self.assertEqual(self.trouble(same), "", "as every header has it")

    def test_the_grader_is_not_called(self):
        source = "namespace pagealloc::labs { void pass(); }\nint f() { pagealloc::labs::pass(); return 2; }\n"
        self.assertIn("pagealloc::labs::pass() is the grader's", self.trouble(source))

    def test_what_would_run_before_the_grader_is_refused(self):
        f = "int f() { return 2; }\nvoid g() {}\n"
        for early in ("[[gnu::constructor(101)]] void h() {}", "[[gnu::constructor(65000)]] void h() {}",
                      '[[gnu::section(".preinit_array"), gnu::used]] void (*const h)() = g;',
                      '[[gnu::section(".init")]] void h() {}',
                      'using t = void(); extern "C" t* pick() { return g; }\n'
                      'void h() __attribute__((ifunc("pick")));'):
            self.assertIn("runs before all initializers", self.trouble(f + early), early)
        for late in ("[[gnu::constructor]] void h() {}", "int h = f();", "thread_local int h = f();",
                     "static const struct S { S() { f(); } ~S() { f(); } } h;"):
            self.assertEqual(self.trouble(f + late), "", late)

    def test_names_that_begin_with_a_line_are_the_systems(self):
        for name in ("__gmon_start__", "_init", "_start"):
            self.assertIn(f"{name} is defined here",
                          self.trouble(f'int f() {{ return 2; }}\nextern "C" void {name}() {{}}\n'))


if __name__ == "__main__":
    unittest.main()
