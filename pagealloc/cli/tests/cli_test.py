"""The `pagealloc` command, from outside: what it prints, what it leaves on disk, how it fails.

    /usr/bin/python3 cli_test.py PATH_OF_PAGEALLOC [unittest arguments]

Only the standard library. A check that this machine cannot make (no strace, no right to mount, an
implementation that is not available) is skipped with its reason, never passed silently.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True  # the source tree stays as it was

import case
from case import (ALL, CANNOT_OPEN, HANG_S, IO, NOT_AVAILABLE, OK, PAGE, REFUSED, CliTest,
                  each_impl, missing, run, text)
from cache_trace import CacheTrace  # noqa: F401 (unittest finds them here)
from refusals import BadInput, Environment, WriteDirect  # noqa: F401 (unittest finds them here)
from simulated import NotAMachine, PowerCut, Simulated  # noqa: F401
from structured import Damage, Freeing, OtherFormats, RoundTrips, TheDocument  # noqa: F401


class RoundTrip(CliTest):
    def test_every_implementation_reads_what_every_other_wrote(self):
        images = set()
        for writer in ALL:
            for reader in ALL:
                with self.subTest(writer=writer, reader=reader):
                    for impl in (writer, reader):
                        if impl in missing:
                            self.skipTest(f"{impl} is not available here: {missing[impl]}")
                    file = self.dir / f"{writer}-{reader}.pa"
                    out = self.ok("write", file, 5, "hello", "--impl", writer)
                    self.assertEqual(out.decode(), f"{file}: wrote page 5 (5 bytes), durable\n")
                    self.assertEqual(self.ok("read", file, 5, "--impl", reader), b"hello\n")
                    images.add(file.read_bytes())
        self.assertEqual(images, {bytes(5 * PAGE) + b"hello" + bytes(PAGE - 5)})

    @each_impl
    def test_any_bytes(self, impl):
        file = self.dir / f"{impl}.pa"
        page = random.Random(1).randbytes(PAGE)
        for content in (page, page[:1000], b"\0\n\0", b"", b"\xff" * PAGE):
            self.ok("write", file, 2, "-", "--impl", impl, input=content)
            raw = self.ok("read", file, 2, "--raw", "--impl", impl)
            self.assertEqual(raw, content.ljust(PAGE, b"\0"))
            shown = self.ok("read", file, 2, "--impl", impl)
            self.assertEqual(shown, content.rstrip(b"\0") + b"\n")

    @each_impl
    def test_every_page_size(self, impl):
        for size in (512, 1024, 8192, 65536):
            file = self.dir / f"{impl}-{size}.pa"
            result = run("write", file, 3, "hello", "--page-size", size, "--impl", impl)
            if result.returncode == NOT_AVAILABLE:  # sectors larger than this page
                self.one_line(result.stderr, "not available here")
                continue
            self.assertEqual(result.returncode, OK, text(result))
            self.assertEqual(file.stat().st_size, 4 * size)
            self.assertEqual(self.ok("read", file, 3, "--page-size", size), b"hello\n")

    def test_texts_that_look_like_something_else(self):
        file = self.dir / "x.pa"
        for content in ("[a,b]", "{}", "a,b", "", "-5", "read", "%s", "'q'", "\u00e9"):
            self.ok("write", file, 0, content)
            self.assertEqual(self.ok("read", file, 0), content.encode() + b"\n")
        self.ok("write", file, 0, "--", "--no-sync")
        self.assertEqual(self.ok("read", file, 0), b"--no-sync\n")

    @each_impl
    def test_growth_is_allocated_and_create_loses_nothing(self, impl):
        file = self.dir / f"{impl}.pa"
        out = self.ok("create", file, "--pages", 3, "--impl", impl)
        self.assertEqual(out.decode(), f"{file}: created, 3 pages of 4096 bytes, durable\n")
        self.assertEqual(file.stat().st_size, 3 * PAGE)
        self.ok("write", file, 9, "end", "--impl", impl)
        self.assertGreaterEqual(file.stat().st_blocks * 512, 10 * PAGE)
        before = file.read_bytes()
        self.fails(CANNOT_OPEN, "exists already", "create", file, "--impl", impl)
        self.assertEqual(file.read_bytes(), before)


class Hexdump(CliTest):
    def setUp(self):
        super().setUp()
        self.file = self.dir / "x.pa"
        self.ok("write", self.file, 0, "hello")
        self.ok("write", self.file, 2, "-", input=bytes(range(256)))

    @each_impl
    def test_form(self, impl):
        out = self.ok("hexdump", self.file, "--impl", impl).decode().splitlines()
        self.assertEqual(
            out[:5],
            [
                "00000000  68 65 6c 6c 6f 00 00 00  00 00 00 00 00 00 00 00  |hello...........|",
                "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|",
                "*",
                "00002000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|",
                "00002010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|",
            ],
        )
        self.assertEqual(out[-1], "00003000")
        one = self.ok("hexdump", self.file, 2, "--impl", impl).decode().splitlines()
        self.assertEqual(one, out[3:])

    def test_same_as_hexdump_c(self):
        if shutil.which("hexdump") is None:
            self.skipTest("hexdump is not installed")
        peer = subprocess.run(["hexdump", "-C", self.file], stdout=subprocess.PIPE, check=True)
        self.assertEqual(self.ok("hexdump", self.file), peer.stdout)

    def test_empty_file(self):
        self.ok("create", self.dir / "empty.pa")
        self.assertEqual(self.ok("hexdump", self.dir / "empty.pa"), b"")


class Truncated(CliTest):
    """Somebody makes the file shorter while hexdump waits for a full pipe."""

    LINE = 79  # random bytes do not repeat, so every line is printed
    BYTES = 1 << 20
    CUT = (1 << 18) + 1536

    def dump_and_cut(self, impl, page, cut):
        content = random.Random(2).randbytes(self.BYTES)
        file = self.dir / f"{impl}-{page}-{cut}.pa"
        file.write_bytes(content)
        args = ("hexdump", file, "--impl", impl, "--page-size", page)
        whole = self.ok(*args)
        self.assertEqual(len(whole), self.BYTES // 16 * self.LINE + len("00400000\n"))
        command = [case.binary, *map(str, args)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        ) as process:
            self.addCleanup(process.kill)
            head = b""
            while len(head) < 65536:
                head += process.stdout.read(65536 - len(head))
            os.truncate(file, cut)
            rest, stderr = process.communicate(timeout=HANG_S)
        self.one_line(stderr, r"page \d+ \(offset \d+\): (a page of the map cannot be had: )?"
                              r"the file was made shorter")
        self.assertEqual(process.returncode, IO)
        out = head + rest
        self.assertEqual(out, whole[: len(out)], "bytes that the file never held were printed")
        return len(out)

    @each_impl
    def test_behind_the_reader(self, impl):
        printed = self.dump_and_cut(impl, PAGE, 0)
        self.assertLess(printed, self.BYTES)

    @each_impl
    def test_ahead_of_the_reader_inside_a_page(self, impl):
        printed = self.dump_and_cut(impl, PAGE, self.CUT)
        self.assertEqual(printed, self.CUT // PAGE * PAGE // 16 * self.LINE)

    @each_impl
    def test_ahead_of_the_reader_with_pages_smaller_than_memory_pages(self, impl):
        # Where the map shows zeros up to the end of the memory page, and no fault tells of it.
        probe = self.dir / "probe.pa"
        result = run("write", probe, 0, "x", "--page-size", 512, "--impl", impl)
        if result.returncode == NOT_AVAILABLE:
            self.skipTest("pages of 512 bytes are not available here")
        printed = self.dump_and_cut(impl, 512, self.CUT)
        self.assertEqual(printed, self.CUT // 16 * self.LINE)


class Durable(CliTest):
    def trace(self, *args):
        """The calls that `args` makes, as strace prints them, with the files' names."""
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        log = self.dir / "strace.log"
        prefix = ("strace", "-f", "-y", "-o", log, "-e",
                  "trace=fsync,fdatasync,pwrite64,pwritev,pwritev2,io_uring_enter")
        # LeakSanitizer, in a build that has it, cannot work below another tracer.
        options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        more = {"prefix": prefix, "env": {**os.environ, "ASAN_OPTIONS": options}}
        if run("--version", **more).returncode != OK:
            self.skipTest("ptrace is not permitted here")
        self.ok(*args, **more)
        lines = [re.sub(r"^\d+ +", "", line) for line in log.read_text().splitlines()]
        return [line for line in lines if not line.startswith(("+++", "---"))]

    @each_impl
    def test_write_syncs_file_and_directory_and_then_the_page(self, impl):
        file = self.dir / f"{impl}.pa"
        calls = self.trace("write", file, 5, "hello", "--impl", impl)
        for path in (file, self.dir):
            pattern = re.compile(rf"fsync\(\d+<{re.escape(str(path))}>\) += 0$")
            self.assertTrue(any(map(pattern.match, calls)), f"no fsync of the {path}: {calls}")
        if impl != "uring":
            self.assertRegex(calls[-2], r"^pwrite")
            self.assertRegex(calls[-1], rf"^fdatasync\(\d+<{re.escape(str(file))}>\) += 0$")
            return
        # The write and its sync are inside the ring: one io_uring_enter each.
        entered = sum(call.startswith("io_uring_enter") for call in calls)
        unsynced = self.trace("write", file, 5, "hello", "--impl", impl, "--no-sync")
        self.assertEqual(entered, 1 + sum(c.startswith("io_uring_enter") for c in unsynced))
        self.assertRegex(calls[-1], r"^io_uring_enter")

    @each_impl
    def test_no_sync(self, impl):
        file = self.dir / f"{impl}.pa"
        calls = self.trace("write", file, 5, "hello", "--impl", impl, "--no-sync")
        self.assertFalse([call for call in calls if "sync(" in call])
        out = self.ok("write", file, 5, "hello", "--impl", impl, "--no-sync")
        self.assertEqual(out.decode(), f"{file}: wrote page 5 (5 bytes), not synced\n")

    def test_create_and_write_direct_sync(self):
        file = self.dir / "x.pa"
        calls = self.trace("create", file, "--pages", 4)
        self.assertRegex(calls[-1], r"^fdatasync")
        if run("write-direct", file, 1, "x").returncode == NOT_AVAILABLE:
            self.skipTest("O_DIRECT is not available here")
        calls = self.trace("write-direct", file, 1, "x")
        self.assertRegex(calls[-2], r"^pwrite")
        self.assertRegex(calls[-1], r"^fdatasync")


