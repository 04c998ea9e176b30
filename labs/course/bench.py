"""./lab bench NN: the student's code in the harness that measures the product, beside what the
reference made of it when it was recorded, and fio in the same run.

A ratio to fio of the same run is what can be compared from machine to machine; on the simulated
machine, where there is no fio and no luck, the figures themselves.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from course import build, check, guide, labs, record, run, terminal
from course.confined import Sandbox, end_group
from course.labs import ROOT, Trouble

PROGRAM = "pagealloc_bench"
FILE_SIZE = "256MiB"
ROUNDS = "4"
SIMULATED = "sim:nvme"
SANDBOX = (120, 2 << 30, 256 << 20)  # seconds of processor time, bytes of memory, of a file
UNTRUSTED_S = 180  # of a submission's measurement, by the clock
RESULTS_BYTES = 4 << 20
ROWS_MAX = 100


@dataclass
class Row:
    name: str
    value: float          # ratio to fio, or operations per second on the simulated machine
    low: float
    high: float
    peer: str = ""
    reason: str = ""      # why there is no value
    speed: float = 0      # operations per second, whatever `value` is


def name_of(row):
    parts = [row["workload"], row["impl"]]
    if row["variant"]:
        parts.append(row["variant"])
    if row["threads"] > 1:
        parts.append(f"{row['threads']} threads")
    elif row["depth"] > 1:
        parts.append(f"depth {row['depth']}")
    if row["batch"] > 1:
        parts.append(f"{row['batch']} writes a sync")
    return " ".join(parts).replace("_", " ")


def rows_of(results, simulated):
    key = ("workload", "impl", "variant", "threads", "depth", "batch")
    ratios = {tuple(ratio.get(name) for name in key): ratio for ratio in results["ratios"]}
    rows = []
    for row in results["rows"]:
        if row["impl"] == "fio":
            continue
        name = name_of(row)
        speed = float(row["median"]["ops_per_second"]) if row["available"] else 0
        if not row["available"]:
            rows.append(Row(name, 0, 0, 0, reason=row["reason"]))
        elif simulated:
            rows.append(Row(name, speed, speed, speed, speed=speed))
        else:
            ratio = ratios.get(tuple(row.get(name) for name in key))
            if ratio is None or ratio["ratio_median"] is None:
                rows.append(Row(name, 0, 0, 0, reason=row["reason"] or "no fio to compare with"))
            else:
                value, low, high = map(float, (ratio["ratio_median"], *ratio["ci95"]))
                rows.append(Row(name, value, low, high, ratio["peer"], speed=speed))
    return rows


def measure(program, lab, simulated, folder, untrusted):
    """Runs the harness: (rows, name of the machine). Its results.json stays in the folder."""
    command = [str(program), "--quick", "--rounds", ROUNDS, "--filter", lab.bench,
               "--file-size", FILE_SIZE, "--out", str(folder)]
    if simulated:
        command += ["--kernel", SIMULATED]
    status, said = measure_untrusted(command, folder) if untrusted else measure_own(command)
    if status == run.NOT_STARTED:
        raise Trouble(not_started(lab, said))
    path = pathlib.Path(folder) / "results.json"
    # It may have made a pipe or a link of it, or a file without end.
    if status != 0 or path.is_symlink() or not path.is_file() or \
            path.stat().st_size > RESULTS_BYTES:
        lines = said.strip().splitlines()
        raise Trouble(f"the measurement failed (status {status})"
                      + (f": {lines[-1]}" if lines else ""))
    results = labs.read_json(path)
    try:
        rows = rows_of(results, simulated)
        machine = SIMULATED if simulated else str(results["machine"]["cpu"])
    except (KeyError, TypeError, ValueError, AttributeError):
        rows = []
    if not 0 < len(rows) <= ROWS_MAX:
        raise Trouble("the measurement wrote results that nobody can read")
    return rows, machine


def measure_own(command):
    """(status, what it said, if that does not stand on the terminal)."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, text=True, check=False,
                          errors="replace",
                          stderr=subprocess.PIPE if not sys.stdout.isatty() else None)
    return done.returncode, done.stderr or ""


