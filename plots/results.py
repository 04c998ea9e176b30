"""Loads results.json, checks it against the schema, and offers its rows by name.

A run may be partial: any workload, implementation, peer or extra can be absent. What is present
must have the right type, because a string where a number belongs would otherwise surface as an
odd plot instead of an error.
"""

import dataclasses
import json
import os

import caches as caches_module
import check
from check import ResultsError
from series import ROUND_NUMBERS, Series

SCHEMA = "pagealloc/results/v1"
WORKLOADS = ("sequential_read", "random_warm", "random_cold", "durable_write")
IMPLS = ("pread", "mmap", "direct", "uring")
VARIANTS = ("", "sum", "touch", "pwrite", "map", "pool", "handles", "direct", "buffered")
IMPL_NAMES = {"pread": "pread", "mmap": "mmap", "direct": "O_DIRECT", "uring": "io_uring"}
MODEL_NAMES = {"hdd": "hard disk", "sata": "SATA SSD", "nvme": "NVMe drive",
               "object": "object store"}
WORKLOAD_NAMES = {"sequential_read": "Sequential read", "random_warm": "Random read, warm",
                  "random_cold": "Random read, cold", "durable_write": "Durable write"}


@dataclasses.dataclass(frozen=True)
class Peer(Series):
    name: str
    job: str
    reason: str  # why it was not measured, where it was not


@dataclasses.dataclass(frozen=True)
class Row(Series):
    workload: str
    impl: str
    variant: str
    depth: int
    threads: int
    batch: int
    page_bytes: int
    reason: str  # empty when measured
    resident: float
    bimodal: bool
    histogram: tuple
    peer: Peer  # or None: nothing was measured beside it
    absent_peer: Peer  # or None: the one that should have been, with its reason
    usual_page_bytes: int

    @property
    def measured(self):
        return not self.reason

    @property
    def key(self):
        return (self.workload, self.impl, self.variant, self.depth, self.threads, self.batch)

    @property
    def line(self):
        """What stays the same along a sweep of depth, threads or batch."""
        return (self.impl, self.variant, self.page_bytes)

    @property
    def line_order(self):
        return (order(IMPLS, self.impl), self.impl, order(VARIANTS, self.variant), self.variant)

    @property
    def concurrency(self):
        """Operations in flight. A pool has one for each thread, whatever depth it was given."""
        if self.variant == "pool":
            return max(1, self.threads)
        return max(1, self.depth) * max(1, self.threads)

    @property
    def whole_page(self):
        """False where one word a page is read, which no copying reader can be compared with."""
        return self.variant != "touch"

    @property
    def line_label(self):
        label = line_label(self.impl, self.variant)
        if self.page_bytes != self.usual_page_bytes:
            label += f", {self.page_bytes} B pages"
        return label

    @property
    def point_label(self):
        return point_label(self.depth, self.threads, self.batch)

    @property
    def label(self):
        return ", ".join(part for part in (self.line_label, self.point_label) if part)


@dataclasses.dataclass(frozen=True)
class Ratio:
    workload: str
    impl: str
    variant: str
    depth: int
    threads: int
    batch: int
    peer: str
    ratio_median: float
    ci95: tuple  # or None
    pairs: int
    cpu_per_op: dict  # or None
    noise_floor: dict  # or None

    @property
    def key(self):
        return (self.workload, self.impl, self.variant, self.depth, self.threads, self.batch)

    @property
    def label(self):
        point = point_label(self.depth, self.threads, self.batch)
        return ", ".join(p for p in (line_label(self.impl, self.variant), point) if p)

    @property
    def verdict(self):
        if self.ci95 is None:
            return "not measured" if self.ratio_median is None else "no interval"
        low, high = self.ci95
        if low > 1:
            return "above"
        return "below" if high < 1 else "fio's equal"

    @property
    def inside_noise(self):
        """Whether fio against fio was seen as far from 1 as this; None where it was not run."""
        interval = (self.noise_floor or {}).get("ci95")
        if interval is None or self.ratio_median is None:
            return None
        return interval[0] <= self.ratio_median <= interval[1]


