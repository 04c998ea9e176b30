"""Programs in labs_sandbox: its command line, what it has to say itself, and scratch folders, which
are the only place where such a program may change anything."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from course.labs import ROOT, Trouble

PROGRAM = ROOT / "build" / "debug" / "bin" / "labs_sandbox"


@contextlib.contextmanager
def scratch_folder(prefix, inside=None):
    """A folder that whoever the sandbox makes of us may write to, and that goes away."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=inside)
    try:
        os.chmod(folder, 0o777)
        yield folder
    finally:
        remove(folder)


def remove(folder):
    """Whatever somebody has left in it: folders too deep for shutil.rmtree, and closed ones."""
    if subprocess.run(["rm", "-rf", "--", folder], capture_output=True, check=False).returncode == 0:
        return
    subprocess.run(["chmod", "-R", "u+rwx", "--", folder], capture_output=True, check=False)
    done = subprocess.run(["rm", "-rf", "--", folder], capture_output=True, text=True,
                          errors="replace", check=False)
    if done.returncode != 0:  # the grade is right all the same
        print(f"{folder} could not be removed: {done.stderr.strip()[:200]}", file=sys.stderr)


def end_group(process):
    """It, and the compiler proper that a compiler driver has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Sandbox:
    """One start of labs_sandbox. `limits` are seconds of processor time, bytes of memory and of a
    file; `alone` or with children."""

    def __init__(self, folder, limits, alone=True):
        self.mode = "alone" if alone else "with-children"
        self.folder = folder
        self.limits = limits
        self.says, self.says_to = os.pipe()

    def command(self, words):
        """What to run; pass_fds must have `says_to`."""
        return [str(PROGRAM), self.mode, str(self.says_to), str(self.folder),
                *(str(limit) for limit in self.limits), *words]

    def started(self):
        """Call when the process is there. True: it is confined to its folder. Trouble: it does not
        run at all. The other end is closed when the program begins, so this does not wait for it."""
        os.close(self.says_to)
        with open(self.says, encoding="utf-8", errors="replace") as said:
            text = said.read().strip()
        if text.startswith("no sandbox"):
            raise Trouble(text)
        return "unconfined" not in text


def available():
    """Why submissions are not confined to a folder on this machine; empty: they are."""
    with scratch_folder("pagealloc-probe-") as folder:
        box = Sandbox(folder, (10, 1 << 30, 1 << 20))
        process = subprocess.Popen(box.command([shutil.which("true")]), pass_fds=[box.says_to])
        try:
            confined = box.started()
        finally:
            process.wait()
    return "" if confined else ("not available here: Landlock; only the rights of its user keep a "
                                "submission from changing other files")
