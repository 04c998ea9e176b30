#!/usr/bin/env python3
"""What the course's commands are made of: starters, verdicts, formats, exports."""

import contextlib
import dataclasses
import io
import json
import pathlib
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree as xml
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "labs"))

import jsonschema  # noqa: E402

from course import (bench, build, check, explain, export, formats, guide, labs, progress,  # noqa: E402
                    record, run, sandbox, starter)
from course.labs import Trouble  # noqa: E402

REFERENCE = '''#include "pagealloc/x.h"

int f(int a) {
  // LAB:BEGIN 2 f(a)
  return a;
  // LAB:END
}
'''


class Starters(unittest.TestCase):
    def test_a_region_becomes_a_call(self):
        text = starter.starter_of(REFERENCE, "pagealloc/x.cpp")
        self.assertIn('  // Task 2.\n  labs::not_started("f", a);\n}', text)
        self.assertNotIn("return a", text)
        self.assertIn('#include "labs/not_started.h"\n', text)
        self.assertNotIn("LAB:", text)

    def test_broken_marks_are_refused(self):
        for broken in (REFERENCE.replace("  // LAB:END\n", ""),
                       REFERENCE.replace("LAB:BEGIN 2 f(a)", "LAB:BEGIN f"),
                       REFERENCE.replace("  // LAB:BEGIN 2 f(a)\n", ""),
                       REFERENCE.replace("  return a;", "  // LAB:BEGIN 2 f(a)\n  return a;")):
            with self.assertRaises(Trouble):
                starter.starter_of(broken, "pagealloc/x.cpp")

    def test_the_reference_is_read_without_marks(self):
        self.assertNotIn("LAB", starter.plain(REFERENCE))
        self.assertIn("return a", starter.plain(REFERENCE))

    def test_committed_starters_are_those_of_the_references(self):
        for lab in labs.all_labs():
            for file in lab.files:
                reference = (ROOT / file.reference).read_text(encoding="utf-8")
                self.assertEqual(starter.starter_of(reference, file.reference),
                                 (lab.folder / file.name).read_text(encoding="utf-8"),
                                 f"{lab.name}/{file.name}: run ./lab starters")


TEST = labs.Test("1.1", "a test", 5, 1, (), 3, 1)
WORDS = ("begin-word", "end-word")


def raw(lines, status=0, **more):
    report = "".join(json.dumps(line) + "\n" for line in lines)
    return sandbox.Raw(words=WORDS, report=report.encode(), status=status, cpu_limit_s=2, **more)


BEGIN = {"begin": WORDS[0], "id": "1.1", "seed": 7}
END = {"end": WORDS[1], "checks": 3, "failure": None}


