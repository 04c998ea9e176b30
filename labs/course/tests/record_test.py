#!/usr/bin/env python3
"""A submission from its folder to its record, and from there to the same grade again. Nothing is
compiled here: what the tests would say is made up."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "labs"))

import jsonschema  # noqa: E402

from course import __main__ as commands  # noqa: E402
from course import build, check, confined, labs, progress, record, run, sandbox  # noqa: E402
from course.labs import Trouble  # noqa: E402

LAB = labs.find("01")
NAMES = [file.name for file in LAB.files]


def outcomes(seed, lost=()):
    """All tests pass but those."""
    for test in LAB.tests:
        yield run.Outcome(test, seed, "failed" if test.id in lost else "passed",
                          trouble="it lost", raw=sandbox.Raw(output="it was 4711"))


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
        self.lost, self.compile_error, self.graded, self.unconfined = (), None, None, ""
        for place, name, stand_in in ((check, "prepare", lambda *given: None),
                                      (check, "grade_files", self.grade_files),
                                      (confined, "available", lambda: self.unconfined),
                                      (progress, "FOLDER", self.scratch / ".lab"),
                                      (progress, "FILE", self.scratch / ".lab" / "progress.json")):
            patch = mock.patch.object(place, name, stand_in)
            patch.start()
            self.addCleanup(patch.stop)

    def grade_files(self, lab, files, seed, **_):
        self.graded = {name: path.read_bytes() for name, path in files.items()}
        if self.compile_error:
            raise build.CompileError(self.compile_error)
        made = list(outcomes(seed, self.lost))
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


class Taking(Submissions):
    """Only regular files that lie in the submission itself are taken."""

    def refused(self, pattern):
        with self.assertRaisesRegex(record.NotTaken, pattern) as caught:
            record.take_submission(LAB, self.folder)
        self.assertNotIn(str(self.scratch), str(caught.exception))

    def move_into_place(self):
        """As a whole repository has them."""
        place = self.folder / "labs" / LAB.name
        place.mkdir(parents=True)
        for name in NAMES:
            (self.folder / name).rename(place / name)
        return place

    def test_files_lie_in_the_folder_or_where_the_repository_has_them(self):
        self.assertEqual(list(record.take_submission(LAB, self.folder)), NAMES)
        place = self.move_into_place()
        self.assertEqual(list(record.take_submission(LAB, self.folder).values()),
                         [place / name for name in NAMES])

    def test_all_that_are_missing_are_named(self):
        for name in NAMES:
            (self.folder / name).unlink()
        self.refused("; ".join(f"{name} is missing" for name in NAMES)
                     + f". Lab 01 is graded by {NAMES[0]} and {NAMES[1]}")

    def test_a_link_is_not_followed(self):
        (self.folder / NAMES[0]).unlink()
        for target in ("/etc/passwd", NAMES[1], "nowhere"):
            (self.folder / NAMES[0]).symlink_to(target)
            self.refused(f"{NAMES[0]} is a symbolic link")
            (self.folder / NAMES[0]).unlink()

    def test_nor_is_one_on_the_way_to_the_file(self):
        place = self.move_into_place()
        alice = self.scratch / "alice"
        place.rename(alice)
        place.symlink_to("../../alice")
        self.refused(f"labs/{LAB.name} is a symbolic link")
        place.unlink()
        (self.folder / "labs").rmdir()
        (self.folder / "labs").symlink_to("../all")
        (self.scratch / "all").mkdir()
        alice.rename(self.scratch / "all" / LAB.name)
        self.refused("labs is a symbolic link")

    def test_the_way_to_the_submission_may_have_links(self):
        (self.scratch / "link").symlink_to("bob")
        self.assertEqual(list(record.take_submission(LAB, self.scratch / "link")), NAMES)

    def test_a_folder_is_no_file_and_a_large_one_is_none_of_ours(self):
        (self.folder / NAMES[0]).unlink()
        (self.folder / NAMES[0]).mkdir()
        self.refused(f"{NAMES[0]} is no regular file")
        (self.folder / NAMES[0]).rmdir()
        (self.folder / NAMES[0]).write_bytes(b" " * record.FILE_BYTES)
        record.take_submission(LAB, self.folder)
        (self.folder / NAMES[0]).write_bytes(b" " * (record.FILE_BYTES + 1))
        self.refused(f"{NAMES[0]} is larger than {record.FILE_BYTES} bytes")

    def test_no_submission_at_all_is_no_mistake_of_a_student(self):
        self.folder = self.scratch / "nobody"
        status, printed, said = self.grade("--gradescope")
        self.assertEqual((status, printed), (2, ""))
        self.assertIn("nobody is no folder", said)

    def test_the_student_is_told_in_every_form(self):
        (self.folder / NAMES[0]).rename(self.folder / NAMES[0].upper())
        told = f"{NAMES[0]} is missing. Lab 01 is graded by"
        self.unconfined = "nothing was run, so nobody asks"
        for form in ("--json", "--gradescope", "--classroom50", "--junit", None):
            status, printed, said = self.grade(*filter(None, [form]))
            self.assertEqual((status, said), (0, ""), form)
            self.assertIn(told, printed)
        made = json.loads(self.grade("--gradescope")[1])
        self.assertEqual((made["score"], len(made["tests"])), (0, 1))
        suite = xml.fromstring(self.grade("--junit")[1])
        self.assertEqual(suite.get("errors"), "1")
        _, printed, _ = self.lab("grade", "--replay", self.recorded())
        self.assertIn(f"nothing was graded, for {told}", printed)

    def test_what_does_not_compile_is_told_in_every_form(self):
        self.compile_error = "x.cpp:1: error: \x1b[31mno\n"
        for form in ("--json", "--gradescope", "--classroom50", "--junit", None):
            status, printed, said = self.grade(*filter(None, [form]))
            self.assertEqual((status, said), (0, ""), form)
            self.assertIn("x.cpp:1: error:", printed)
        xml.fromstring(self.grade("--junit")[1])

    def test_what_a_program_calls_not_started_cannot_break_the_xml(self):
        def grade_files(lab, files, seed, **_):
            return [run.Outcome(lab.tests[0], 1, "not_started", not_started="\x1b[31m\0f")], {}, ""
        with mock.patch.object(check, "grade_files", grade_files):
            suite = xml.fromstring(self.grade("--junit")[1])
        self.assertEqual(suite.find(".//skipped").get("message"), "NOT STARTED: [31mf")

    def test_a_library_that_does_not_build_of_his_files_is_told_too(self):
        def prepare(lab, files=None):
            raise build.CompileError("x.cpp:1: error: no")
        with mock.patch.object(check, "prepare", prepare):
            status, printed, _ = self.grade("--classroom50")
        self.assertEqual((status, json.loads(printed)["score"]), (0, 0))


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

    def test_a_replay_says_when_files_compile_that_did_not(self):
        path = self.recorded()
        self.compile_error = "x.cpp:1: error"
        status, printed, _ = self.lab("grade", "--replay", path)
        self.assertEqual(status, 1)
        self.assertIn("the files compiled then, and did not compile now", printed)
        path = self.recorded()
        self.assertEqual(self.lab("grade", "--replay", path)[0], 0)
        self.compile_error, self.lost = None, [test.id for test in LAB.tests]
        status, printed, _ = self.lab("grade", "--replay", path)
        self.assertEqual(status, 1)
        self.assertIn("the files did not compile then, and compiled now", printed)

    def test_tests_that_came_or_went_are_differences(self):
        old = {"grader": "x", "score": 0, "tests": [{"id": "1", "state": "failed"}]}
        new = {"grader": "x", "score": 0, "tests": [{"id": "2", "state": "failed"}]}
        self.assertEqual(record.differences(old, new), ["1 was failed and is not there",
                                                        "2 was not there and is failed"])

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

    def test_gradescope_stores_what_a_record_is_compared_with(self):
        stored = json.loads(self.grade("--gradescope", "--hidden", "--seed", 7)[1])["extra_data"]["record"]
        made = json.loads(self.grade("--json")[1])
        self.assertEqual(stored["grader"], made["grader"])
        self.assertEqual(stored["files"],
                         {name: made["files"][name]["sha256"] for name in NAMES})

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
        self.assertIn(f"--seed {seed}", self.grade("--seed", seed, "--junit")[1])

    def test_a_hidden_seed_is_given_and_no_default(self):
        status, printed, said = self.grade("--hidden", "--json")
        self.assertEqual((status, printed), (2, ""))
        self.assertIn("--hidden keeps a seed from the student", said)

    def test_what_was_printed_is_told_unless_the_grade_is_hidden(self):
        self.lost = (LAB.tests[0].id,)
        for form in ("--json", "--gradescope", "--classroom50", "--junit"):
            self.assertIn("it was 4711", self.grade(form)[1])
            hidden = self.grade(form, "--hidden", "--seed", 7)
            self.assertEqual(hidden[0], 0)
            self.assertNotIn("it was 4711", "".join(map(str, hidden)))

    def test_a_submission_that_is_not_confined_is_told_of(self):
        self.assertEqual(self.grade("--json")[2], "")
        self.unconfined = "not available here: Landlock"
        status, printed, said = self.grade("--json")
        self.assertEqual((status, said), (0, "not available here: Landlock\n"))
        self.assertNotIn("Landlock", printed)


class GraderHash(unittest.TestCase):
    """It is another one after whatever a grade depends on has changed, and after nothing else."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for lab in labs.all_labs():
            self.write(f"labs/{lab.name}/lab.json", (lab.folder / "lab.json").read_text())
            for file in lab.files:
                self.write(f"labs/{lab.name}/{file.name}")
                self.write(file.reference)
        for place in (record, labs):
            patch = mock.patch.object(place, "ROOT", self.root)
            patch.start()
            self.addCleanup(patch.stop)

    def write(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def changes(self, name):
        before = record.grader_hash(LAB)
        self.write(name, "changed")
        return record.grader_hash(LAB) != before

    def test_what_a_grade_depends_on(self):
        for name in ("labs/01_pages/tests/table.cpp", "labs/grader/grader.cpp", "labs/course/run.py",
                     "pagealloc/os/sim/kernel.cpp", "pagealloc/open.h", "pagealloc/CMakeLists.txt",
                     "impl_uring/engine.cpp", "harness/crash/timeline.cpp", "CMakeLists.txt",
                     "CMakePresets.json", "labs/CMakeLists.txt", "labs/not_started.h",
                     "harness/caches/sqlite.trace", "harness/sequence.h",
                     "tools/lab_sources.cmake"):
            self.assertTrue(self.changes(name), name)

    def test_what_it_does_not_depend_on(self):
        for name in ("labs/01_pages/blocking.cpp", "labs/01_pages/predictions.json",
                     "labs/01_pages/README.md", "labs/02_mmap/engine.cpp", "docs/labs.md",
                     "labs/course/tests/course_test.py", ".lab/progress.json", "build/debug/x.cpp"):
            self.assertFalse(self.changes(name), name)

    def test_a_students_library_is_his_other_labs(self):
        (self.root / labs.find("02").files[0].reference).unlink()
        self.assertTrue(self.changes("labs/02_mmap/engine.cpp"))
        for file in LAB.files:
            (self.root / file.reference).unlink()
            self.assertFalse(self.changes(f"labs/01_pages/{file.name}"))

    def test_neither_git_nor_the_place_matters(self):
        before = record.grader_hash(LAB)
        other = self.root.with_name(self.root.name + "-moved")
        self.root.rename(other)
        self.addCleanup(other.rename, self.root)
        with mock.patch.object(record, "ROOT", other), mock.patch.object(labs, "ROOT", other):
            self.assertEqual(record.grader_hash(LAB), before)


class Autograder(unittest.TestCase):
    """labs/autograder/run_autograder where it has nothing of the grader's to show."""

    def trouble(self, said):
        script = (ROOT / "labs" / "autograder" / "run_autograder").read_text(encoding="utf-8")
        function = re.search(r"^trouble\(\) \{.*?^\}$", script, re.M | re.S).group()
        done = subprocess.run(["bash", "-c", f"{function}\ntrouble"], input=said, check=True,
                              capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
        made = json.loads(done.stdout)
        with open(ROOT / "labs" / "autograder" / "results.schema.json", encoding="utf-8") as file:
            jsonschema.validate(made, json.load(file))
        return made["output"]

    def test_trouble_of_any_kind_is_json(self):
        for said in (b"", b'a "b" \\ c\n', b"\t\x1b[31mred\x1b[0m\x00", "é".encode() * 400, b"\xff"):
            self.assertIn("The grader itself has failed", self.trouble(said))
        self.assertTrue(self.trouble(b'lab: no "x"\n').endswith(' lab: no "x"'))


if __name__ == "__main__":
    unittest.main()
