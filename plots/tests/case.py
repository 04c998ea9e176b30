"""What the tests share: a directory with a run in it, and its report."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PLOTS = os.path.dirname(HERE)
sys.path[:0] = [path for path in (PLOTS, HERE) if path not in sys.path]

import fixture  # noqa: E402
import report  # noqa: E402
import results as results_module  # noqa: E402


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def load(self, data):
        fixture.write(self.directory, data)
        return results_module.load(os.path.join(self.directory, "results.json"))

    def page(self, data):
        """The HTML of a run's report, written the way a user has it written."""
        report.write(self.load(data), self.directory)
        return self.read("report.html").decode("utf-8")

    def read(self, *path):
        with open(os.path.join(self.directory, *path), "rb") as file:
            return file.read()

    def run_report(self, directory):
        return subprocess.run([sys.executable, os.path.join(PLOTS, "report.py"), directory],
                              capture_output=True, text=True)

    def refuse(self, text, *said):
        with open(os.path.join(self.directory, "results.json"), "w", encoding="utf-8") as file:
            file.write(text)
        self.refused(*said)

    def refused(self, *said):
        done = self.run_report(self.directory)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for words in said:
            self.assertIn(words, done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "report.html")))
