#!/usr/bin/env python3
"""What the commands say to those who type something wrong, and what they leave behind."""

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

from course import __main__ as commands  # noqa: E402
from course import build, check, export, grade, guide, labs, progress, proof_page  # noqa: E402
from course.labs import Trouble  # noqa: E402


def lab(*words):
    """(exit status, what it printed, what it said of trouble) of ./lab WORDS."""
    printed, said = io.StringIO(), io.StringIO()
    with mock.patch("sys.argv", ["lab", *map(str, words)]), \
            contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        try:
            status = commands.main()
        except SystemExit as ended:
            status = ended.code
    return status, printed.getvalue(), said.getvalue()


class Refusals(unittest.TestCase):
    """One line that names the cause, before anything is built."""

    def refused(self, pattern, *words):
        status, _, said = lab(*words)
        self.assertEqual(status, 2, said)
        self.assertRegex(said, pattern)
        self.assertEqual(said.count("\n"), 1, said)

    def test_a_seed_has_64_bits_and_no_sign(self):
        for command in (("check", "01"), ("grade", "01"), ("export", "--gradescope", "01")):
            for seed in ("-1", str(2**64), "1.5", "", "one"):
                self.refused(f"a seed is a whole number from 0 to {2**64 - 1}, and not '{seed}'",
                             *command, "--seed", seed)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.scratch = pathlib.Path(folder.name)
        self.file = self.scratch / "file"
        self.file.write_text("[]")

        def nothing_more(*given, **named):
            raise AssertionError("it began to build")
        self.mock(build, "make", nothing_more)
        self.mock(build, "programs", nothing_more)
        self.mock(progress, "FOLDER", self.scratch / ".lab")
        self.mock(progress, "FILE", self.scratch / ".lab" / "progress.json")

    def mock(self, place, name, stand_in):
        patch = mock.patch.object(place, name, stand_in)
        patch.start()
        self.addCleanup(patch.stop)

    def test_places_that_cannot_be_written_or_read(self):
        self.refused("/nowhere/x is no file that can be", "grade", "01", "--junit", "-o",
                     "/nowhere/x")
        self.refused("/tmp is no file that can be", "grade", "01", "--json", "-o", "/tmp")
        self.refused("/nowhere.png: No such file", "grade", "01", "--gradescope", "--plot",
                     "/nowhere.png")
        self.refused(f"{self.file}: File exists", "check", "01", "--keep", self.file)
        self.refused(f"{self.file}/x: Not a directory", "check", "01", "--keep", self.file / "x")
        self.refused(f"{self.file}: File exists", "bench", "01", "--out", self.file)
        self.refused(f"{self.file} is no folder", "bench", "01", "--submission", self.file)
        self.refused(f"{self.file} is no folder", "export", "--into", self.file)
        self.refused("/nowhere.json: No such file", "grade", "--replay", "/nowhere.json")

    def test_options_that_would_do_nothing(self):
        self.refused("-o is for a format", "grade", "01", "-o", self.scratch / "x")
        self.refused("--plot and --metadata are for", "grade", "01", "--json", "--plot", self.file)
        self.refused("--plot and --metadata are for", "grade", "01", "--metadata", self.file)
        self.refused("one of them", "check", "01", "--watch", "--keep", self.scratch / "x")
        self.refused("--times wants", "proof", "01", "--times", 0)
        self.refused("has no wrong or right solution 'typo'", "proof", "01", "--solution", "typo")

    def test_what_cannot_be_written_on_this_terminal_is_a_question_mark(self):
        said = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
        with mock.patch("sys.argv", ["lab", "grade", "‘01’"]), mock.patch("sys.stderr", said):
            self.assertEqual(commands.main(), 2)
        said.flush()
        self.assertIn(b"no lab '?01?'", said.buffer.getvalue())

    def test_watching_wants_files_to_watch(self):
        first = labs.find("01")
        for place in (labs, build):
            self.mock(place, "ROOT", self.scratch)
        with self.assertRaisesRegex(Trouble, "reset 01"):
            check.watch(first, 1)

    def test_a_lab_folder_that_cannot_be_written(self):
        self.mock(progress, "FOLDER", self.file)
        self.mock(progress, "FILE", self.scratch / "none" / "progress.json")
        for command in ("check", "grade"):
            self.refused(f"{self.file}: File exists", command, "01")

    def test_records_that_are_none(self):
        whole = {"schema": "pagealloc/grade/v1", "lab": "01_pages", "seed": 1, "hidden": False,
                 "grader": "x", "files": {}, "score": 0, "tests": []}
        for wrong in ([], None, {}, {"schema": whole["schema"]}, whole | {"seed": "1"},
                      whole | {"seed": -1}, whole | {"files": {"a": {}}}, whole | {"tests": [1]},
                      whole | {"files": {"a": {"text": 1, "sha256": ""}}}):
            self.file.write_text(json.dumps(wrong))
            self.refused(f"{self.file} is no|{self.file}: its seed", "grade", "--replay", self.file)
        for text in (b"", b"{", b"\xff", b"[" * 100000):
            self.file.write_bytes(text)
            self.refused(f"{self.file} is no JSON", "grade", "--replay", self.file)
        for file in ({"text": "\ud800"}, {"base64": "%"}):
            file["sha256"] = ""
            self.file.write_text(json.dumps(whole | {"files": {"blocking.cpp": file}}))
            self.refused(f"{self.file}: what it has of blocking.cpp", "grade", "--replay", self.file)
        self.file.write_text(json.dumps(whole))
        self.refused(f"{self.file}: blocking.cpp is missing", "grade", "--replay", self.file)
        self.file.write_text(json.dumps(whole | {"lab": "77"}))
        self.refused("no lab '77'", "grade", "--replay", self.file)

    def test_progress_that_cannot_be_read_is_left_as_it_is(self):
        progress.FOLDER.mkdir()
        for text in ("", "{", "[]", '{"01_pages": 1}', '{"01_pages": {"best": "100"}}',
                     '{"01_pages": {"passed_tests": [[]]}}', '{"01_pages": {"hints": {"1": "x"}}}'):
            progress.FILE.write_text(text)
            for command in (("next",), ("show",), ("show", "01"), ("hint", "01"), ("check", "01"),
                            ("grade", "01")):
                self.refused(f"{progress.FILE} (is no JSON|has another form).*mend it", *command)
            self.assertEqual(progress.FILE.read_text(), text)

    def test_predictions_that_cannot_be_read_are_left_as_they_are(self):
        self.mock(guide, "predictions_file", lambda lab: self.file)
        for text in ("", "{", "[]", '{"P1": "many"}', '{"P1": null}', '{"P1": NaN}',
                     '{"before": []}', '{"before": {"P1": 1}}'):
            self.file.write_text(text)
            for command in (("next",), ("predict", "01"), ("bench", "01")):
                self.mock(guide, "first_open", lambda: labs.find("01"))
                self.refused(f"{self.file} (is no JSON|has another form)", *command)
            self.assertEqual(self.file.read_text(), text)

    def test_a_table_that_is_none(self):
        for text in ("{", "[]", "{}", '{"title": "x", "files": [], "tasks": [], "tests": [1]}'):
            self.file.write_text(text)
            with self.assertRaisesRegex(labs.Trouble, f"{self.file} is no"):
                labs.load(self.file)

    def test_a_seed_can_come_from_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "seed"
            path.write_text("4711\n", encoding="ascii")
            self.assertEqual(labs.seed_of(f"@{path}"), 4711)
            path.write_text("many\n", encoding="ascii")
            with self.assertRaisesRegex(Trouble, "a seed is a whole number .* not 'many'"):
                labs.seed_of(f"@{path}")
            with self.assertRaisesRegex(Trouble, "no seed in .*missing"):
                labs.seed_of(f"@{folder}/missing")

    def test_the_largest_seed_is_one(self):
        with mock.patch.object(grade, "grade", lambda options: options.seed):
            self.assertEqual(lab("grade", "01", "--seed", 2**64 - 1)[0], 2**64 - 1)


