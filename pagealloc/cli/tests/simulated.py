"""The `pagealloc` command on the simulated machine (--kernel sim:...). Run by cli_test.py."""

import os
import stat

from case import (ALL, CANNOT_OPEN, NOT_AVAILABLE, OK, PAGE, REFUSED, USAGE, CliTest, missing, run,
                  text)

MODELS = ("hdd", "sata", "nvme", "object")
LINE = r"\Asimulated {}: \d+\.\d{{3}} ms, \d+ calls\n\Z"


class Simulated(CliTest):
    def sim(self, model, *args, code=OK):
        """Runs it there; returns what it printed and its line about the machine."""
        result = run("--kernel", f"sim:{model}", *args)
        self.assertEqual(result.returncode, code, text(result))
        return result.stdout, result.stderr.decode()

    def test_the_same_bytes_as_through_linux(self):
        for number, model in enumerate(MODELS):
            impl = ALL[number]  # each of them on some machine
            there, here = self.dir / f"{model}-sim.pa", self.dir / f"{model}-linux.pa"
            for args in (("create", "--pages", 4), ("write", 5, "hello"), ("write", 1, "x" * PAGE),
                         ("punch", 1), ("hexdump",), ("read", 5), ("write", 6, "end", "--no-sync")):
                command, *rest = args
                with self.subTest(model=model, command=args[:3]):
                    simulated, line = self.sim(model, command, there, *rest, "--impl", impl)
                    self.assertRegex(line, LINE.format(model))
                    if impl in missing:
                        impl = "pread"  # Linux has nothing to compare with
                    printed = self.ok(command, here, *rest, "--impl", impl)
                    if command in ("hexdump", "read"):
                        self.assertEqual(simulated, printed)
                    self.assertEqual(there.read_bytes(), here.read_bytes())

    def test_stat_says_what_the_machine_offers(self):
        file = self.dir / "x.pa"
        self.ok("create", file, "--pages", 8)
        shown = self.sim("nvme", "stat", file)[0].decode()
        self.assertIn("32768 bytes, 8 pages of 4096 bytes", shown)
        self.assertIn("32768 bytes, 64 blocks of 512 bytes", shown)
        for impl in ALL:
            self.assertRegex(shown, rf"\n  {impl} +(O_DIRECT|page cache)")

    def test_a_hole_stays_a_hole(self):
        file = self.dir / "x.pa"
        file.write_bytes(b"x" * 8 * PAGE)
        os.truncate(file, 16 * PAGE)
        if file.stat().st_blocks * 512 > 8 * PAGE:
            self.skipTest("this file system has no holes")
        if b"unknown" in run("punch", file, 12).stdout:
            self.skipTest("this file system does not tell where its holes are")
        self.assertIn(b"a hole already", self.sim("nvme", "punch", file, 12)[0])
        self.assertIn(b"freed    4096 bytes", self.sim("nvme", "punch", file, 2)[0])
        self.assertEqual(file.stat().st_blocks * 512, 7 * PAGE)

    def test_the_same_seed_is_the_same_time(self):
        outputs = set()
        for attempt in range(2):
            file = self.dir / f"{attempt}"
            file.mkdir()
            args = ("--kernel", "sim:nvme:7", "write", "x.pa", 5, "hello", "--impl", "uring")
            result = run(*args, cwd=file)
            self.assertEqual(result.returncode, OK, text(result))
            outputs.add((result.stdout, result.stderr))
        self.assertEqual(len(outputs), 1)
        other = self.sim("nvme:8", "write", self.dir / "x.pa", 5, "hello", "--impl", "uring")[1]
        self.assertNotIn(other.encode(), {err for _, err in outputs}, "the seed changes nothing")

    def test_only_what_changed_is_replaced(self):
        file = self.dir / "x.pa"
        self.ok("write", file, 5, "hello")
        file.chmod(0o640)
        before = file.stat()
        self.sim("nvme", "read", file, 5)
        self.assertEqual(file.stat().st_ino, before.st_ino)
        self.sim("nvme", "write", file, 5, "hello again")
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o640)
        self.assertEqual(os.listdir(self.dir), ["x.pa"])

    def test_a_failure_leaves_the_old_file(self):
        file = self.dir / "x.pa"
        self.ok("write", file, 5, "hello")
        out, err = self.sim("nvme", "read", file, 6, code=REFUSED)
        self.assertRegex(err, r"\Apagealloc: .*beyond the end, the file has 6 pages\nsimulated ")
        self.assertEqual(self.ok("read", file, 5), b"hello\n")
        err = self.sim("nvme", "write", self.dir / "none" / "x.pa", 0, "x", code=CANNOT_OPEN)[1]
        self.assertIn("No such file or directory", err)
        self.assertRegex(self.sim("nvme", "read", self.dir, 0, code=REFUSED)[1],
                         "a directory cannot hold pages")
        link = self.dir / "link.pa"
        link.symlink_to(file)
        self.fails(NOT_AVAILABLE, "not available here: a symbolic link", "--kernel", "sim:nvme",
                   "write", link, 5, "x")
        self.assertEqual(self.ok("read", file, 5), b"hello\n")

    def test_a_file_that_cannot_be_replaced_stays(self):
        file = self.dir / "x.pa"
        self.ok("write", file, 5, "hello")
        # No process may write a longer file than this: the copy fails half-way, whoever we are.
        prefix = ("/bin/bash", "-c", 'ulimit -f 4; trap "" XFSZ; exec "$@"', "bash")
        result = run("--kernel", "sim:nvme", "write", file, 5, "other", prefix=prefix)
        self.assertEqual(result.returncode, REFUSED, text(result))
        self.assertIn(b"cannot", result.stderr)
        self.assertEqual(self.ok("read", file, 5), b"hello\n")
        self.assertEqual(os.listdir(self.dir), ["x.pa"], "a piece of the copy is left")


