"""What the `pagealloc` command refuses, and what the machine refuses it. Run by cli_test.py."""

import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import tempfile

from case import (CANNOT_OPEN, DISK_FULL, IO, LAST, NOT_AVAILABLE, OK, PAGE, REFUSED, USAGE,
                  CliTest, each_impl, missing, run, text)


class BadInput(CliTest):
    @each_impl
    def test_page_beyond_the_end(self, impl):
        file = self.dir / f"{impl}.pa"
        self.ok("create", file, "--pages", 3)
        for page in (3, 10**15):
            pattern = rf"page {page} \(offset {page * PAGE}\): beyond the end, the file has 3 pages"
            self.fails(REFUSED, pattern, "read", file, page, "--impl", impl)
            self.fails(REFUSED, pattern, "hexdump", file, page, "--impl", impl)
            self.fails(REFUSED, pattern, "punch", file, page, "--impl", impl)
        self.fails(REFUSED, "a run of 3 pages", "punch", file, 1, 3, "--impl", impl)
        self.fails(REFUSED, "a count of 0", "punch", file, 1, 0, "--impl", impl)

    @each_impl
    def test_the_largest_page_number(self, impl):
        file = self.dir / f"{impl}.pa"
        self.ok("write", file, 0, "keep")
        before = file.read_bytes()
        for command in ("read", "hexdump", "punch"):
            self.fails(REFUSED, f"page {LAST}: beyond", command, file, LAST, "--impl", impl)
        self.fails(REFUSED, f"page {LAST}: no file", "write", file, LAST, "x", "--impl", impl)
        self.assertEqual(file.read_bytes(), before)
        new = self.dir / f"{impl}-new.pa"
        self.fails(REFUSED, f"page {LAST}: no file", "write", new, LAST, "x", "--impl", impl)
        self.fails(REFUSED, "no file can", "create", new, "--pages", LAST, "--impl", impl)
        self.assertFalse(new.exists())

    @each_impl
    def test_page_size_not_a_power_of_two(self, impl):
        file = self.dir / "x.pa"
        self.ok("write", file, 0, "keep")
        new = self.dir / "new.pa"
        for size in (0, 1, 256, 1000, 131072, 2**32 + 4096, LAST):
            more = ("--page-size", size, "--impl", impl)
            pattern = f"page size {size} is not a power of two from 512 to 65536"
            self.fails(REFUSED, pattern, "read", file, 0, *more)
            self.fails(REFUSED, pattern, "hexdump", file, *more)
            self.fails(REFUSED, pattern, "stat", file, *more)
            self.fails(REFUSED, pattern, "punch", file, 0, *more)
            self.fails(REFUSED, pattern, "write", new, 0, "x", *more)
            self.fails(REFUSED, pattern, "create", new, *more)
        self.assertFalse(new.exists())

    @each_impl
    def test_file_that_is_not_a_multiple_of_the_page_size(self, impl):
        file = self.dir / "x.pa"
        file.write_bytes(b"x" * 5000)
        for args in (("read", file, 0), ("write", file, 0, "x"), ("hexdump", file)):
            self.fails(REFUSED, "5000 bytes is not a multiple", *args, "--impl", impl)
        self.assertEqual(file.read_bytes(), b"x" * 5000)

    @each_impl
    def test_what_cannot_hold_pages(self, impl):
        fifo = self.dir / f"{impl}.fifo"
        os.mkfifo(fifo)
        for path, kind in ((self.dir, "a directory"), (fifo, "a FIFO")):
            pattern = f"{kind} cannot hold pages"
            for args in (("read", path, 0), ("write", path, 0, "x"), ("hexdump", path),
                         ("stat", path), ("punch", path, 0), ("create", path)):
                self.fails(REFUSED, pattern, *args, "--impl", impl)
            self.fails(REFUSED, pattern, "write-direct", path, 0, "x")

    @each_impl
    def test_missing(self, impl):
        for args in (("read", self.dir / "no.pa", 0), ("punch", self.dir / "no.pa", 0),
                     ("stat", self.dir / "no.pa"), ("hexdump", self.dir / "no.pa"),
                     ("write", self.dir / "no" / "x.pa", 0, "x")):
            self.fails(CANNOT_OPEN, "No such file or directory", *args, "--impl", impl)
        self.assertEqual(list(self.dir.iterdir()), [])

    @each_impl
    def test_text_too_long(self, impl):
        new = self.dir / "new.pa"
        self.fails(REFUSED, r"page 1 \(offset 4096\): 4097 bytes do not fit into a page of 4096",
                   "write", new, 1, "x" * 4097, "--impl", impl)
        self.fails(REFUSED, "more than 4096 bytes do not fit into a page of 4096",
                   "write", new, 1, "-", "--impl", impl, input=b"x" * 4097)
        self.assertFalse(new.exists())

    def test_create_keeps_what_is_no_page_file_either(self):
        file = self.dir / "x.txt"
        file.write_bytes(b"x" * 5000)
        self.fails(CANNOT_OPEN, "exists already and holds 5000 bytes", "create", file)
        self.assertEqual(file.read_bytes(), b"x" * 5000)

    def test_a_name_with_a_line_end_stays_one_line(self):
        self.fails(CANNOT_OPEN, r"a\\x0ab", "read", "a\nb", 0, cwd=self.dir)

    def test_usage(self):
        file = self.dir / "x.pa"
        self.ok("write", file, 0, "x")
        for pattern, args in {
            "a subcommand is required": (),
            "no subcommand or option 'nope'": ("nope",),
            "no subcommand or option '--nope'": ("--nope",),
            "FILE is required": ("read",),
            "FILE: the name is empty": ("read", "", "0"),
            "PAGE is required": ("read", file),
            "PAGE: '-1' is not": ("read", file, "-1"),
            "PAGE: '1x' is not": ("write", file, "1x", "text"),
            "PAGE: '0x10' is not": ("read", file, "0x10"),
            "PAGE: '18446744073709551616' is not": ("read", file, LAST + 1),
            "COUNT: 'many' is not": ("punch", file, "0", "many"),
            "TEXT is required": ("write", file, "0"),
            "'--text' was not expected; put --": ("write", file, "0", "--text"),
            r"'--raww' was not expected \(see": ("read", file, "0", "--raww"),
            r"'extra' was not expected \(see pagealloc read --help\)": ("read", file, 0, "extra"),
            "--page-size: '4k' is not": ("read", file, "0", "--page-size", "4k"),
            "--impl: 'libaio' is not one of pread, mmap, direct, uring":
                ("read", file, "0", "--impl", "libaio"),
        }.items():
            self.fails(USAGE, pattern, *args)