@dataclasses.dataclass(frozen=True)
class DepthPoint:
    """Reads at one depth on one class of disk, on the simulated machine."""
    model: str
    units: int  # operations that the device does side by side
    depth: int
    ops_per_second: float
    latency_mean_ns: float

    @property
    def littles_law(self):
        """Throughput times latency over depth: 1, or the measurement is wrong."""
        return self.ops_per_second * self.latency_mean_ns / 1e9 / self.depth


@dataclasses.dataclass(frozen=True)
class Results:
    machine: dict
    rows: tuple
    ratios: tuple
    extra: dict
    simulated_depth: tuple
    caches: caches_module.Caches = None  # None: this run knows nothing of caches

    @property
    def simulated(self):
        """What is known of the simulated machine that was measured; None: it was a real one."""
        return self.machine.get("simulated")

    @property
    def disks(self):
        """[(model, its points by depth)] in the usual order of models."""
        models = {}
        for point in self.simulated_depth:
            models.setdefault(point.model, []).append(point)
        names = list(MODEL_NAMES)
        return [(model, sorted(points, key=lambda p: p.depth)) for model, points
                in sorted(models.items(), key=lambda item: (order(names, item[0]), item[0]))]

    @property
    def measured(self):
        return [row for row in self.rows if row.measured]

    @property
    def workloads(self):
        """The workloads of this run, known ones first and in their usual order."""
        present = {row.workload for row in self.rows}
        return sorted(present, key=lambda name: (order(WORKLOADS, name), name))

    def of(self, workload, impl=None, variant=None):
        """The measured rows of a workload."""
        return [row for row in self.measured if row.workload == workload
                and impl in (None, row.impl) and variant in (None, row.variant)]

    def ratio(self, row):
        return next((r for r in self.ratios if r.key == row.key), None)


def order(names, name):
    return names.index(name) if name in names else len(names)


def workload_name(workload):
    return WORKLOAD_NAMES.get(workload, workload.replace("_", " "))


def model_name(model):
    return MODEL_NAMES.get(model, model)


def line_label(impl, variant):
    return " ".join(part for part in (IMPL_NAMES.get(impl, impl), variant) if part)


def point_label(depth, threads, batch):
    parts = []
    if depth > 1:
        parts.append(f"depth {depth}")
    if threads > 1:
        parts.append(f"{threads} threads")
    if batch:
        parts.append(f"batch {batch}")
    return ", ".join(parts)