class StatAndPunch(CliTest):
    @each_impl
    def test_stat(self, impl):
        file = self.dir / f"{impl}.pa"
        self.ok("create", file, "--pages", 8)
        report = json.loads(self.ok("stat", file, "--json", "--impl", impl))
        self.assertEqual(report["file"], str(file))
        self.assertEqual(report["size_bytes"], 8 * PAGE)
        self.assertEqual((report["pages"], report["page_bytes"]), (8, PAGE))
        self.assertEqual(report["blocks"], file.stat().st_blocks)
        self.assertEqual([entry["name"] for entry in report["implementations"]], list(ALL))
        for entry in report["implementations"]:
            self.assertEqual(entry["available"], entry["name"] not in missing)
            if entry["available"]:
                self.assertGreaterEqual(entry["align_bytes"], 1)
                self.assertEqual(entry["mapped"], entry["name"] == "mmap")
        shown = self.ok("stat", file, "--impl", impl).decode()
        self.assertIn("32768 bytes, 8 pages of 4096 bytes", shown)
        self.assertRegex(shown, rf"\n  {impl} +\S")

    @each_impl
    def test_punch(self, impl):
        file = self.dir / f"{impl}.pa"
        content = b"x" * (64 * PAGE)
        file.write_bytes(content)
        result = run("punch", file, 7, "--impl", impl)
        if result.returncode == NOT_AVAILABLE:
            self.skipTest("this file system does not punch holes")
        before, after = self.blocks_of(result.stdout.decode())
        self.assertEqual(after, file.stat().st_blocks)
        self.assertEqual(file.stat().st_size, len(content))
        self.assertEqual((before - after) * 512, PAGE)
        self.assertIn("freed    4096 bytes", result.stdout.decode())
        expected = content[: 7 * PAGE] + bytes(PAGE) + content[8 * PAGE :]
        self.assertEqual(file.read_bytes(), expected)
        again = self.ok("punch", file, 7, "--impl", impl).decode()
        self.assertIn("No block was freed: the range was a hole already.", again)
        before, after = self.blocks_of(self.ok("punch", file, 0, 64, "--impl", impl).decode())
        self.assertEqual((before - after) * 512, 63 * PAGE)
        self.assertEqual(file.read_bytes(), bytes(64 * PAGE))

    def blocks_of(self, shown):
        size = re.search(r"size +(\d+) bytes before, (\d+) bytes after", shown)
        self.assertEqual(size[1], size[2])
        blocks = re.search(r"on disk +(\d+) blocks before, (\d+) blocks after", shown)
        return int(blocks[1]), int(blocks[2])

    @each_impl
    def test_pages_smaller_than_a_block(self, impl):
        file = self.dir / f"{impl}.pa"
        file.write_bytes(b"x" * PAGE * 4)
        report = json.loads(self.ok("stat", file, "--json"))
        if report["file_system_block_bytes"] <= 512:
            self.skipTest("this file system's blocks are no larger than 512 bytes")
        result = run("punch", file, 1, "--page-size", 512, "--impl", impl)
        if result.returncode == NOT_AVAILABLE:
            self.skipTest("no pages of 512 bytes, or no holes, are available here")
        self.assertRegex(result.stdout.decode(), "No block was freed: pages of 512 bytes are smaller")
        content = file.read_bytes()
        self.assertEqual(content[:1536], b"x" * 512 + bytes(512) + b"x" * 512)


