#!/usr/bin/python3
"""A realistic results.json without a machine to measure:
fixture.py DIR [full|empty|cold|simulated].
"""

import json
import math
import os
import random
import sys

import fixture_caches

PAGE_BYTES = 4096
ROUNDS = 6
DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128)
RATE_BY_DEPTH = (15.4e3, 31.6e3, 45.1e3, 62.2e3, 75.0e3, 83.1e3, 87.9e3, 92.0e3)
P99_BY_DEPTH_NS = (84e3, 97e3, 131e3, 198e3, 297e3, 537e3, 1.6e6, 3.6e6)

# workload, impl, variant, rate, p50_ns, p99_ns, cpu_ns, system calls, minor and major faults,
# fio's name, fio's rate as a multiple of ours
SINGLE = (
    ("sequential_read", "pread", "", 1.16e6, 780, 1900, 820, 1, 0, 0, "fio psync", 0.99),
    ("sequential_read", "mmap", "sum", 2.31e6, 390, 1200, 430, 0, 1 / 16, 0, "fio mmap", 0.81),
    ("sequential_read", "mmap", "touch", 24.1e6, 31, 170, 41, 0, 1 / 16, 0, None, 1),
    ("sequential_read", "direct", "", 18.1e3, 53e3, 95e3, 6.1e3, 1, 0, 0, "fio psync", 1.02),
    ("sequential_read", "uring", "direct", 95.2e3, 310e3, 560e3, 4.0e3, 0.06, 0, 0,
     "fio io_uring", 0.97),
    ("random_warm", "pread", "", 771e3, 1.1e3, 1.6e3, 1.28e3, 1, 0, 0, "fio psync", 1.01),
    ("random_warm", "mmap", "sum", 1.98e6, 470, 830, 502, 0, 0.004, 0, "fio mmap", 0.78),
    ("random_warm", "mmap", "touch", 28.9e6, 28, 96, 34, 0, 0.004, 0, None, 1),
    ("random_warm", "uring", "buffered", 861e3, 14e3, 21e3, 1.15e3, 0.0625, 0, 0,
     "fio io_uring", 1.08),
    ("random_cold", "pread", "", 16.9e3, 57e3, 104e3, 8.1e3, 1, 0, 0, "fio psync", 1.0),
    ("random_cold", "mmap", "sum", 15.6e3, 61e3, 118e3, 9.9e3, 0, 0, 1, "fio mmap", 1.01),
    ("random_cold", "mmap", "touch", 15.9e3, 60e3, 115e3, 9.2e3, 0, 0, 1, None, 1),
    ("random_cold", "direct", "", 16.3e3, 59e3, 101e3, 6.2e3, 1, 0, 0, "fio psync", 0.99),
)
# impl, variant, rate at batch 1, rate at batch 64, fio's name and multiple
DURABLE = (
    ("pread", "", 7.3e3, 38.2e3, "fio psync", 1.0),
    ("mmap", "pwrite", 7.0e3, 36.9e3, "fio psync", 1.04),
    ("mmap", "map", 4.2e3, 24.3e3, "fio mmap", 0.9),
    ("direct", "", 9.4e3, 30.1e3, "fio psync", 1.0),
    ("uring", "direct", 9.1e3, 41.7e3, "fio io_uring", 1.02),
    ("uring", "buffered", 7.9e3, 39.0e3, "fio io_uring", 0.99),
)
# model, operations side by side, latency of one read
DISKS = (("hdd", 1, 10.2e6), ("sata", 8, 108e3), ("nvme", 64, 84e3), ("object", 256, 33.4e6))
BIMODAL = ("random_cold", "mmap", "sum", 1, 1, 0)


