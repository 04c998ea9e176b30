"""./lab costs: what grading costs here, measured with submissions that differ as students' do."""

import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

from course import check, proof, starter, terminal
from course.labs import ROOT, Trouble


@dataclass(frozen=True)
class Cost:
    seconds: float        # by the clock
    cpu_s: float          # of all its processes together
    memory_bytes: int     # of the largest of its processes, compilers among them


def whole_submission(lab, folder, patched=None):
    """The lab's files as they would be handed in: the references, one of them perhaps patched."""
    for file in lab.files:
        text = (ROOT / file.reference).read_text(encoding="utf-8")
        (folder / file.name).write_text(starter.plain(text), encoding="utf-8")
    if patched is not None:
        proof.apply(lab, patched, folder)


def starter_submission(lab, folder):
    for file in lab.files:
        shutil.copyfile(lab.folder / file.name, folder / file.name)


def cost_of(lab, folder):
    """One submission's grading, as an instructor's script would have it done."""
    began = time.monotonic()
    process = subprocess.Popen(
        [str(ROOT / "lab"), "grade", lab.number, "--json", "--hidden", "--seed", "4711",
         "--submission", str(folder), "-o", os.devnull],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Trouble(f"grading failed: {said.decode(errors='replace').strip()}")
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss << 10)


def makers(lab):
    """Fills a folder with a submission: the starter, the reference, each patched one, and again."""
    yield lambda folder: starter_submission(lab, folder)
    yield lambda folder: whole_submission(lab, folder)
    for patched in proof.patches(lab, "right") + proof.patches(lab, "wrong"):
        yield lambda folder, patched=patched: whole_submission(lab, folder, patched)


def costs_of(lab, submissions):
    found = []
    for number, fill in enumerate(itertools.islice(itertools.cycle(makers(lab)), submissions), 1):
        terminal.status(f"Lab {lab.number}: submission {number} of {submissions}")
        with tempfile.TemporaryDirectory(prefix="pagealloc-costs-") as folder:
            fill(pathlib.Path(folder))
            found.append(cost_of(lab, folder))
    terminal.end_status()
    return found


def line(lab, found):
    seconds = [each.seconds for each in found]
    return (f"| {lab.number} {lab.title} | {len(found)} | {statistics.median(seconds):.1f} | "
            f"{max(seconds):.1f} | {statistics.mean(each.cpu_s for each in found):.1f} | "
            f"{max(each.memory_bytes for each in found) >> 20} | "
            f"{200 * statistics.mean(seconds) / 60:.0f} |")


def costs(chosen, submissions):
    for lab in chosen:  # what the first one would have to build is none of its costs
        check.prepare(lab)
    print("| lab | submissions | seconds, median | seconds, longest | of the processors, mean | "
          "MiB, largest process | minutes for 200 |")
    print("|---|---|---|---|---|---|---|")
    for lab in chosen:
        print(line(lab, costs_of(lab, submissions)), flush=True)
    return 0
