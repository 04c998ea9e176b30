"""Finds, in this run, what stands beside each published figure, and says why they differ."""

import dataclasses

import results as results_module
import selection
import units


@dataclasses.dataclass(frozen=True)
class Measured:
    value: float
    label: str
    in_flight: int = 0
    resident: float = 0.0  # of what was read; None for a write


def beside(results, name):
    """The Measured counterpart of that name, or None where this run has none."""
    found = COUNTERPARTS[name](results) if name else None
    return found if found and found.value is not None else None


def differ(figure, measured, machine):
    """Where and why a published figure and ours differ, in one or two sentences."""
    quotient = units.quotient(measured.value, figure.value)
    parts = [f"{units.factor(quotient)} the published figure"] if quotient else []
    reasons = []
    cores = machine.get("cores")
    if figure.cores and cores and figure.cores != cores:
        reasons.append(f"{units.plural(figure.cores, 'core')} there, {cores} here")
    if figure.in_flight and measured.in_flight and figure.in_flight != measured.in_flight:
        reasons.append(f"{figure.in_flight} in flight there, {measured.in_flight} here")
    reasons.append(f"another device ({machine.get('device') or 'not recorded'} here)")
    if measured.resident:
        reasons.append(f"read from memory here ({units.percent(measured.resident)} resident)")
    elif measured.resident is not None:
        reasons.append(host_cache(machine))
    if figure.note:
        reasons.append(figure.note)
    return "; ".join(parts + reasons) + "."


def place(proportion, measured):
    """Where a proportion of this run lies, seen from the published one."""
    if measured.value < proportion.low:
        return "Below it."
    return "Above it." if measured.value > proportion.high else "In agreement."


def is_virtual(machine):
    return str(machine.get("device") or "").startswith(("vd", "xvd"))


def host_cache(machine):
    """What `cold` can mean on this machine."""
    if is_virtual(machine):
        return "cold is guest-cold: the host may have the page in its cache"
    return "cold is cold to this kernel: a drive's or a host's cache is not seen"


def _ops(row):
    if row is None:
        return None
    return Measured(selection.ops(row), row.label, row.concurrency, row.resident or 0.0)


def _best(rows):
    return max(rows, key=selection.ops, default=None)


def _cold(results):
    """Cold random reads that pass the page cache by."""
    return [r for r in results.of("random_cold")
            if r.impl == "direct" or (r.impl == "uring" and r.variant != "buffered")]


def _cold_one(results):
    rows = [r for r in _cold(results) if r.concurrency == 1]
    return _ops(_best(rows))


def _fio_cold_peak(results):
    rows = [r for r in results.of("random_cold")
            if r.peer and r.peer.median("ops_per_second") is not None]
    row = max(rows, key=lambda r: r.peer.median("ops_per_second"), default=None)
    if row is None:
        return None
    return Measured(row.peer.median("ops_per_second"),
                    f"{row.peer.name} beside {row.label}", row.concurrency)


def _beyond_mmap(results):
    rate = _beyond(results, "mmap").get("ops_per_second")
    return Measured(rate, "mmap, file larger than memory", 1)


def _beyond(results, name):
    return (results.extra.get("beyond_memory") or {}).get(name) or {}


def _mmap(results, workload):
    rows = [r for r in results.of(workload, "mmap") if r.concurrency == 1]
    return next((r for r in rows if r.whole_page), rows[0] if rows else None)


def _sequential_best(results):
    """The fastest sequential reader that is not a mapping, in bytes."""
    rows = [r for r in results.of("sequential_read")
            if r.impl != "mmap" and r.median("bytes_per_second") is not None]
    row = max(rows, key=lambda r: r.median("bytes_per_second"), default=None)
    return row and Measured(row.median("bytes_per_second"), row.label, row.concurrency,
                            row.resident or 0.0)


def _sequential_mmap(results):
    row = _mmap(results, "sequential_read")
    return row and Measured(row.median("bytes_per_second"), row.label, 1, row.resident or 0.0)


def _resident(row):
    return "" if row.resident is None else f" ({units.percent(row.resident)} resident)"


def _sync_latency(results):
    """A write and its sync, one page at a time, by the plainest implementation there is."""
    rows = [r for r in results.of("durable_write") if r.batch in (0, 1)]
    rows.sort(key=lambda r: results_module.order(results_module.IMPLS, r.impl))
    row = rows[0] if rows else None
    return row and Measured(row.median("p50_ns"), f"{row.label}, p50", 1, resident=None)


def _one_of_peak(results):
    """One line's own share: depth 1 of it against the best of it."""
    line = _direct_line(results)
    if len(line) < 2 or line[0].concurrency != 1:
        return None
    return _quotient(line[0], _best(line))


def _depth_gain(results):
    line = _direct_line(results)
    usual = selection.usual_depth_row(line) if line else None
    if usual is None or line[0].concurrency != 1 or usual.concurrency == 1:
        return None
    return _quotient(usual, line[0])


def _direct_line(results):
    """The longest sweep of depth there is, as variants must not be mixed in one."""
    lines = selection.lines(r for r in _cold(results) if r.impl == "uring")
    return sorted(max(lines, key=len, default=[]), key=lambda r: r.concurrency)


def _quotient(above, below):
    if above is None or below is None:
        return None
    value = units.quotient(selection.ops(above), selection.ops(below))
    return Measured(value, f"{above.label}, over {below.label}")


def _warm_mmap(results):
    pread = [r for r in results.of("random_warm", "pread") if r.concurrency == 1]
    return _quotient(_mmap(results, "random_warm"), pread[0] if pread else None)


def _beyond_ratio(results):
    value = units.quotient(_beyond(results, "mmap").get("ops_per_second"),
                           _beyond(results, "direct").get("ops_per_second"))
    return Measured(value, "mmap, over O_DIRECT")


def _shootdowns(results):
    data = results.extra.get("beyond_memory") or {}
    return Measured(data.get("tlb_shootdowns_per_op"), "mmap, file larger than memory")


def _sequential_ratio(results):
    row = _mmap(results, "sequential_read")
    if row is None or row.peer is None:
        return None
    value = units.quotient(selection.ops(row), row.peer.median("ops_per_second"))
    return Measured(value, f"{row.label}{_resident(row)}, over {row.peer.name}")


def _batch_gain(results):
    for line in selection.batch_lines(results):
        if line[0].impl == "pread" and line[-1].batch > line[0].batch:
            return _quotient(line[-1], line[0])
    return None


COUNTERPARTS = {
    "fio_cold_peak": _fio_cold_peak, "beyond_mmap": _beyond_mmap,
    "cold_mmap": lambda results: _ops(_mmap(results, "random_cold")),
    "sequential_best": _sequential_best, "sequential_mmap": _sequential_mmap,
    "cold_peak": lambda results: _ops(_best(_cold(results))), "cold_one": _cold_one,
    "uring_peak": lambda results: _ops(_best(results.of("random_cold", "uring"))),
    "sync_latency": _sync_latency, "one_of_peak": _one_of_peak, "depth_gain": _depth_gain,
    "warm_mmap": _warm_mmap, "beyond_ratio": _beyond_ratio, "shootdowns": _shootdowns,
    "sequential_ratio": _sequential_ratio, "batch_gain": _batch_gain,
}