class Help(CliTest):
    COMMANDS = ("create", "write", "read", "hexdump", "stat", "punch", "write-direct")

    def test_version(self):
        self.assertRegex(self.ok("--version").decode(), r"\Apagealloc \d+\.\d+\.\d+\n\Z")

    def test_exit_codes_are_documented(self):
        shown = self.ok("--help").decode()
        for code in range(7):
            self.assertRegex(shown, rf"\n  {code}  \S")

    def test_the_examples_work(self):
        for command in ("", *self.COMMANDS):
            shown = self.ok(*[command] * bool(command), "--help").decode()
            lines = [line.strip() for line in shown[shown.index("Examples:") :].splitlines()]
            examples = [line for line in lines if "pagealloc " in line]
            self.assertTrue(examples)
            directory = self.dir / f"examples-{command}"
            directory.mkdir()
            if command not in ("", "create"):
                self.ok("create", directory / "x.pa", "--pages", 64)
            for example in examples:
                self.run_example(example, directory)

    def run_example(self, example, directory):
        line = re.split(r" {2,}", example)[0]
        if "SUBCOMMAND" in line:
            return
        refused = "--misalign-" in line
        path = {**os.environ, "PATH": f"{self.dir}/bin:{os.environ['PATH']}"}
        (self.dir / "bin").mkdir(exist_ok=True)
        if not (self.dir / "bin/pagealloc").exists():
            (self.dir / "bin/pagealloc").symlink_to(case.binary)
        result = subprocess.run(line, shell=True, cwd=directory, env=path, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=HANG_S)
        with self.subTest(example=line):
            if result.returncode == NOT_AVAILABLE:
                self.skipTest(result.stderr.decode().strip())
            if "--length 512" in line and b"is not a multiple of 4096" in result.stderr:
                self.skipTest("sectors are not 512 bytes here")
            self.assertEqual(result.returncode, REFUSED if refused else OK, text(result))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    case.prepare(sys.argv.pop(1))
    unittest.main(verbosity=2)