class Verdicts(unittest.TestCase):
    """Nothing but a whole and true report is a pass."""

    def state(self, lines, status=0, **more):
        return run.judge(raw(lines, status, **more), TEST, 7).state

    def test_a_whole_report_passes(self):
        self.assertEqual(self.state([BEGIN, END]), "passed")

    def test_everything_else_does_not(self):
        for lines in ([], [END], [BEGIN], [BEGIN, END, END],
                      [BEGIN | {"begin": "guess"}, END], [BEGIN, END | {"end": "guess"}],
                      [BEGIN, {"checks": 3, "failure": None}], [BEGIN | {"id": "1.2"}, END],
                      [BEGIN | {"seed": 8}, END], [BEGIN, END | {"checks": 2}],
                      [BEGIN, END | {"checks": 4}],
                      [BEGIN, {"checks": 3, "failure": None, "end": ""}, END]):
            self.assertEqual(self.state(lines), "failed", lines)
        for status in (1, 2, 134, -11, -9, -24):
            self.assertEqual(self.state([BEGIN, END], status), "failed", status)
        self.assertEqual(self.state([BEGIN, END], late=True), "failed")
        spoiled = raw([BEGIN, END])
        spoiled.report = b"junk\n" + spoiled.report
        self.assertEqual(run.judge(spoiled, TEST, 7).state, "failed")

    def test_a_failure_is_told_in_its_own_words(self):
        failure = {"expected": "a", "found": "b", "cause": "c", "function": "f", "evidence": ""}
        outcome = run.judge(raw([BEGIN, END | {"failure": failure}]), TEST, 7)
        self.assertEqual((outcome.state, outcome.failure), ("failed", failure))

    def test_lines_that_the_grader_does_not_write_spoil_the_report(self):
        signal = {"signal": 11, "frames": [1, 2]}
        self.assertEqual(run.judge(raw([BEGIN, signal], -11), TEST, 7).frames, (1, 2))
        failure = {"expected": "a", "found": "b", "cause": "c", "function": "f", "evidence": ""}
        for line in (signal | {"frames": 5}, signal | {"frames": ["x"]}, signal | {"frames": [True]},
                     signal | {"frames": [1] * 41}, {"trouble": 1}, {"other": 1}, [], 1,
                     END | {"checks": "3"}, END | {"failure": "x"},
                     END | {"failure": failure | {"found": 1}},
                     END | {"failure": {"expected": "a"}}):
            outcome = run.judge(raw([BEGIN, line, END]), TEST, 7)
            self.assertEqual((outcome.state, outcome.frames), ("failed", ()), line)
        deep = raw([BEGIN])
        deep.report += b"[" * 100000 + b"\n"
        self.assertEqual(run.judge(deep, TEST, 7).state, "failed")
        self.assertIn("signal 35", run.judge(raw([BEGIN], -35), TEST, 7).trouble)

    def test_not_started_names_the_function(self):
        for said, told in (("NOT STARTED: move_all\n", "move_all"), ("", "a function"),
                           ("NOT STARTED: the seed is 7\n", "a function")):
            outcome = run.judge(raw([BEGIN], 77, output=said), TEST, 7)
            self.assertEqual((outcome.state, outcome.not_started), ("not_started", told))


class Places(unittest.TestCase):
    def test_a_definition_is_found_and_a_call_is_not(self):
        sources = {"a.cpp": "int g();\nint f(int a) {\n  return g(a);\n}\nint N::g(int a) {\n}\n"}
        self.assertEqual(explain.definition_of("f", sources), ("a.cpp", 2))
        self.assertEqual(explain.definition_of("N::g", sources), ("a.cpp", 5))
        self.assertIsNone(explain.definition_of("h", sources))


def grade(**changes):
    said = {"expected": "a < b", "found": "b & \x07c", "cause": "c", "look_at": "x.cpp:1 (f)",
            "again": "./lab check 01", "evidence": "calls"}
    tests = [dict(id="1.1", name="one", task=1, state="passed", points=5, max=5, blocked_by="",
                  not_started="", explanation=None, checks=3, cpu_s=0.1, memory_bytes=1),
             dict(id="1.2", name="two", task=1, state="failed", points=0, max=5, blocked_by="",
                  not_started="", explanation=said, checks=1, cpu_s=0.1, memory_bytes=1),
             dict(id="1.3", name="three", task=1, state="blocked", points=0, max=5,
                  blocked_by="1.2", not_started="", explanation=None, checks=0, cpu_s=0,
                  memory_bytes=0)]
    return dict({"schema": record.SCHEMA, "lab": "01_pages", "title": "pages", "seed": 1,
                 "hidden": False, "datetime": "2026-01-01T00:00:00+00:00", "grader": "x",
                 "files": {}, "score": 5, "max": 15, "compile_error": None, "tests": tests}, **changes)