class Numbers(unittest.TestCase):
    def test_a_lab_is_found_by_its_number_or_its_name(self):
        for said in ("0", "00", "000", "00_measure"):
            self.assertEqual(labs.find(said).number, "00")
        for said in ("1", "01", "01_pages"):
            self.assertEqual(labs.find(said).number, "01")
        for said in ("", " ", "77", "-1", "one", "measure", "\u00b9"):
            with self.assertRaisesRegex(labs.Trouble, f"no lab '{said}'"):
                labs.find(said)


class Exports(unittest.TestCase):
    """What an export leaves when it fails."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def leaking(self, *words):
        def leak(target, given):
            raise labs.Trouble("labs/leak.md:1 has lines of x.cpp, which is not given")
        with mock.patch.object(export, "check_leaks", leak), \
                mock.patch.object(export, "tracked_files", lambda: ["CMakeLists.txt"]):
            status, _, said = lab("export", *words)
        self.assertEqual(status, 2)
        self.assertIn("labs/leak.md:1", said)

    def test_a_leak_is_not_left_to_be_handed_out(self):
        self.leaking("--into", self.folder / "students")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_an_empty_folder_that_was_there_is_empty_again(self):
        (self.folder / "students").mkdir()
        self.leaking("--into", self.folder / "students")
        self.assertEqual(list((self.folder / "students").iterdir()), [])

    def test_half_a_zip_is_not_left(self):
        def pack(folder, output):
            output.write_text("half")
            raise OSError(28, "No space left on device")
        with mock.patch.object(export, "pack", pack), mock.patch.object(export, "fill", mock.Mock()):
            status, _, said = lab("export", "--gradescope", "01", "--into", self.folder / "a.zip")
        self.assertEqual((status, said), (2, "lab: No space left on device\n"))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_an_autograder_that_is_there_is_not_replaced(self):
        (self.folder / "a.zip").write_text("last term's")
        for name, pattern in (("a.zip", "is there already"), ("no/a.zip", "no is no folder")):
            status, _, said = lab("export", "--gradescope", "01", "--into", self.folder / name)
            self.assertEqual(status, 2)
            self.assertIn(pattern, said)
        self.assertEqual((self.folder / "a.zip").read_text(), "last term's")


class Files(unittest.TestCase):
    def unwritten(self, text):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(labs, "ROOT", pathlib.Path(folder)):
            lab = types.SimpleNamespace(number="01", name="01_pages", folder=pathlib.Path(folder),
                                        files=(labs.File("a.cpp", "pagealloc/a.cpp"),))
            if text is not None:
                (lab.folder / "a.cpp").write_bytes(text)
            with mock.patch.object(labs, "all_labs", lambda: [lab]):
                return len(labs.unwritten("pagealloc/"))

    def test_what_is_written_is_seen_in_any_encoding(self):
        self.assertEqual(self.unwritten(b"// caf\xe9\n"), 0)
        self.assertEqual(self.unwritten(b'// caf\xe9\nlabs::not_started("f");'), 1)
        with self.assertRaisesRegex(labs.Trouble, "a.cpp is not there; ./lab reset 01"):
            self.unwritten(None)


class Page(unittest.TestCase):
    def test_a_wrong_solution_that_does_not_compile_is_in_it(self):
        """What is wrong with it is one of the proof's faults, which are told before."""
        patched = types.SimpleNamespace(name="01-x", head={}, states={}, caught_by=[])
        proof = types.SimpleNamespace(lab=labs.find("01"), wrong=[patched], right=[], times=1)
        self.assertIn("| 01 | x |  |  |", proof_page.page([proof], ()))


if __name__ == "__main__":
    unittest.main()
