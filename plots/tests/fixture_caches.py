"""The section "caches" of a results.json, with figures whose answers are known."""

SYSTEMS = ("pread", "mmap", "direct_cached", "uring_cached")
SETS = (0.5, 1.0, 4.0)
BUDGET_BYTES = 67108864
# By workload and system: reads per second with a file below, at and above the budget.
RATES = {
    "zipfian": {"pread": (800e3, 400e3, 60e3), "mmap": (2e6, 300e3, 20e3),
                "direct_cached": (1.6e6, 500e3, 75e3), "uring_cached": (1.5e6, 900e3, 240e3)},
    "uniform": {"pread": (700e3, 300e3, 18e3), "mmap": (1.6e6, 150e3, 9e3),
                "direct_cached": (1.2e6, 350e3, 18.5e3), "uring_cached": (1.1e6, 600e3, 80e3)},
    "sequential": {"pread": (1.2e6, 1e6, 500e3), "mmap": (2.2e6, 900e3, 300e3),
                   "direct_cached": (1.8e6, 1.3e6, 510e3), "uring_cached": (1.7e6, 1.3e6, 650e3)}}
HIT_RATIOS = {"pread": (1.0, 0.97, 0.851), "mmap": (None, None, None),
              "direct_cached": (1.0, 0.98, 0.883), "uring_cached": (1.0, 0.98, 0.8826)}
# What the kernel's cache held of a file above the budget, in shares of it; ours held all of it.
HELD = {"pread": {"zipfian": 0.992, "uniform": 1.004, "sequential": 1.012},
        "mmap": {"zipfian": 1.02, "uniform": 1.02, "sequential": 1.031}}
KILLED = ("mmap", "uniform", 4.0, 2)
# By state and system: reads per second of a hot set, and what of them hits.
STATES = {"warm": {"pread": (800e3, 1.0), "mmap": (2e6, None), "direct_cached": (1.6e6, 1.0),
                   "uring_cached": (1.5e6, 1.0)},
          "half_warm": {"pread": (110e3, 0.91), "mmap": (90e3, None),
                        "direct_cached": (112e3, 0.91), "uring_cached": (450e3, 0.91)},
          "scan": {"pread": (400e3, 0.95), "mmap": (200e3, None),
                   "direct_cached": (800e3, 0.993), "uring_cached": (900e3, 0.9997)}}
BEGINS, ENDS, STEPS = 8, 24, 32
# By line: the hit ratio of the hot set before, at its lowest during, and otherwise during a scan.
SCAN = {"kernel": (1.0, 0.9, 0.94), "clock": (1.0, 0.7, 0.8), "lru": (1.0, 0.6, 0.72),
        "s3-fifo": (1.0, 0.99, 0.995), "2q": (1.0, 0.97, 0.98)}
# By trace: accesses, pages and, by policy, what is hit at each of the sizes, in thousandths.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
TRACES = {
    "uniform": (100000, 10000, {
        "clock": (10, 20, 50, 100, 200, 500), "lru": (10, 20, 49, 101, 200, 500),
        "s3-fifo": (11, 21, 52, 99, 198, 495), "2q": (10, 20, 50, 100, 200, 500),
        "optimum": (92, 132, 212, 303, 437, 741)}),
    "zipfian": (100000, 10000, {
        "clock": (410, 470, 560, 635, 720, 860), "lru": (370, 440, 535, 615, 706, 855),
        "s3-fifo": (480, 535, 610, 675, 745, 868), "2q": (470, 525, 602, 668, 741, 866),
        "optimum": (540, 598, 678, 742, 812, 925)}),
    "scan-mixed": (200000, 20000, {
        "clock": (210, 260, 330, 410, 520, 720), "lru": (180, 230, 300, 380, 500, 715),
        "s3-fifo": (330, 390, 460, 530, 610, 760), "2q": (320, 385, 462, 528, 612, 764),
        "optimum": (400, 460, 540, 610, 690, 840)}),
    "recorded": (40000, 5000, {
        "clock": (520, 590, 680, 750, 820, 920), "lru": (515, 592, 688, 761, 832, 930),
        "s3-fifo": (560, 622, 702, 764, 828, 921), "2q": (551, 615, 700, 766, 830, 926),
        "optimum": (640, 700, 780, 838, 893, 961)})}


def full():
    return {"reason": "", "page_bytes": 4096, "budget_bytes": BUDGET_BYTES,
            "limit": "cgroup v1, limit 79691776 bytes", "limit_reason": "",
            "rows": [_row(system, workload, place, threads) for workload in RATES
                     for threads in (1, 2) for place in range(len(SETS)) for system in SYSTEMS],
            "hit_cost": {"peek_ns": [198.0, 200.0, 204.0], "cached_ns": [246.0, 250.0, 255.0]},
            "scaling": [{"system": system, "handles": handles, "one": _rounds(2e6),
                         "many": _rounds(2e6 * gain), "reason": ""}
                        for system, gains in (("direct_cached", (1.9, 1.95)),
                                              ("uring_cached", (1.8, 1.75)))
                        for handles, gain in zip((2, 8), gains)],
            "states": [{"system": system, "state": state, "ops_per_second": _rounds(rate),
                        "hit_ratio": hits, "reason": ""}
                       for state, systems in STATES.items()
                       for system, (rate, hits) in systems.items()],
            "scan": {"hot_pages": 8192, "cache_pages": 16384, "file_pages": 65536,
                     "step_reads": 2048, "begins": BEGINS, "ends": ENDS,
                     "lines": [{"name": name, "hit_ratio": _steps(*ratios), "reason": ""}
                               for name, ratios in SCAN.items()]},
            "policies": policies()}


def unmeasured(reason):
    """What a machine that can measure no cache leaves: the policies, which are computed."""
    return {"reason": reason, "policies": policies()}


def policies():
    return {"traces": [_trace(name, *trace) for name, trace in TRACES.items()]}


def _rounds(rate):
    return [rate * 0.98, rate, rate * 1.02]


def _row(system, workload, place, threads):
    row = {"system": system, "workload": workload, "file_over_budget": SETS[place],
           "threads": threads, "ops_per_second": [], "hit_ratio": None, "held_bytes": 0.0,
           "reason": ""}
    if (system, workload, SETS[place], threads) == KILLED:
        return dict(row, reason="killed at its memory limit")
    gain = 1 if threads == 1 else 0.9 if system == "mmap" and SETS[place] > 1 else 1.8
    held = min(SETS[place], 1)
    if SETS[place] > 1 and system in HELD:
        held = HELD[system][workload]
    return dict(row, ops_per_second=_rounds(RATES[workload][system][place] * gain),
                hit_ratio=HIT_RATIOS[system][place], held_bytes=held * BUDGET_BYTES)


def _steps(before, lowest, during):
    """The lowest is one step, in the middle of the scan; what is lost does not all come back."""
    steps = [before] * BEGINS + [during] * (ENDS - BEGINS) + [before - 0.02] * (STEPS - ENDS)
    steps[(BEGINS + ENDS) // 2] = lowest
    return steps


def _trace(name, accesses, pages, hits):
    return {"name": name, "what": f"A {name} order made for this test.", "accesses": accesses,
            "pages": pages, "sizes": [
                {"frames": round(pages * share),
                 "hits": {policy: accesses * ratios[place] // 1000
                          for policy, ratios in hits.items()}}
                for place, share in enumerate(SHARES)]}