class Formats(unittest.TestCase):
    def setUp(self):
        with open(ROOT / "labs" / "autograder" / "results.schema.json", encoding="utf-8") as file:
            self.schema = json.load(file)

    def test_gradescope_is_what_its_documentation_says(self):
        with tempfile.NamedTemporaryFile(suffix=".png") as picture:
            picture.write(b"\x89PNG")
            picture.flush()
            for each in (grade(), grade(compile_error="x.cpp:1: error", tests=[], score=0)):
                made = formats.gradescope(each, [("a <plot>", picture.name)], improved=-3)
                jsonschema.validate(made, self.schema)
                self.assertIn("data:image/png;base64,iVBORw==", made["tests"][-1]["output"])
                self.assertIn("3 points fewer", made["output"])

    def test_the_schema_refuses_what_is_wrong(self):
        for wrong in ({"score": "5"}, {"score": 5, "testz": []}, {},
                      {"score": 5, "tests": [{"status": "ok"}]}):
            with self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate(wrong, self.schema)

    def test_classroom50_uses_hyphens_and_whole_numbers(self):
        made = formats.classroom50(grade())
        self.assertEqual((made["schema"], made["score"], made["max-score"]),
                         ("classroom50/result/v1", 5, 15))
        self.assertEqual([test["passed"] for test in made["tests"]], [True, False, False])

    def test_junit_is_xml_that_counts(self):
        suite = xml.fromstring(formats.junit(grade()))
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("skipped")),
                         ("3", "1", "1"))
        self.assertIn("a < b", suite.find(".//failure").text)
        broken = xml.fromstring(formats.junit(grade(compile_error="e", tests=[])))
        self.assertEqual(broken.get("errors"), "1")

    def test_differences_between_two_grades_are_named(self):
        self.assertEqual(record.differences(grade(), grade()), [])
        other = grade(score=0, grader="y")
        other["tests"][0]["state"] = "failed"
        self.assertEqual(len(record.differences(grade(), other)), 3)


class Predictions(unittest.TestCase):
    QUESTIONS = ({"id": "P1", "question": "How many?", "unit": "calls", "found": "5: 1554 first."},
                 {"id": "P2", "question": "And then?", "unit": "pages"})

    def predict(self, said, again=None, passed=False):
        lab = dataclasses.replace(labs.find("01"), predictions=self.QUESTIONS)
        shown = io.StringIO()
        with mock.patch.object(guide, "predictions_file", lambda lab: self.file), \
                mock.patch.object(progress, "passed", lambda lab: passed), \
                mock.patch("sys.stdin", io.StringIO(said)), contextlib.redirect_stdout(shown):
            guide.predict(lab, again)
        return shown.getvalue()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "predictions.json"

    def test_what_is_no_number_is_asked_again_and_shifts_nothing(self):
        self.assertIn("a number, please", self.predict("many\n7\n0,5\n"))
        self.assertEqual(json.loads(self.file.read_text()), {"P1": 7, "P2": 0.5})

    def test_who_goes_away_keeps_what_was_said(self):
        self.predict("7\n")
        self.assertEqual(json.loads(self.file.read_text()), {"P1": 7})
        self.predict("8\n")
        self.assertEqual(json.loads(self.file.read_text()), {"P1": 7, "P2": 8})

    def test_an_answer_that_is_given_again_does_not_replace_the_first_for_good(self):
        self.predict("7\n8\n")
        self.predict("9\n", "P1")
        self.assertEqual(json.loads(self.file.read_text()),
                         {"P1": 9, "P2": 8, "before": {"P1": [7]}})
        with self.assertRaisesRegex(Trouble, "no prediction P9"):
            self.predict("", "P9")

    def test_what_came_out_is_told_after_the_pass_alone(self):
        self.assertNotIn("1554", self.predict("7\n8\n"))
        self.assertIn("5: 1554 first.", self.predict("", passed=True))