def load(path):
    """The checked Results of a file; ResultsError where it is missing, unreadable or wrong."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file, parse_constant=_refuse_constant)
    except OSError as error:
        raise ResultsError(f"{path}: {os.strerror(error.errno)}") from None
    except ValueError as error:
        raise ResultsError(f"{path}: not JSON: {error}") from None
    try:
        return _results(data)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from None


def _refuse_constant(name):
    raise ValueError(f"{name} is not a figure; what is not known is null")


def _results(data):
    check.need(isinstance(data, dict), "the top level is not an object")
    found = data.get("schema")
    check.need(found == SCHEMA, f'schema is {json.dumps(found)}, expected "{SCHEMA}"')
    machine = check.object_of(data, "machine", "machine")
    check.object_of(machine, "simulated", "machine.simulated")
    rows = [_row(r, f"rows[{i}]", machine)
            for i, r in enumerate(check.list_of(data, "rows", "rows"))]
    ratios = [_ratio(r, f"ratios[{i}]")
              for i, r in enumerate(check.list_of(data, "ratios", "ratios"))]
    extra = _extra(check.object_of(data, "extra", "extra"))
    points = [_depth_point(p, f"simulated_depth[{i}]") for i, p in
              enumerate(check.list_of(data, "simulated_depth", "simulated_depth"))]
    rows.sort(key=_row_order)
    ratios.sort(key=_row_order)
    return Results(machine, tuple(rows), tuple(ratios), extra, tuple(points),
                   caches_module.load(data.get("caches")))


def _row_order(row):
    return (order(WORKLOADS, row.workload), row.workload, order(IMPLS, row.impl), row.impl,
            order(VARIANTS, row.variant), row.variant, row.batch, row.threads, row.depth)


def _row(data, where, machine):
    check.need(isinstance(data, dict), f"{where} is not an object")
    rounds = _rounds(data, where)
    medians = _round(data.get("median") or {}, f"{where}.median")
    peer = _peer(data.get("peer"), f"{where}.peer")
    absent = peer is not None and peer.median("ops_per_second") is None
    page_bytes = check.integer(data, "page_bytes", where)
    reason = ""
    if not data.get("available", True):
        reason = check.text(data, "reason", where) or "not available; the run gave no reason"
    elif Series(rounds, medians).median("ops_per_second") is None:
        reason = check.text(data, "reason", where) or "no round was recorded"
    return Row(rounds, medians, check.name(data, "workload", where),
               check.name(data, "impl", where), check.text(data, "variant", where),
               check.integer(data, "depth", where), check.integer(data, "threads", where),
               check.integer(data, "batch", where), page_bytes, reason,
               check.number(data, "resident", where), bool(data.get("bimodal")),
               _histogram(data, where), None if absent else peer, peer if absent else None,
               machine.get("page_bytes", page_bytes))


def _depth_point(data, where):
    check.need(isinstance(data, dict), f"{where} is not an object")
    for name in ("depth", "ops_per_second", "latency_mean_ns"):
        check.need(check.number(data, name, where), f"{where}.{name} is missing")
    return DepthPoint(check.name(data, "model", where), check.integer(data, "units", where),
                      check.integer(data, "depth", where), data["ops_per_second"],
                      data["latency_mean_ns"])


def _peer(data, where):
    if data is None:
        return None
    check.need(isinstance(data, dict), f"{where} is not an object")
    medians = _round(data.get("median") or {}, f"{where}.median")
    return Peer(_rounds(data, where), medians, check.text(data, "name", where) or "fio",
                check.text(data, "job", where),
                check.text(data, "reason", where) or "the run gave no reason")


def _rounds(data, where):
    return tuple(_round(r, f"{where}.rounds[{i}]")
                 for i, r in enumerate(check.list_of(data, "rounds", f"{where}.rounds")))


def _round(data, where):
    check.need(isinstance(data, dict), f"{where} is not an object")
    for name in ROUND_NUMBERS:
        check.number(data, name, where)
    return data


def _histogram(data, where):
    pairs = check.list_of(data, "histogram", f"{where}.histogram")
    for pair in pairs:
        check.need(isinstance(pair, list) and len(pair) == 2 and all(map(check.is_number, pair)),
              f"{where}.histogram holds something else than [upper_ns, count]")
    return tuple(sorted((upper, count) for upper, count in pairs if count > 0))


def _ratio(data, where):
    check.need(isinstance(data, dict), f"{where} is not an object")
    return Ratio(check.name(data, "workload", where), check.name(data, "impl", where),
                 check.text(data, "variant", where), check.integer(data, "depth", where),
                 check.integer(data, "threads", where), check.integer(data, "batch", where),
                 check.text(data, "peer", where) or "fio",
                 check.number(data, "ratio_median", where),
                 _interval(data, where), check.integer(data, "pairs", where),
                 _side_ratio(data, "cpu_per_op", where), _side_ratio(data, "noise_floor", where))


def _side_ratio(data, name, where):
    """A ratio beside the ratio: a median with its interval, or None."""
    ratio = data.get(name)
    if ratio is None:
        return None
    check.need(isinstance(ratio, dict), f"{where}.{name} is not an object")
    check.number(ratio, "ratio_median", f"{where}.{name}")
    return dict(ratio, ci95=_interval(ratio, f"{where}.{name}"))


def _interval(data, where):
    value = data.get("ci95")
    if value is None:
        return None
    check.need(isinstance(value, list) and len(value) == 2 and all(map(check.is_number, value)),
          f"{where}.ci95 is not [low, high]")
    return tuple(value)


def _extra(data):
    for name in ("copy", "beyond_memory"):
        part = data.get(name)
        check.need(part is None or isinstance(part, dict), f"extra.{name} is not an object")
    for name, value in (data.get("copy") or {}).items():
        check.need(name == "reason" or value is None or check.is_number(value),
              f"extra.copy.{name} is not a number")
    beyond = data.get("beyond_memory") or {}
    for name in ("limit_bytes", "file_bytes", "tlb_shootdowns_per_op"):
        check.number(beyond, name, "extra.beyond_memory")
    for name in ("mmap", "direct"):
        _round(beyond.get(name) or {}, f"extra.beyond_memory.{name}")
    return data
