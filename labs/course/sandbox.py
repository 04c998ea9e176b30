"""One process that is not trusted, from its start to its end."""

import os
import secrets
import select
import signal
import subprocess
import time
from dataclasses import dataclass

from course.confined import Sandbox, end_group, scratch_folder

MEMORY_BYTES = 1 << 30
FILE_BYTES = 16 << 20
OUTPUT_BYTES = 64 << 10  # of what it prints; the rest is dropped
REPORT_BYTES = 1 << 20


@dataclass
class Raw:
    """What the parent has seen of a run, before anything of it is believed."""
    words: tuple = ("", "")  # that the process was given, and nobody else: to begin and to end with
    report: bytes = b""      # what came on the descriptor for reports
    output: str = ""         # what it printed
    status: int = 0          # as subprocess has it: negative is a signal
    late: bool = False       # ended by the parent, after so much time by the clock
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_bytes: int = 0
    cpu_limit_s: int = 0


def run(program, arguments, seed, cpu_s, wall_s):
    """Runs `program` in a sandbox; its last argument will be the descriptor it reports on. The seed
    comes with the words, on its standard input: a command line is read by everybody."""
    raw = Raw(words=(secrets.token_hex(16), secrets.token_hex(16)), cpu_limit_s=cpu_s)
    report, report_to = os.pipe()
    with scratch_folder("pagealloc-run-") as scratch:
        box = Sandbox(scratch, (cpu_s, MEMORY_BYTES, FILE_BYTES))
        begun = time.monotonic()
        process = subprocess.Popen(
            box.command([str(program), *arguments, str(report_to)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[report_to, box.says_to], start_new_session=True, bufsize=0,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        os.close(report_to)
        try:
            process.stdin.write((" ".join((*raw.words, str(seed))) + "\n").encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended before it had read anything
        try:
            box.started()
            printed = watch(process, raw, report, begun + wall_s)
        finally:
            os.close(report)
            process.stdout.close()
            end_group(process)  # nothing, unless there was no sandbox, or somebody has interrupted us
        raw.wall_s = time.monotonic() - begun
    raw.output = printed.decode(errors="replace")
    return raw


def watch(process, raw, report, deadline):
    """Reads what it reports and prints until it has ended or its time is up, and then ends whatever
    it has started. What it printed."""
    kept = {report: bytearray(), process.stdout.fileno(): bytearray()}
    most = {report: REPORT_BYTES, process.stdout.fileno(): OUTPUT_BYTES}
    ended = os.pidfd_open(process.pid)
    poll = select.poll()
    for fd in (*kept, ended):
        poll.register(fd, select.POLLIN)
    while True:
        left_ms = max(0, (deadline - time.monotonic()) * 1000)
        ready = [fd for fd, _ in poll.poll(left_ms)]
        for fd in ready:
            if fd != ended and not take(fd, kept[fd], most[fd]):
                poll.unregister(fd)
        if ended in ready:
            break
        if time.monotonic() >= deadline:
            raw.late = True
            break
    os.close(ended)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = raw.status = os.waitstatus_to_exitcode(status)
    raw.cpu_s = usage.ru_utime + usage.ru_stime
    raw.memory_bytes = usage.ru_maxrss * 1024
    for fd in kept:  # what was on its way
        os.set_blocking(fd, False)
        while take(fd, kept[fd], most[fd]):
            pass
    raw.report = bytes(kept[report])
    return bytes(kept[process.stdout.fileno()])


def take(fd, kept, most):
    """Reads once; False at the end."""
    try:
        some = os.read(fd, 65536)
    except BlockingIOError:
        return False
    kept.extend(some[:max(0, most - len(kept))])
    return bool(some)