class Guiding(unittest.TestCase):
    def test_given_labs_are_not_what_is_to_be_done(self):
        with mock.patch.object(progress, "passed", lambda lab: False), \
                mock.patch.object(labs, "given", lambda: {"00", "01"}):
            self.assertEqual(guide.first_open().number, "02")

    def test_a_function_of_another_lab_is_said_to_be_one(self):
        lab = labs.find("02")
        self.assertIsNone(labs.owner_of(lab.tasks[0].functions[0], lab))
        self.assertEqual(labs.owner_of("SharedFile::open_descriptor", lab).number, "03")
        outcome = types.SimpleNamespace(state="not_started", test=lab.tests[0],
                                        not_started="SharedFile::open_descriptor")
        self.assertIn("which lab 03 is about", check.what_next(lab, [outcome]))
        self.assertIn("of lab 02 came to Clock::admit, which lab 04 is about",
                      bench.not_started(lab, "x\nNOT STARTED: Clock::admit\n").replace(
                          "the measurement ", ""))

    def test_one_test_that_passes_is_not_all_of_them(self):
        lab = labs.find("01")
        outcome = types.SimpleNamespace(state="passed", test=lab.tests[0])
        with mock.patch.object(progress, "passed", lambda lab: False):
            self.assertIn("to see all of it", check.what_next(lab, [outcome]))
        with mock.patch.object(progress, "passed", lambda lab: True):
            self.assertIn("that was all of lab 01", check.what_next(lab, [outcome]))

    def test_the_linker_is_put_into_words(self):
        text = build.explain_linker("x.o: in function `f':\nundefined reference to `a::b(int)'\n")
        self.assertIn("a function of the starter is missing, a::b(int)", text)
        text = build.explain_linker("multiple definition of `a::c()'; y.o: first defined here")
        self.assertIn("a::c() is there twice", text)

    def test_what_is_not_written_is_named_before_anything_is_built(self):
        with self.assertRaisesRegex(Trouble, "x needs what lab 01 will make.*labs/01_pages/a.cpp"):
            with tempfile.TemporaryDirectory() as folder, \
                    mock.patch.object(labs, "ROOT", pathlib.Path(folder)):
                lab = types.SimpleNamespace(
                    number="01", name="01_pages", folder=pathlib.Path(folder),
                    files=(labs.File("a.cpp", "pagealloc/a.cpp"),))
                (lab.folder / "a.cpp").write_text('labs::not_started("f");')
                with mock.patch.object(labs, "all_labs", lambda: [lab]):
                    labs.require_written("y", "harness/")
                    labs.require_written("x", "pagealloc/")


class Exports(unittest.TestCase):
    def test_numbers_of_labs(self):
        self.assertEqual(export.parse_given(None), set())
        self.assertEqual(export.parse_given("01"), {"01"})
        for wrong in ("x", "1-", "77"):
            with self.assertRaises(Trouble):
                export.parse_given(wrong)

    def test_a_leak_is_found_wherever_it_is(self):
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder)
            reference = labs.find("01").files[0].reference
            region = export.regions_of((ROOT / reference).read_text(encoding="utf-8"))[0]
            (target / "docs").mkdir()
            (target / "docs" / "x.md").write_text("harmless\n")
            export.check_leaks(target, set())
            (target / "docs" / "x.md").write_text("some\n" + region.replace("  ", "\t") + "\nmore")
            with self.assertRaisesRegex(Trouble, "docs/x.md:2 has lines of"):
                export.check_leaks(target, set())
            export.check_leaks(target, {"01"})

    def test_what_students_must_not_have_is_left_out(self):
        for name in ("labs/01_pages/wrong/01-x.patch", "labs/01_pages/instructor.md",
                     "docs/grader-proof.md", "labs/course/hostile.py",
                     "pagealloc/cache/wrong/lost-update.patch"):
            self.assertTrue(export.LEFT_OUT.match(name), name)
        for name in ("labs/01_pages/README.md", "labs/01_pages/tests/table.cpp", "lab",
                     "labs/course/check.py"):
            self.assertFalse(export.LEFT_OUT.match(name), name)


if __name__ == "__main__":
    unittest.main()
