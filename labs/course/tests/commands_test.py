#!/usr/bin/env python3
"""What the commands say to those who type something wrong, and what they leave behind."""

import contextlib
import io
import pathlib
import sys
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "labs"))

from course import __main__ as commands  # noqa: E402
from course import grade  # noqa: E402


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

    def test_the_largest_seed_is_one(self):
        with mock.patch.object(grade, "grade", lambda options: options.seed):
            self.assertEqual(lab("grade", "01", "--seed", 2**64 - 1)[0], 2**64 - 1)


if __name__ == "__main__":
    unittest.main()