def measure_untrusted(command, folder):
    box = Sandbox(folder, SANDBOX)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(box.command(command), stdout=subprocess.DEVNULL, stderr=output,
                                   stdin=subprocess.DEVNULL, pass_fds=[box.says_to],
                                   start_new_session=True,
                                   env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        try:
            box.started()
            process.wait(UNTRUSTED_S)
        except subprocess.TimeoutExpired as error:
            raise Trouble(f"the measurement did not end within {UNTRUSTED_S} seconds") from error
        finally:
            end_group(process)
        output.seek(0)
        return process.returncode, output.read(build.SAID_BYTES).decode(errors="replace")


def not_started(lab, said):
    """Which function was missing, and whose it is, by what the harness has said."""
    match = re.search(r"NOT STARTED: (\S+)", said)
    if not match:  # it stands on the terminal already
        return f"the measurement of lab {lab.number} came to a function that is NOT STARTED"
    other = labs.owner_of(match.group(1), lab)
    return (f"the measurement of lab {lab.number} came to {match.group(1)}"
            + (f", which lab {other.number} is about" if other else "") + ": it is NOT STARTED")


def recorded(lab, simulated):
    """The reference's rows, by name; and on which machine they were made."""
    try:
        part = labs.read_json(lab.folder / "bench.json").get("simulated" if simulated else "real")
    except FileNotFoundError:
        part = None
    if part is None:
        return {}, ""
    return ({name: Row(name, *values) for name, values in part["rows"].items()},
            part["machine"])


def save_record(lab, rows, machine, simulated):
    path = lab.folder / "bench.json"
    whole = labs.read_json(path) if path.exists() else {}
    whole["simulated" if simulated else "real"] = {
        "machine": machine,
        "rows": {row.name: [round(row.value, 3), round(row.low, 3), round(row.high, 3)]
                 for row in rows if not row.reason}}
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def predicted(lab, rows):
    """(question, predicted, measured) of those predictions that this measurement answers: the table
    says of which two rows they compare the speeds, or of which one they are the value."""
    answers = guide.predictions_of(lab)
    values = {row.name: row for row in rows if not row.reason}
    found = []
    for question in lab.predictions:
        over, under = question.get("over"), question.get("under")
        if question["id"] not in answers or over not in values:
            continue
        if under is None:
            measured = values[over].value
        elif under in values:
            measured = values[over].speed / values[under].speed
        else:
            continue
        found.append((question["id"], answers[question["id"]], measured, question["unit"]))
    return found


def show(lab, rows, reference, simulated):
    unit = "operations/s" if simulated else "of fio"
    wide = max(len(row.name) for row in rows)
    print(f"\n  {'':<{wide}}  {'yours':>12}  {'reference':>12}   {unit}")
    for row in rows:
        if row.reason:
            print(f"  {row.name:<{wide}}  {row.reason}")
            continue
        other = reference.get(row.name)
        form = "{:>12,.0f}" if simulated else "{:>12.2f}"
        print(f"  {row.name:<{wide}}  {form.format(row.value)}  "
              f"{form.format(other.value) if other else '-':>12}")
    for name, said, measured, unit in predicted(lab, rows):
        print(f"\n  {name}: you predicted {said:g} {unit}, measured {measured:.3g}")


def bench(lab, options):
    if not lab.bench:
        print(f"Lab {lab.number} has nothing of its own to measure; its handout says what to run.")
        return 0
    files = record.take_submission(lab, pathlib.Path(options.submission)) \
        if options.submission else check.student_files(lab)
    out = pathlib.Path(options.out).absolute() if options.out else \
        ROOT / ".lab" / "bench" / lab.number
    out.mkdir(parents=True, exist_ok=True)
    guide.predictions_of(lab)  # or an error, before anything is measured
    print("Building what measures: minutes the first time. Then it measures for a minute or two.",
          flush=True)
    build.make([PROGRAM], folder=build.RELEASE,
               on_output=lambda line: terminal.status(f"Building what measures {line[:40].strip()}"))
    build.make(["labs_sandbox"])
    terminal.end_status()
    if options.build_only:
        return 0
    with tempfile.TemporaryDirectory(prefix="pagealloc-bench-") as folder:
        os.chmod(folder, 0o755)
        if options.record:
            program = build.RELEASE / "bin" / PROGRAM
        else:
            try:
                made, _ = build.programs(lab, files, folder, untrusted=bool(options.submission),
                                         targets=[PROGRAM], folder=build.RELEASE)
            except build.CompileError as error:
                check.show_compile_error(error)
                return 1
            program = made[PROGRAM]
        scratch = pathlib.Path(folder) / "measured"
        scratch.mkdir()
        os.chmod(scratch, 0o777)
        rows, machine = measure(program, lab, options.simulated, scratch, bool(options.submission))
        shutil.copy2(scratch / "results.json", out / "results.json")
    if options.record:
        save_record(lab, rows, machine, options.simulated)
    reference, where = recorded(lab, options.simulated)
    print(f"{terminal.paint(f'Lab {lab.number}  {lab.title}', 'bold')}   "
          f"{'the simulated machine' if options.simulated else machine}")
    show(lab, rows, reference, options.simulated)
    from course import figure
    picture = figure.draw(lab, rows, reference, where, predicted(lab, rows), options.simulated, out)
    print(f"\n  {picture}")
    return 0
