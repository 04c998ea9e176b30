"""`pagealloc_bench --kernel sim:...`, from outside: the same figures twice, and what it refuses.

    /usr/bin/python3 bench_test.py PATH_OF_PAGEALLOC_BENCH
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HANG_S = 120  # no result depends on it: it ends a program that waits for ever
binary = ""


def run(*args):
    return subprocess.run([binary, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=HANG_S)


class Simulated(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="pagealloc-bench-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def measure(self, kernel, *options):
        done = run("--kernel", kernel, "--quick", "--out", self.directory, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.listdir(self.directory), ["results.json"])
        with open(os.path.join(self.directory, "results.json"), encoding="utf-8") as file:
            data = json.load(file)
        del data["machine"]["time"]  # the one thing that is the host's
        return data, done.stdout

    def test_the_same_seed_gives_the_same_document(self):
        first, table = self.measure("sim:nvme:7")
        self.assertEqual(first, self.measure("sim:nvme:7")[0])
        self.assertNotEqual(first["rows"], self.measure("sim:nvme:8")[0]["rows"])
        self.assertEqual(first["machine"]["simulated"]["seed"], 7)
        self.assertEqual(first["machine"]["simulated"]["model"], "nvme")
        self.assertIsNone(first["machine"]["fio"])
        self.assertEqual(first["ratios"], [])
        self.assertIn("not available here: fio runs on Linux", table)
        depths = [p["depth"] for p in first["simulated_depth"] if p["model"] == "nvme"]
        self.assertEqual(depths, [1, 2, 4, 8, 16, 32, 64, 128, 256])
        self.assertIn("not available here", first["caches"]["reason"])
        self.assertEqual([trace["name"] for trace in first["caches"]["policies"]["traces"]],
                         ["uniform", "zipfian", "scan-mixed"])
        for name in ("copy", "beyond_memory"):
            self.assertIn("not available here", first["extra"][name]["reason"])

    def test_a_filter_leaves_out_what_it_does_not_name(self):
        """In a student's repository that may not be written yet."""
        data, _ = self.measure("sim:nvme", "--filter", "random_cold/pread/depth:1")
        self.assertEqual({row["impl"] for row in data["rows"]}, {"pread"})
        self.assertEqual(data["simulated_depth"], [])
        self.assertEqual(data["caches"]["policies"]["traces"], [])
        for name in ("copy", "beyond_memory"):
            self.assertEqual(data["extra"][name]["reason"], "left out by the filter")
        data, _ = self.measure("sim:nvme", "--filter", "random_cold/pread/depth:1|simulated_depth")
        self.assertNotEqual(data["simulated_depth"], [])

    def test_what_it_refuses(self):
        for words, args in (("files of a simulated machine lie inside it",
                             ("--kernel", "sim:nvme", "--dir", self.directory)),
                            ("sim:hdd, sim:sata, sim:nvme or sim:object", ("--kernel", "sim:ssd")),
                            ("too small to measure", ("--kernel", "sim:nvme", "--file-size", "1"))):
            done = run("--out", self.directory, *args)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
            self.assertEqual(os.listdir(self.directory), [])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
