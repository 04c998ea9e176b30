#!/usr/bin/env python3
"""A submission from its folder to its record, and from there to the same grade again. Nothing is
compiled here: what the tests would say is made up."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "labs"))

from course import __main__ as commands  # noqa: E402
from course import build, check, labs, progress, record, run, sandbox  # noqa: E402
from course.labs import Trouble  # noqa: E402

LAB = labs.find("01")
NAMES = [file.name for file in LAB.files]


def outcomes(lost=()):
    """All tests pass but those."""
    for test in LAB.tests:
        yield run.Outcome(test, 1, "failed" if test.id in lost else "passed",
                          trouble="it lost", raw=sandbox.Raw(output=""))


class Submissions(unittest.TestCase):
    """A folder with both of the lab's files, and a grader that finds what `lost` says."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.scratch = pathlib.Path(folder.name)
        self.folder = self.scratch / "bob"
        self.folder.mkdir()
        for name in NAMES:
            (self.folder / name).write_bytes(b"// mine\n")
        self.lost, self.compile_error, self.graded = (), None, None
        for place, name, stand_in in ((check, "prepare", lambda *given: None),
                                      (check, "grade_files", self.grade_files),
                                      (progress, "FOLDER", self.scratch / ".lab"),
                                      (progress, "FILE", self.scratch / ".lab" / "progress.json")):
            patch = mock.patch.object(place, name, stand_in)
            patch.start()
            self.addCleanup(patch.stop)

    def grade_files(self, lab, files, seed, **_):
        self.graded = {name: path.read_bytes() for name, path in files.items()}
        if self.compile_error:
            raise build.CompileError(self.compile_error)
        made = list(outcomes(self.lost))
        said = {each.test.id: check.explain.explain(each, lab, {}) for each in made
                if each.state == "failed"}
        return made, said, ""

    def lab(self, *words):
        """(exit status, what it printed, what it said of trouble) of ./lab WORDS."""
        printed, said = io.StringIO(), io.StringIO()
        with mock.patch("sys.argv", ["lab", *map(str, words)]), \
                contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            status = commands.main()
        return status, printed.getvalue(), said.getvalue()

    def grade(self, *words):
        return self.lab("grade", "01", "--submission", self.folder, *words)

    def recorded(self):
        """The path of this submission's record."""
        path = self.scratch / "record.json"
        self.assertEqual(self.grade("--json", "--seed", "7", "-o", path)[0], 0)
        return path


class Records(Submissions):
    def test_a_record_is_replayed_to_the_same_grade(self):
        path = self.recorded()
        status, printed, _ = self.lab("grade", "--replay", path)
        self.assertEqual(status, 0, printed)
        self.assertIn("with seed 7: 100 of 100", printed)
        self.assertIn("the same grade, test by test", printed)

    def test_a_replay_says_what_differs(self):
        path = self.recorded()
        self.lost = (LAB.tests[1].id,)
        status, printed, _ = self.lab("grade", "--replay", path)
        self.assertEqual(status, 1)
        self.assertIn(f"{LAB.tests[1].id} was passed and is failed", printed)

    def test_files_are_kept_byte_by_byte(self):
        for data in (b"// caf\xe9\n", b"\xef\xbb\xbf// mark\r\n", b"\0", "// café\n".encode(), b""):
            (self.folder / NAMES[0]).write_bytes(data)
            path = self.recorded()
            status, printed, said = self.lab("grade", "--replay", path)
            self.assertEqual(status, 0, printed + said)
            self.assertEqual(self.graded[NAMES[0]], data)

    def test_what_was_changed_in_a_record_is_noticed(self):
        path = self.recorded()
        text = path.read_text()
        self.assertIn("// mine", text)
        path.write_text(text.replace("// mine", "// ours"))
        status, _, said = self.lab("grade", "--replay", path)
        self.assertEqual(status, 2)
        self.assertRegex(said, f"{path}: what it has of .* has not the hash")

    def test_a_hidden_seed_stands_in_the_record_alone(self):
        self.lost = (LAB.tests[0].id,)
        seed = 7310927448
        for form in ("--gradescope", "--classroom50", "--junit"):
            _, printed, said = self.grade("--hidden", "--seed", seed, form)
            self.assertNotIn(str(seed), printed + said)
            self.assertIn("it lost", printed)
        _, printed, _ = self.grade("--hidden", "--seed", seed, "--json")
        made = json.loads(printed)
        self.assertEqual((made["seed"], made["hidden"]), (seed, True))
        self.assertEqual(printed.count(str(seed)), 1)


if __name__ == "__main__":
    unittest.main()