def full():
    """Every implementation and variant, one row unavailable, one bimodal."""
    rng = random.Random(1)
    rows = [_row(rng, w, i, v, rate=rate, p50=p50, p99=p99, cpu=cpu, calls=calls, minor=minor,
                 major=major, fio=fio, fio_factor=factor,
                 depth=16 if i == "uring" else 1, resident=0.0 if w == "random_cold" else 1.0)
            for w, i, v, rate, p50, p99, cpu, calls, minor, major, fio, factor in SINGLE]
    for depth, rate, p99 in zip(DEPTHS, RATE_BY_DEPTH, P99_BY_DEPTH_NS):
        rows += _sweep_rows(rng, depth, rate, p99)
    rows += _durable_rows(rng)
    rows.append(_unavailable("random_cold", "uring", "poll", 32,
                             "IORING_SETUP_IOPOLL: reads fail with EOPNOTSUPP on this device"))
    ratios = [_ratio(row) for row in rows if row["peer"]]
    return {"schema": "pagealloc/results/v1", "machine": _machine(), "rows": rows,
            "ratios": ratios, "extra": _extra(rng), "simulated_depth": _simulated_depth(),
            "caches": fixture_caches.full()}


def empty():
    """A run that stopped before its first row."""
    data = full()
    data["machine"]["complete"] = False
    data.update(rows=[], ratios=[], extra={"copy": None, "beyond_memory": None},
                simulated_depth=[])
    del data["caches"]
    return data


def cold():
    """One workload, no fio, no extras, no caches: what an interrupted run without fio leaves."""
    data = full()
    del data["caches"]
    data["machine"].update(complete=False, fio=None)
    data["rows"] = [dict(r, peer=None) for r in data["rows"] if r["workload"] == "random_cold"]
    data["ratios"] = []
    data["extra"] = {"copy": None, "copy_reason": "no O_DIRECT on this file system",
                     "beyond_memory": None, "beyond_memory_reason": "no memory cgroup to write"}
    return data


def simulated():
    """A run on the simulated machine: no fio, no CPU time, no extras, and maps not measured."""
    data = full()
    data["machine"] = {key: data["machine"][key] for key in
                       ("time", "commit", "mode", "page_bytes", "file_bytes", "seed", "seconds",
                        "complete", "cold")}
    data["machine"].update(
        kernel="simulated", device="nvme", fio=None, command="./lab compare --kernel sim:nvme:7",
        placement={"cpu": None, "direct_reads_per_second": {}, "reason": "no CPUs to choose from"},
        simulated={"model": "nvme", "seed": 7, "read_ns": 75000, "write_ns": 12000,
                   "flush_ns": 120000, "bytes_per_second": 3000000000, "units": 64,
                   "jitter_percent": 20})
    for row in data["rows"]:
        for figures in [*row["rounds"], row["median"] or {}]:
            for name in ("cpu_ns_per_op", "minor_faults_per_op", "major_faults_per_op"):
                figures[name] = None
        row["histogram"] = [[815, 5000]] if row["workload"] == "random_warm" else row["histogram"]
        if row["peer"]:
            row["peer"].update(rounds=[], median=None, job="",
                               reason="not available here: fio runs on Linux")
        if row["impl"] == "mmap" and row["workload"] != "durable_write":
            row.update(available=False, rounds=[], median=None, histogram=[],
                       reason="not available here: touching a map takes no time")
    data["ratios"] = []
    data["extra"] = {name: {"reason": "not available here: it has no control groups"}
                     for name in ("copy", "beyond_memory")}
    data["caches"] = fixture_caches.unmeasured("not available here: it has no control groups")
    return data


def write(directory, data):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "results.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)