class PowerCut(CliTest):
    def left(self, seed, *more):
        """What a cut leaves of a page that had other bytes before: None when it is damaged."""
        file = self.dir / "x.pa"
        file.write_bytes(bytes(5 * PAGE) + b"old".ljust(PAGE, b"\0"))
        result = run("--kernel", "sim:nvme", "--power-cut", seed, "write", file, 5, "new", *more)
        self.assertEqual(result.returncode, OK, text(result))
        self.assertIn(b"; then the power went, and the file is ", result.stderr)
        page = file.read_bytes()[5 * PAGE :]
        return {b"old".ljust(PAGE, b"\0"): "old", b"new".ljust(PAGE, b"\0"): "new"}.get(page)

    def test_what_was_not_synced_may_be_lost_and_what_was_synced_never(self):
        for impl in ALL:
            with self.subTest(impl=impl):
                synced = {self.left(seed, "--impl", impl) for seed in range(1, 21)}
                self.assertEqual(synced, {"new"})
                unsynced = {self.left(seed, "--impl", impl, "--no-sync") for seed in range(1, 21)}
                self.assertTrue({"old", "new"} <= unsynced, unsynced)

    def test_a_new_file_may_vanish(self):
        found = set()
        for seed in range(1, 21):
            file = self.dir / f"{seed}.pa"
            run("--kernel", "sim:nvme", "--power-cut", seed, "write", file, 0, "x", "--no-sync")
            found.add(file.exists())
            synced = self.dir / f"{seed}-synced.pa"
            run("--kernel", "sim:nvme", "--power-cut", seed, "write", synced, 0, "x")
            self.assertEqual(self.ok("read", synced, 0), b"x\n")
        self.assertEqual(found, {False, True})

    def test_the_same_cut_leaves_the_same(self):
        for seed in range(1, 6):
            self.assertEqual(self.left(seed, "--no-sync"), self.left(seed, "--no-sync"))


class NotAMachine(CliTest):
    def test_wrong_names_are_refused(self):
        file = self.dir / "x.pa"
        names = "linux, sim:hdd, sim:sata, sim:nvme or sim:object"
        for name in ("sim", "sim:", "sim:floppy", "nvme", "Linux", "", "sim:nvme:", "sim:nvme:x",
                     "sim:nvme:-1", "sim:nvme:1:2", f"sim:nvme:{2**64}"):
            self.fails(USAGE, names + r".* \(see pagealloc --help\)$", "--kernel", name, "write", file, 0, "x")
        self.assertFalse(file.exists())

    def test_a_power_cut_needs_a_machine(self):
        file = self.dir / "x.pa"
        for kernel in ((), ("--kernel", "linux")):
            self.fails(USAGE, "needs a simulated machine", *kernel, "--power-cut", 3, "write", file,
                       0, "x")
        for cut in (0, 1001):
            self.fails(USAGE, "is not from 1 to 1000", "--kernel", "sim:nvme", "--power-cut", cut,
                       "write", file, 0, "x")
        self.assertFalse(file.exists())

    def test_linux_by_name(self):
        file = self.dir / "x.pa"
        self.ok("--kernel", "linux", "write", file, 0, "x")
        self.assertEqual(self.ok("read", file, 0), b"x\n")
