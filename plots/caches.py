"""The caches of a run: the kernel's and ours, beside each other. Loads and checks the section
"caches" of results.json and offers its rows by name."""

import dataclasses
import statistics

import check
from series import Series

SYSTEMS = ("pread", "mmap", "direct_cached", "uring_cached")
KERNELS = ("pread", "mmap")  # whose cache is the kernel's
SYSTEM_NAMES = {"pread": "pread", "mmap": "mmap", "direct_cached": "O_DIRECT + cache",
                "uring_cached": "io_uring + cache"}
WORKLOADS = ("zipfian", "uniform", "sequential")
WORKLOAD_NAMES = {"zipfian": "Zipfian", "uniform": "Uniform", "sequential": "Sequential"}
STATES = ("warm", "half_warm", "scan")
STATE_NAMES = {"warm": "all of it in the cache", "half_warm": "half of it in the cache",
               "scan": "in turn with a scan"}
POLICIES = ("clock", "lru", "s3-fifo", "2q")
OPTIMUM = "optimum"
KERNEL = "kernel"
POLICY_NAMES = {"clock": "CLOCK", "lru": "LRU", "s3-fifo": "S3-FIFO", "2q": "2Q",
                KERNEL: "the kernel's cache", OPTIMUM: "Belady's optimum"}
NO_REASON = "the run gave no reason"


@dataclasses.dataclass(frozen=True)
class Rates(Series):
    reason: str  # empty when measured

    @property
    def measured(self):
        return not self.reason


@dataclasses.dataclass(frozen=True)
class CacheRow(Rates):
    system: str
    workload: str
    file_over_budget: float
    threads: int
    hit_ratio: float  # or None: it cannot be known
    held_bytes: float  # of the file, in the cache at the end; or None: older files do not tell


@dataclasses.dataclass(frozen=True)
class StateRow(Rates):
    system: str
    state: str
    hit_ratio: float


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Threads with a handle each on one cache, hits only, beside one thread."""
    system: str
    handles: int
    one: Series
    many: Series
    reason: str

    @property
    def measured(self):
        return not self.reason


@dataclasses.dataclass(frozen=True)
class HitCost:
    """Nanoseconds to add a page's words up, by round."""
    peek_ns: tuple
    cached_ns: tuple
    reason: str


@dataclasses.dataclass(frozen=True)
class ScanLine:
    """The hit ratio of a hot set, step by step, under one policy."""
    name: str
    hit_ratio: tuple
    reason: str
    begins: int  # the scan runs in the steps from this
    ends: int  # to the one before this

    @property
    def before(self):
        return self.hit_ratio[:self.begins]

    @property
    def within(self):
        return self.hit_ratio[self.begins:self.ends]

    @property
    def after(self):
        return self.hit_ratio[self.ends:]

    @property
    def deepest(self):
        """By how much the hit ratio falls at the worst step of the scan."""
        return statistics.mean(self.before) - min(self.within)

    @property
    def usual(self):
        """By how much it falls on average."""
        return statistics.mean(self.before) - statistics.mean(self.within)


@dataclasses.dataclass(frozen=True)
class Scan:
    hot_pages: int
    cache_pages: int
    file_pages: int
    step_reads: int
    begins: int
    ends: int
    lines: tuple

    @property
    def drawn(self):
        return [line for line in self.lines if not line.reason]


@dataclasses.dataclass(frozen=True)
class Size:
    """What the policies hit in a cache of so many frames; 1 is every access."""
    frames: int
    share: float  # of the pages of the trace
    hits: dict

    def ranked(self):
        """[(hit ratio, policy)] of those that can be had, the most first."""
        found = [(self.hits[p], p) for p in sort(self.hits, POLICIES) if p != OPTIMUM]
        return sorted(found, key=lambda pair: -pair[0])


@dataclasses.dataclass(frozen=True)
class Trace:
    name: str
    what: str
    accesses: int
    pages: int
    sizes: tuple

    @property
    def policies(self):
        return sort({policy for size in self.sizes for policy in size.hits}, POLICIES)


@dataclasses.dataclass(frozen=True)
class Caches:
    reason: str  # empty where something was measured
    page_bytes: int
    budget_bytes: int
    limit: str  # what the kernel's cache had; empty: it could not be limited
    limit_reason: str
    rows: tuple
    hit_cost: HitCost
    scaling: tuple
    states: tuple
    scan: Scan  # or None
    traces: tuple

    def row(self, system, workload, file_over_budget, threads):
        """The row if it was measured, or None."""
        key = (system, workload, file_over_budget, threads)
        return next((r for r in self.rows if r.measured and key == (
            r.system, r.workload, r.file_over_budget, r.threads)), None)

    def state(self, system, state):
        return next((r for r in self.states if r.measured and (system, state) == (
            r.system, r.state)), None)


def row_order(row):
    """By what is read, then who reads it: the order of the table."""
    return (*_place(row.workload, WORKLOADS), row.threads, row.file_over_budget,
            *_place(row.system, SYSTEMS))


def _place(name, usual):
    return (usual.index(name) if name in usual else len(usual), name)


def sort(names, usual):
    """Known names first and in their usual order."""
    return sorted(names, key=lambda name: _place(name, usual))


def system_name(system):
    return SYSTEM_NAMES.get(system, system)


def workload_name(workload):
    return WORKLOAD_NAMES.get(workload, workload)


def state_name(state):
    return STATE_NAMES.get(state, state)


def policy_name(policy):
    return POLICY_NAMES.get(policy, policy)