class Environment(CliTest):
    """What the machine refuses."""

    def as_nobody(self):
        """A prefix for a command that permissions bind."""
        if os.geteuid() != 0:
            return ()
        if shutil.which("setpriv") is None:
            self.skipTest("permissions do not bind root, and setpriv is not installed")
        prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        try:
            reached = run("--version", prefix=prefix).returncode == OK
        except OSError:
            reached = False
        if not reached:
            self.skipTest("permissions do not bind root, and nobody may not run the command")
        return prefix

    @each_impl
    def test_read_only_file(self, impl):
        prefix = self.as_nobody()
        file = self.dir / f"{impl}.pa"
        self.ok("write", file, 0, "keep")
        file.chmod(0o444)
        before = file.read_bytes()
        for args in (("write", file, 0, "x"), ("punch", file, 0)):
            self.fails(CANNOT_OPEN, "cannot open for writing: Permission denied",
                       *args, "--impl", impl, prefix=prefix)
        self.fails(CANNOT_OPEN, "cannot open for writing: Permission denied",
                   "write-direct", file, 0, "x", prefix=prefix)
        self.assertEqual(file.read_bytes(), before)
        # Reading asks for no more than it needs.
        self.assertEqual(self.ok("read", file, 0, "--impl", impl, prefix=prefix), b"keep\n")
        self.ok("hexdump", file, "--impl", impl, prefix=prefix)
        self.ok("stat", file, "--impl", impl, prefix=prefix)
        file.chmod(0)
        self.fails(CANNOT_OPEN, "cannot open: Permission denied",
                   "read", file, 0, "--impl", impl, prefix=prefix)

    def needs(self, *command):
        """Runs what only root may; its output, or this test is skipped."""
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False)
        except OSError as error:
            self.skipTest(f"{command[0]} is not available here: {error.strerror}")
        if done.returncode != 0:
            self.skipTest(f"{command[0]} is not available here: no right to")
        return done.stdout.decode().strip()

    def small_disk(self, impl):
        disk = self.dir / impl
        disk.mkdir()
        self.needs("mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", str(disk))
        # Lazily: the kernel lets go of a ring's files some time after their process ended.
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        return disk

    @each_impl
    def test_file_system_mounted_read_only(self, impl):
        disk = self.small_disk(impl)
        file = disk / "x.pa"
        self.ok("write", file, 0, "keep")
        if run("stat", file, "--impl", impl).returncode == NOT_AVAILABLE:
            self.skipTest(f"{impl} is not available on tmpfs here")
        self.needs("mount", "-o", "remount,ro", str(disk))
        refused = "cannot open for writing: Read-only file system"
        self.fails(CANNOT_OPEN, refused, "write", file, 0, "x", "--impl", impl)
        self.fails(CANNOT_OPEN, refused, "punch", file, 0, "--impl", impl)
        self.fails(CANNOT_OPEN, refused, "create", disk / "new.pa", "--impl", impl)
        self.fails(CANNOT_OPEN, refused, "write-direct", file, 0, "x")
        self.assertEqual(self.ok("read", file, 0, "--impl", impl), b"keep\n")
        self.ok("hexdump", file, "--impl", impl)
        self.ok("stat", file, "--impl", impl)

    @each_impl
    def test_block_device(self, impl):
        image = self.dir / f"{impl}.img"
        image.write_bytes(bytes(8 * PAGE))
        device = self.needs("losetup", "--find", "--show", str(image))
        self.addCleanup(subprocess.run, ["losetup", "--detach", device], check=True)
        self.ok("write", device, 5, "hello", "--impl", impl)
        self.assertEqual(self.ok("read", device, 5, "--impl", impl), b"hello\n")
        self.assertEqual(image.read_bytes()[5 * PAGE : 5 * PAGE + 6], b"hello\0")
        self.ok("hexdump", device, 5, "--impl", impl)
        self.ok("stat", device, "--impl", impl)
        self.fails(NOT_AVAILABLE, r"not available here: punch on this kind of file",
                   "punch", device, 5, "--impl", impl)
        self.fails(REFUSED, "beyond the end of a block device of 8 pages",
                   "write", device, 8, "x", "--impl", impl)
        self.fails(REFUSED, r"page 8 \(offset 32768\): beyond the end, the file has 8 pages",
                   "read", device, 8, "--impl", impl)
        self.assertEqual(self.ok("read", device, 5), b"hello\n")

    @each_impl
    def test_disk_full(self, impl):
        disk = self.small_disk(impl)
        file = disk / "x.pa"
        if run("create", file, "--impl", impl).returncode == NOT_AVAILABLE:
            self.skipTest(f"{impl} is not available on tmpfs here")

        # Growth that does not fit.
        self.ok("write", file, 3, "keep", "--impl", impl)
        before = file.read_bytes()
        self.fails(DISK_FULL, "cannot resize from 4 to 1001 pages: No space left on device",
                   "write", file, 1000, "x", "--impl", impl)
        self.assertEqual(file.read_bytes(), before)
        self.assertEqual(self.ok("read", file, 3, "--impl", impl), b"keep\n")
        new = disk / "new.pa"
        self.fails(DISK_FULL, "No space left", "create", new, "--pages", 1000, "--impl", impl)
        self.assertFalse(new.exists())
        self.fails(DISK_FULL, "No space left", "write", new, 1000, "x", "--impl", impl)
        self.assertFalse(new.exists())
        new.touch()
        self.fails(DISK_FULL, "No space left", "create", new, "--pages", 1000, "--impl", impl)
        self.assertTrue(new.exists())  # it was there before

        # A hole of a disk that filled up meanwhile.
        self.ok("punch", file, 1, "--impl", impl)
        room = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize))
        self.fails(DISK_FULL, r"page 1 \(offset 4096\): cannot write, nothing was changed: No space",
                   "write", file, 1, "x", "--impl", impl)
        self.assertEqual(file.read_bytes(), before)
        self.ok("write", file, 3, "changed", "--impl", impl)  # this page has its space
        self.assertEqual(self.ok("read", file, 3), b"changed\n")

    def test_memory_lock_limit(self):
        if "uring" in missing:
            self.skipTest(f"uring is not available here: {missing['uring']}")
        prefix = ()
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None:
                self.skipTest("RLIMIT_MEMLOCK does not bind root, and setpriv is not installed")
            prefix = ("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock")
        file = self.dir / "x.pa"
        self.ok("write", file, 0, "keep", "--page-size", 65536)
        before = file.read_bytes()
        limit = 65536
        self.fails(NOT_AVAILABLE, "not available here: .* RLIMIT_MEMLOCK is 65536 bytes",
                   "write", file, 0, "x", "--page-size", 65536, "--impl", "uring", prefix=prefix,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit)))
        self.assertEqual(file.read_bytes(), before)

    def test_io_uring_refused(self):
        file = self.dir / "x.pa"
        try:
            self.fails(NOT_AVAILABLE, "not available here: io_uring", "write", file, 0, "x",
                       "--impl", "uring", preexec_fn=forbid_io_uring)
        except subprocess.SubprocessError:
            self.skipTest("seccomp filters are not available here")
        self.assertFalse(file.exists())
        for impl in ("pread", "mmap"):
            self.ok("write", file, 0, "x", "--impl", impl, preexec_fn=forbid_io_uring)
        report = json.loads(self.ok("stat", file, "--json", preexec_fn=forbid_io_uring))
        uring = [entry for entry in report["implementations"] if entry["name"] == "uring"]
        self.assertFalse(uring[0]["available"])
        self.assertIn("io_uring", uring[0]["reason"])
        shown = self.ok("stat", file, preexec_fn=forbid_io_uring).decode()
        self.assertRegex(shown, r"\n  uring +not available here: io_uring")

    def test_output_that_cannot_be_written(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        file = self.dir / "x.pa"
        self.ok("write", file, 300, "x")
        for args in (("read", file, 300), ("hexdump", file, 300), ("stat", file), ("--help",),
                     ("--version",), ("write", file, 0, "y"), ("punch", file, 1)):
            with self.subTest(args=args[0]), open("/dev/full", "wb") as full:
                self.fails(IO, "cannot write to the standard output: No space left", *args,
                           stdout=full, out=None)

    def test_input_that_cannot_be_read(self):
        file = self.dir / "x.pa"
        directory = os.open(self.dir, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        self.fails(IO, "cannot read the standard input: Is a directory", "write", file, 0, "-",
                   stdin=directory)
        self.assertFalse(file.exists())


def forbid_io_uring():
    """A seccomp filter, as containers have it: io_uring_setup returns EPERM."""
    load, equal, give = 0x20, 0x15, 0x06
    setup_call, allow, refuse = 425, 0x7FFF0000, 0x00050000 | 1  # EPERM
    rows = ((load, 0, 0, 0), (equal, 0, 1, setup_call), (give, 0, 0, refuse), (give, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    program = struct.pack("HP", len(rows), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if libc.prctl(seccomp, filter_mode, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class WriteDirect(CliTest):
    def rules(self, directory):
        """What a write that keeps every rule says that the rules are: memory, offset, length."""
        file = directory / "rules.pa"
        result = run("write-direct", file, 1, "hello")
        if result.returncode == NOT_AVAILABLE:
            self.one_line(result.stderr, "not available here: this file system refuses O_DIRECT")
            self.skipTest("O_DIRECT is not available in this directory")
        self.assertEqual(result.returncode, OK, text(result))
        self.assertEqual(file.read_bytes(), bytes(PAGE) + b"hello" + bytes(PAGE - 5))
        shown = result.stdout.decode()
        self.assertIn(f"{file}: wrote 4096 bytes at offset 4096 (page 1) with O_DIRECT", shown)
        return [int(n) for n in re.findall(r"must be a multiple of (\d+)", shown)]

    def check(self, directory):
        memory, offset, length = self.rules(directory)
        for missing_file in (False, True):
            file = directory / f"x{missing_file}.pa"
            if not missing_file:
                self.ok("write", file, 1, "keep")
            before = None if missing_file else file.read_bytes()
            start = 2 * PAGE
            for n, page, what in ((memory, "page 2", "buffer"), (offset, "page 2", "offset")):
                for past in {1, n // 2, n - 1, n + 1} - {0}:
                    self.fails(REFUSED, rf"{page} \(offset \d+\): misaligned for O_DIRECT, the "
                               rf"{what}.* is not a multiple of {n} \(", "write-direct", file, 2,
                               "hi", f"--misalign-{what}", past)
            for bad in {length // 2, length - 1, length + 1, 100} - {0, length}:
                self.fails(REFUSED, rf"\(offset {start}\): misaligned for O_DIRECT, the length "
                           rf"{bad} is not a multiple of {length} \(", "write-direct", file, 2,
                           "hi", "--length", bad)
            self.assertEqual(file.read_bytes() if file.exists() else None, before)
            # One rule kept exactly is enough: 4096 is a habit, not the rule.
            self.ok("write-direct", file, 2, "hi", "--misalign-buffer", memory)
            self.assertEqual(self.ok("read", file, 2), b"hi\n")
            self.ok("write-direct", file, 2, "there", "--length", length)
            self.assertEqual(self.ok("read", file, 2), b"there\n")
            self.ok("write-direct", file, 4, "moved", "--misalign-offset", offset)
            at = 4 * PAGE + offset
            self.assertEqual(file.read_bytes()[at : at + 6], b"moved\0")
            self.assertEqual(file.stat().st_size % PAGE, 0)

    def test_rules_of_the_temporary_directory(self):
        self.check(self.dir)

    def test_rules_on_tmpfs(self):
        mounts = pathlib.Path("/proc/mounts")
        mounts = [line.split()[1:3] for line in mounts.read_text().splitlines()]
        if ["/dev/shm", "tmpfs"] not in mounts:
            self.skipTest("/dev/shm is no tmpfs here")
        with tempfile.TemporaryDirectory(prefix="pagealloc-cli-", dir="/dev/shm") as directory:
            self.check(pathlib.Path(directory))

    def test_bad_input(self):
        file = self.dir / "x.pa"
        refused = {
            f"page {LAST}: no file can be that long": (LAST, "x"),
            "5000 bytes do not fit into a write of 4096": (0, "x" * 5000),
            "a length of 0 bytes": (0, "", "--length", 0),
            "more than the 1073741824": (0, "x", "--length", LAST),
            "page size 1000 is not": (0, "x", "--page-size", 1000),
        }
        for pattern, args in refused.items():
            self.fails(REFUSED, pattern, "write-direct", file, *args)
        self.assertFalse(file.exists())
        self.fails(CANNOT_OPEN, "No such file", "write-direct", self.dir / "no" / "x.pa", 0, "x")
        file.write_bytes(b"x" * 5000)
        self.fails(REFUSED, "not a multiple of the page size", "write-direct", file, 0, "x")
        self.assertEqual(file.read_bytes(), b"x" * 5000)
