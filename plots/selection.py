"""Which rows stand in which figure. Figures and sentences ask here, so that they agree."""

import results as results_module
import units

READ_SWEEP = "random_cold"
WRITE_SWEEP = "durable_write"
USUAL_DEPTH = 32


def ops(row):
    return row.median("ops_per_second")


def overlap(one, other):
    """Whether the rounds of two cannot be told apart."""
    a, b = one.spread("ops_per_second"), other.spread("ops_per_second")
    return bool(a and b and a[0] <= b[1] and b[0] <= a[1])


def lines(rows):
    """Rows grouped by implementation, variant and page size, in the order of the rows."""
    groups = {}
    for row in rows:
        groups.setdefault(row.line, []).append(row)
    return list(groups.values())


def overview_rows(results, workload):
    """Per line and batch: the fewest in flight, and the fastest if that is another row.

    A line with nothing measured is represented by its first row, so that its absence shows.
    """
    chosen = []
    for line in lines([r for r in results.rows if r.workload == workload]):
        for batch in sorted({r.batch for r in line}):
            same = [r for r in line if r.batch == batch]
            measured = [r for r in same if r.measured]
            if not measured:
                chosen.append(same[0])
                continue
            first = min(measured, key=lambda r: r.concurrency)
            best = max(measured, key=ops)
            chosen.append(first)
            if ops(best) > ops(first):
                chosen.append(best)
    return chosen


def depth_lines(results):
    """io_uring's lines, every pool, and whatever else was run at more than one depth."""
    chosen = []
    for line in lines(results.of(READ_SWEEP)):
        line = sorted(line, key=lambda r: r.concurrency)
        sweep = len({r.concurrency for r in line}) > 1
        if sweep or line[0].impl == "uring" or line[0].variant == "pool":
            chosen.append(line)
    return chosen


def queues(row):
    """Does its latency contain the wait in a queue of its own? A pool is offered more than it has
    threads, so that its tail is its queue's, not the disk's, and stands beside no other."""
    return row.variant == "pool"


def batch_lines(results):
    """Per line the rows of the fewest in flight: a batch is compared with nothing else changed."""
    chosen = []
    for line in lines(results.of(WRITE_SWEEP)):
        fewest = min(r.concurrency for r in line)
        same = [r for r in line if r.concurrency == fewest]
        chosen.append(sorted(same, key=lambda r: r.batch))
    return chosen


def deepest_batch_pairs(results):
    """[(fewest in flight, fastest)] of each line that was run with more in flight, same batch."""
    pairs = []
    for line in lines(results.of(WRITE_SWEEP)):
        most = max(line, key=lambda r: r.concurrency)
        same = [r for r in line if r.batch == most.batch]
        first, best = min(same, key=lambda r: r.concurrency), max(same, key=ops)
        if best.concurrency > first.concurrency:
            pairs.append((first, best))
    return pairs


def usual_depth_row(line):
    """The row of the most in flight up to 32: past it disks give latency, not rate."""
    within = [r for r in line if r.concurrency <= USUAL_DEPTH]
    return max(within, key=lambda r: r.concurrency) if within else None


def latency_panels(results):
    """[(title, rows)] of the rows whose latency distribution is drawn."""
    panels = []
    for workload in results.workloads:
        drawable = [r for r in results.of(workload) if r.histogram]
        name = results_module.workload_name(workload)
        fewest = [min(line, key=lambda r: (r.batch, r.concurrency)) for line in lines(drawable)]
        many = [usual_depth_row(line) for line in lines(drawable)]
        many = [r for r in many if r is not None and r.concurrency > 1 and not queues(r)]
        if workload == READ_SWEEP:
            panels.append((f"{name}, one in flight", [r for r in fewest if r.concurrency == 1]))
            panels.append((f"{name}, {_in_flight(many)} in flight", many))
        else:
            panels.append((name + _exceptions(fewest), fewest))
    return [(title, rows) for title, rows in panels if rows]


def _exceptions(rows):
    """Says in a title what its rows do not share: the batch, or a depth above one."""
    parts = [f"{r.line_label}: {r.concurrency} in flight" for r in rows if r.concurrency > 1]
    batches = sorted({r.batch for r in rows if r.batch})
    if batches:
        parts.insert(0, "batch " + units.words(str(b) for b in batches))
    return f" ({'; '.join(parts)})" if parts else ""


def _in_flight(rows):
    counts = sorted({r.concurrency for r in rows})
    return str(counts[0]) if len(counts) == 1 else "several"


def four_rows(results):
    """pread and mmap, warm and cold, one in flight: [(workload, impl, row or None)]."""
    return [(workload, impl, _plain_row(results, workload, impl))
            for workload in ("random_warm", "random_cold") for impl in ("pread", "mmap")]


def _plain_row(results, workload, impl):
    """One in flight, whole pages: the row that asks both for the same work."""
    rows = [r for r in results.rows
            if r.workload == workload and r.impl == impl and r.concurrency == 1]
    rows.sort(key=lambda r: (not r.measured, not r.whole_page,
                             results_module.order(results_module.VARIANTS, r.variant)))
    return rows[0] if rows else None


def keeps_littles_law(point):
    """While the last reads are awaited fewer are in flight, which takes 1 % off."""
    return abs(point.littles_law - 1) <= 0.05


def modes(row):
    """The two groups of a bimodal row's rates, split at the widest relative gap."""
    values = sorted(row.values("ops_per_second"))
    if len(values) < 2:
        return None
    gaps = [units.quotient(b, a) or 0 for a, b in zip(values, values[1:])]
    cut = gaps.index(max(gaps)) + 1
    return values[:cut], values[cut:]
