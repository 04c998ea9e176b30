"""What the tests of the `pagealloc` command share: running it, and how it may fail."""

import ctypes
import functools
import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import unittest

ALL = ("pread", "mmap", "direct", "uring")
OK, USAGE, REFUSED, CANNOT_OPEN, NOT_AVAILABLE, IO, DISK_FULL, DAMAGED = range(8)
PAGE = 4096
LAST = 2**64 - 1
HANG_S = 60  # no result depends on it: it ends a command that waits for ever

binary = ""
missing = {}  # implementation -> why it is not available in the temporary directory


def run(*args, prefix=(), **more):
    if "input" not in more:
        more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    command = [*map(str, prefix), binary, *map(str, args)]
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=HANG_S, **more)


CONDITIONS = {".": "free", "_": "punched", "B": "superblock", "M": "map", "S": "slotted",
              "N": "node", "O": "overflow", "?": "unknown", "!": "damaged"}


def drawn_pages(*file, **more):
    """Of each page, as `pagealloc map` draws it: its condition, and the first page of its run."""
    rows = re.findall(r"^ *\d+  (\S+)$", run("map", *file, **more).stdout.decode(), re.MULTILINE)
    pages = []
    for page, letter in enumerate("".join(rows)):
        pages.append(pages[-1] if letter == "+" else (CONDITIONS[letter], page))
    return pages


def each_impl(test):
    """Runs test(self, impl) for every implementation; those that are missing show as skipped."""

    @functools.wraps(test)
    def run_each(self):
        for impl in ALL:
            with self.subTest(impl=impl):
                if impl in missing:
                    self.skipTest(f"{impl} is not available here: {missing[impl]}")
                test(self, impl)

    return run_each


def text(result):
    return f"exit {result.returncode}\nout: {result.stdout!r}\nerr: {result.stderr!r}"


class CliTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="pagealloc-cli-")
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)
        self.dir.chmod(0o755)

    def ok(self, *args, **more):
        result = run(*args, **more)
        self.assertEqual(result.returncode, OK, text(result))
        self.assertEqual(result.stderr, b"")
        return result.stdout

    def fails(self, code, pattern, *args, out=b"", **more):
        """Exactly one line on stderr, the documented exit code, nothing on stdout."""
        result = run(*args, **more)
        self.assertEqual(result.returncode, code, text(result))
        self.one_line(result.stderr, pattern)
        if out is not None:
            self.assertEqual(result.stdout, out)

    def one_line(self, stderr, pattern):
        self.assertRegex(stderr, rb"\Apagealloc: [^\n]+\n\Z")
        self.assertRegex(stderr.decode(), pattern)


def prepare(path):
    """Tells which binary to test, and finds out what this machine does not offer."""
    global binary
    binary = os.path.abspath(path)
    with tempfile.TemporaryDirectory(prefix="pagealloc-cli-") as directory:
        file = pathlib.Path(directory) / "probe.pa"
        run("create", file)
        report = json.loads(run("stat", file, "--json").stdout)
    missing.update(
        {e["name"]: e["reason"] for e in report["implementations"] if not e["available"]}
    )
    # Asked of the system itself: a command that refused everything would skip every test.
    wrong = [name for name in missing if machine_offers(name)]
    if wrong:
        raise SystemExit(f"this machine offers {', '.join(wrong)}, and the command says: {missing}")


def machine_offers(impl):
    if impl == "uring":
        enough_bytes = 1 << 20  # for the frames that are registered
        if 0 <= resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < enough_bytes:
            return False
        setup_call = 425
        ring = ctypes.CDLL(None).syscall(setup_call, 1, ctypes.create_string_buffer(120))
        if ring < 0:
            return False
        os.close(ring)
    if impl in ("uring", "direct"):
        with tempfile.NamedTemporaryFile(prefix="pagealloc-cli-") as file:
            try:
                os.close(os.open(file.name, os.O_RDWR | os.O_DIRECT))
            except OSError:
                return False
    return True