def _sweep_rows(rng, depth, rate, p99):
    common = {"p50": p99 * 0.72, "p99": p99, "minor": 0, "major": 0, "resident": 0.0}
    rows = [_row(rng, "random_cold", "uring", "direct", depth=depth, rate=rate, cpu=4.4e3,
                 calls=1 / min(depth, 16), fio="fio io_uring", fio_factor=0.98, **common),
            _row(rng, "random_cold", "uring", "buffered", depth=depth, rate=rate * 0.88,
                 cpu=6.9e3, calls=1 / min(depth, 16), fio="fio io_uring", fio_factor=1.01,
                 **common)]
    if depth <= 32:
        rows.append(_row(rng, "random_cold", "pread", "pool", depth=1, threads=depth,
                         rate=rate * 0.94, cpu=11.3e3, calls=1, fio="fio psync", fio_factor=1.0,
                         **common))
    return rows


def _durable_rows(rng):
    rows = []
    for impl, variant, one, many, fio, factor in DURABLE:
        for batch, rate in ((1, one), (64, many)):
            p50 = 1e9 / rate * (0.93 if batch == 1 else 58)
            rows.append(_row(rng, "durable_write", impl, variant, batch=batch, rate=rate, p50=p50,
                             p99=p50 * 2.1, cpu=21e3 if batch == 1 else 5.2e3,
                             calls=1 + 1 / batch, minor=0 if variant != "map" else 1, major=0,
                             fio=fio, fio_factor=factor, depth=1))
    return rows


def _row(rng, workload, impl, variant, *, rate, p50, p99, cpu, calls, minor, major, fio,
         fio_factor, depth=1, threads=1, batch=0, resident=None):
    key = (workload, impl, variant, depth, threads, batch)
    bimodal = key == BIMODAL
    noise = 0.03 if workload in ("sequential_read", "random_warm") else 0.06
    rounds, peers = [], []
    for number in range(ROUNDS):
        weather = math.exp(rng.gauss(0, noise))  # a slow minute slows both of a pair
        mode = 1.33 if bimodal and number % 2 else 1.0
        own = rate * weather * mode * math.exp(rng.gauss(0, noise / 3))
        other = rate * fio_factor * weather * math.exp(rng.gauss(0, noise / 3))
        rounds.append(_round(own, rate / own, p50, p99, cpu, calls, minor, major, "0x9ae16a3b"))
        peers.append(_round(other, rate / other, p50 * 1.02, p99 * 1.05, cpu * 1.1, None, None,
                            None, None))
    peer = fio and {"name": fio, "job": _job(fio, workload, depth, threads, batch),
                    "rounds": peers, "median": _median(peers)}
    return {"workload": workload, "impl": impl, "variant": variant, "depth": depth,
            "threads": threads, "batch": batch, "page_bytes": PAGE_BYTES, "available": True,
            "reason": "", "resident": resident, "rounds": rounds, "median": _median(rounds),
            "bimodal": bimodal, "histogram": _histogram(rng, p50, p99), "peer": peer or None}


def _round(rate, slowness, p50, p99, cpu, calls, minor, major, checksum):
    seconds = 2.0
    return {"ops": int(rate * seconds), "seconds": seconds, "ops_per_second": rate,
            "bytes_per_second": rate * PAGE_BYTES, "p50_ns": p50 * slowness,
            "p99_ns": p99 * slowness, "p999_ns": p99 * 2.2 * slowness, "cpu_ns_per_op": cpu,
            "system_calls_per_op": calls, "minor_faults_per_op": minor,
            "major_faults_per_op": major, "checksum": checksum}


def _median(rounds):
    middle = {}
    for name, first in rounds[0].items():
        if first is None or isinstance(first, str):
            middle[name] = first
            continue
        values = sorted(r[name] for r in rounds)
        middle[name] = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    return middle


def _histogram(rng, p50, p99):
    """Log-linear buckets of a lognormal with the two percentiles, and a rare stall."""
    sigma = math.log(p99 / p50) / 2.326
    buckets = {}
    for _ in range(4000):
        latency = p50 * math.exp(rng.gauss(0, sigma))
        if rng.random() < 0.002:
            latency *= 8
        step = max(1, 2 ** (int(math.log2(max(latency, 1))) - 4))
        upper = (int(latency / step) + 1) * step
        buckets[upper] = buckets.get(upper, 0) + 25
    return [[upper, buckets[upper]] for upper in sorted(buckets)]