def load(data):
    """The checked section; None where the run has none."""
    if data is None:
        return None
    check.need(isinstance(data, dict), "caches is not an object")
    where = "caches"
    rows = [_row(r, f"{where}.rows[{i}]") for i, r in _items(data, "rows", where)]
    states = [_state(r, f"{where}.states[{i}]") for i, r in _items(data, "states", where)]
    scaling = [_scaling(r, f"{where}.scaling[{i}]") for i, r in _items(data, "scaling", where)]
    rows.sort(key=row_order)
    policies = check.object_of(data, "policies", "caches.policies")
    traces = [_trace(t, f"{where}.policies.traces[{i}]")
              for i, t in _items(policies, "traces", "caches.policies")]
    reason = check.text(data, "reason", where)
    if not (rows or states or scaling or data.get("scan") or data.get("hit_cost")):
        reason = reason or NO_REASON
    return Caches(reason, check.integer(data, "page_bytes", where),
                  check.integer(data, "budget_bytes", where), check.text(data, "limit", where),
                  check.text(data, "limit_reason", where), tuple(rows), _hit_cost(data),
                  tuple(scaling), tuple(states), _scan(data), tuple(traces))


def _items(data, name, where):
    return enumerate(check.list_of(data, name, f"{where}.{name}"))


def _is_object(data, where):
    check.need(isinstance(data, dict), f"{where} is not an object")


def _rates(data, where):
    """(rounds, no medians, reason): the beginning of whatever has rates."""
    rounds = _series(data, "ops_per_second", where).rounds
    reason = check.text(data, "reason", where)
    return rounds, {}, reason or ("" if rounds else "no round was recorded")


def _series(data, name, where):
    values = check.numbers_of(data, name, where)
    check.need(all(v > 0 for v in values), f"{where}.{name} holds a rate that is not above 0")
    return Series(tuple({"ops_per_second": value} for value in values), {})


def _ratio(data, name, where):
    value = check.number(data, name, where)
    check.need(value is None or 0 <= value <= 1, f"{where}.{name} is not between 0 and 1")
    return value


def _above_zero(data, name, where):
    value = check.number(data, name, where)
    check.need(value is not None and value > 0, f"{where}.{name} is missing or not above 0")
    return value


def _not_negative(data, name, where):
    value = check.number(data, name, where)
    check.need(value is None or value >= 0, f"{where}.{name} is below 0")
    return value


def _row(data, where):
    _is_object(data, where)
    return CacheRow(*_rates(data, where), check.name(data, "system", where),
                    check.name(data, "workload", where),
                    _above_zero(data, "file_over_budget", where),
                    int(_above_zero(data, "threads", where)), _ratio(data, "hit_ratio", where),
                    _not_negative(data, "held_bytes", where))


def _state(data, where):
    _is_object(data, where)
    return StateRow(*_rates(data, where), check.name(data, "system", where),
                    check.name(data, "state", where), _ratio(data, "hit_ratio", where))


def _scaling(data, where):
    _is_object(data, where)
    one, many = _series(data, "one", where), _series(data, "many", where)
    reason = check.text(data, "reason", where)
    if not (one.rounds and many.rounds):
        reason = reason or "no round was recorded"
    return Scaling(check.name(data, "system", where), int(_above_zero(data, "handles", where)),
                   one, many, reason)


def _hit_cost(data):
    where = "caches.hit_cost"
    cost = check.object_of(data, "hit_cost", where)
    peek, cached = (check.numbers_of(cost, name, where) for name in ("peek_ns", "cached_ns"))
    reason = check.text(cost, "reason", where)
    return HitCost(peek, cached, reason or ("" if peek and cached else NO_REASON))


def _scan(data):
    where = "caches.scan"
    scan = check.object_of(data, "scan", where)
    if not scan:
        return None
    pages = [check.integer(scan, n, where) for n in ("hot_pages", "cache_pages", "file_pages")]
    step_reads = int(_above_zero(scan, "step_reads", where))
    begins, ends = (int(_above_zero(scan, name, where)) for name in ("begins", "ends"))
    check.need(begins < ends, f"{where}.begins is not before its ends")
    lines = [_scan_line(item, f"{where}.lines[{i}]", begins, ends)
             for i, item in _items(scan, "lines", where)]
    names = sort({line.name for line in lines}, (*POLICIES, KERNEL))
    lines.sort(key=lambda line: names.index(line.name))
    return Scan(*pages, step_reads, begins, ends, tuple(lines))


def _scan_line(data, where, begins, ends):
    _is_object(data, where)
    values = check.numbers_of(data, "hit_ratio", where)
    check.need(all(0 <= v <= 1 for v in values),
               f"{where}.hit_ratio holds something not between 0 and 1")
    reason = check.text(data, "reason", where)
    if len(values) <= begins:
        reason = reason or "no step of the scan was recorded"
    return ScanLine(check.name(data, "name", where), values, reason, begins, ends)


def _trace(data, where):
    _is_object(data, where)
    accesses, pages = (int(_above_zero(data, name, where)) for name in ("accesses", "pages"))
    sizes = [_size(s, f"{where}.sizes[{i}]", accesses, pages)
             for i, s in _items(data, "sizes", where)]
    sizes.sort(key=lambda size: size.frames)
    return Trace(check.name(data, "name", where), check.text(data, "what", where), accesses,
                 pages, tuple(sizes))


def _size(data, where, accesses, pages):
    _is_object(data, where)
    frames = int(_above_zero(data, "frames", where))
    hits = check.object_of(data, "hits", f"{where}.hits")
    for policy, count in hits.items():
        check.need(check.is_number(count) and 0 <= count <= accesses,
                   f"{where}.hits.{policy} is not a count of accesses")
    return Size(frames, frames / pages, {p: count / accesses for p, count in hits.items()})
