#!/usr/bin/env python3
"""How far a student is, and what leads him from there: reset, reveal, next, hint."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "labs"))

from course import grade, guide, labs, progress, starter  # noqa: E402
from course.labs import Trouble  # noqa: E402

REAL = labs.find("01")


class Student(unittest.TestCase):
    """Somebody who has written lab 01 in a repository of his own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for place, name, stand_in in ((labs, "ROOT", self.root), (guide, "ROOT", self.root),
                                      (progress, "FOLDER", self.root / ".lab"),
                                      (progress, "FILE", self.root / ".lab" / "progress.json")):
            patch = mock.patch.object(place, name, stand_in)
            patch.start()
            self.addCleanup(patch.stop)
        self.lab = REAL
        for file in REAL.files:
            path = self.lab.folder / "starter" / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("// starter\n")
            (self.lab.folder / file.name).write_bytes(b"// caf\xe9\n")

    def said(self, function, *given):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self.assertEqual(function(*given), 0)
        return printed.getvalue()


class Progress(Student):
    def test_the_best_is_kept_and_the_last_one_too(self):
        for points in (40, 70, 50):
            progress.note_score(self.lab, points)
        self.assertEqual(progress.of(self.lab), {"points": 50, "best": 70})
        self.assertFalse(progress.passed(self.lab))
        progress.note_score(self.lab, self.lab.points)
        self.assertTrue(progress.passed(self.lab))

    def test_labs_do_not_disturb_each_other(self):
        progress.update(self.lab, hints={"1": 2})
        progress.update(types.SimpleNamespace(name="02_mmap"), points=5)
        self.assertEqual(progress.load(), {"01_pages": {"hints": {"1": 2}},
                                           "02_mmap": {"points": 5}})

    def test_a_save_that_fails_leaves_what_was_there(self):
        progress.note_score(self.lab, 40)
        with self.assertRaises(TypeError):
            progress.update(self.lab, hints=object())
        self.assertEqual(progress.of(self.lab)["best"], 40)


class Resetting(Student):
    def test_it_asks_first(self):
        with self.assertRaisesRegex(Trouble, "./lab reset 01 --yes"):
            guide.reset(self.lab, False)
        self.assertFalse((self.root / ".lab").exists())

    def test_what_was_there_is_kept_each_time(self):
        said = self.said(guide.reset, self.lab, True)
        self.assertIn("What you had is in .lab/saved/01_pages/1.", said)
        self.said(guide.reset, self.lab, True)
        saved = self.root / ".lab" / "saved" / "01_pages"
        for file in self.lab.files:
            self.assertEqual((self.lab.folder / file.name).read_text(), "// starter\n")
            self.assertEqual((saved / "1" / file.name).read_bytes(), b"// caf\xe9\n")
            self.assertEqual((saved / "2" / file.name).read_bytes(), b"// starter\n")

    def test_nothing_is_said_of_what_was_not_there(self):
        for file in self.lab.files:
            (self.lab.folder / file.name).unlink()
        self.assertNotIn("What you had", self.said(guide.reset, self.lab, True))

    def test_without_a_starter_nothing_is_touched(self):
        (self.lab.folder / "starter" / self.lab.files[-1].name).unlink()
        with self.assertRaisesRegex(Trouble, "is here"):
            guide.reset(self.lab, True)
        for file in self.lab.files:
            self.assertEqual((self.lab.folder / file.name).read_bytes(), b"// caf\xe9\n")

    def test_next_and_hint_begin_anew(self):
        progress.note_score(self.lab, 60)
        first = [test.id for test in self.lab.tests if test.task == 1]
        progress.update(self.lab, passed_tests=first, hints={"1": 2})
        self.assertGreater(guide.task_to_hint(self.lab), 1)
        with mock.patch.object(guide, "first_open", lambda: self.lab):
            self.assertNotIn("task 1", self.said(guide.next_step))
            self.said(guide.reset, self.lab, True)
            self.assertIn("task 1", self.said(guide.next_step))
        self.assertEqual(guide.task_to_hint(self.lab), 1)
        self.assertEqual(progress.of(self.lab), {"best": 60, "hints": {"1": 2}})


class Revealing(Student):
    def test_first_all_the_points(self):
        progress.note_score(self.lab, 99)
        with self.assertRaisesRegex(Trouble, "first all 100 points of lab 01 .the best was 99"):
            guide.reveal(self.lab)

    def test_then_the_reference_without_its_marks(self):
        for file in self.lab.files:
            path = self.root / file.reference
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("int f() {\n  // LAB:BEGIN 1 f()\n  return 7;\n  // LAB:END\n}\n")
        progress.note_score(self.lab, 100)
        progress.note_score(self.lab, 0)  # passed once is passed
        said = self.said(guide.reveal, self.lab)
        self.assertEqual(said.count("return 7;"), len(self.lab.files))
        self.assertIsNone(starter.BEGIN.search(said))

    def test_a_repository_without_it_says_so(self):
        progress.note_score(self.lab, 100)
        with self.assertRaisesRegex(Trouble, f"made without {self.lab.files[0].reference}"):
            guide.reveal(self.lab)


class Improvement(Student):
    def test_against_the_submission_before(self):
        for text, wanted in (('{"previous_submissions": [{"score": "9"}, {"score": "40.0"}]}', 20),
                             ('{"previous_submissions": [{"score": 70}]}', -10)):
            (self.root / "metadata").write_text(text)
            self.assertEqual(grade.improvement({"score": 60}, self.root / "metadata"), wanted)

    def test_what_tells_nothing(self):
        said = [{"previous_submissions": each} for each in
                ([], None, [{}], [{"score": None}], [{"score": "x"}], [{"score": float("inf")}],
                 [{"score": float("nan")}], {"score": 1})]
        for text in ("", "[]", "null", "{}", *map(json.dumps, said)):
            (self.root / "metadata").write_text(text)
            self.assertIsNone(grade.improvement({"score": 60}, self.root / "metadata"), text)
        self.assertIsNone(grade.improvement({"score": 60}, self.root / "nowhere"))


if __name__ == "__main__":
    unittest.main()