def _simulated_depth():
    return [{"model": model, "units": units, "depth": depth, "ops": 40 * depth,
             "ops_per_second": 1e9 / latency_ns * min(depth, units),
             "latency_mean_ns": 0.99 * latency_ns * max(1, depth / units),
             "p99_ns": 1.2 * latency_ns * max(1, depth / units)}
            for model, units, latency_ns in DISKS for depth in (*DEPTHS, 256)]


def _job(fio, workload, depth, threads, batch):
    return (f"fio --name={workload} --ioengine={fio.split()[1]} --bs=4096 --iodepth={depth}"
            f" --numjobs={threads}" + (f" --fdatasync={batch}" if batch else ""))


def _unavailable(workload, impl, variant, depth, reason):
    return {"workload": workload, "impl": impl, "variant": variant, "depth": depth, "threads": 1,
            "batch": 0, "page_bytes": PAGE_BYTES, "available": False, "reason": reason,
            "resident": None, "rounds": [], "median": None, "bimodal": False, "histogram": [],
            "peer": None}


def _ratio(row):
    pairs = sorted(a["ops_per_second"] / b["ops_per_second"]
                   for a, b in zip(row["rounds"], row["peer"]["rounds"]))
    middle = (pairs[(len(pairs) - 1) // 2] + pairs[len(pairs) // 2]) / 2
    names = ("workload", "impl", "variant", "depth", "threads", "batch")
    return dict({name: row[name] for name in names}, peer=row["peer"]["name"],
                ratio_median=middle, ci95=[pairs[0], pairs[-1]], pairs=len(pairs),
                cpu_per_op={"ratio_median": 0.93, "ci95": [0.9, 0.97], "pairs": 6},
                noise_floor={"ratio_median": 1.004, "ci95": [0.95, 1.06], "pairs": 6})


def _machine():
    return {"time": "2026-11-21T10:00:00Z", "cpu": "AMD EPYC", "cores": 2,
            "memory_bytes": 25769803776, "kernel": "6.18.44",
            "distribution": "Debian GNU/Linux 12 (bookworm)", "file_system": "ext4",
            "device": "vda", "rotational": False, "write_cache": "write back",
            "scheduler": "mq-deadline", "read_ahead_kb": 8192, "logical_block_bytes": 512,
            "fio": "fio-3.33", "commit": "0123abc", "command": "./lab compare",
            "mode": "default", "page_bytes": PAGE_BYTES, "file_bytes": 1 << 30, "seed": 1,
            "seconds": 281.2, "complete": True,
            "placement": {"cpu": 1, "direct_reads_per_second": {"0": 10.9e3, "1": 15.2e3},
                          "reason": ""},
            "cold": "posix_fadvise(DONTNEED), 0 % resident"}


def _extra(rng):
    mapped = _round(11.2e3, 1, 78e3, 310e3, 14.8e3, 0, 0, 1.0, "0x9ae16a3b")
    direct = _round(16.1e3, 1, 60e3, 104e3, 6.1e3, 1, 0, 0, "0x9ae16a3b")
    return {"copy": {"buffered_ops_per_second": 16.9e3, "direct_ops_per_second": 16.3e3,
                     "buffered_cpu_ns_per_op": 8.1e3, "direct_cpu_ns_per_op": 6.2e3,
                     "copy_ns_per_page": 240, "reason": ""},
            "beyond_memory": {"limit_bytes": 1 << 28, "file_bytes": 1 << 30, "mmap": mapped,
                              "direct": direct, "tlb_shootdowns_per_op": 0.013, "reason": ""}}


if __name__ == "__main__":
    write(sys.argv[1], {"full": full, "empty": empty, "cold": cold, "simulated": simulated}[
        sys.argv[2] if len(sys.argv) > 2 else "full"]())
