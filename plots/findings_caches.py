"""Sentences about the caches of a run, each computed from its data. A cause is named only where the
figures show its effect."""

import statistics

import caches as caches_module
import findings
import selection
import units

NAME = caches_module.system_name
LEADS, EQUAL, BEHIND = "leads", "is about equal to", "is behind"
# mmap collapses where it does at most half of what pread does.
COLLAPSE_FACTOR = 2
# A cache that held more or less than this share off the budget was not compared on equal terms.
UNFAIR = 0.05
RANDOM = ("zipfian", "uniform")
POINT = 0.01


def verdict(one, other):
    """Of two rates; rounds that overlap and medians within 10 % tell nobody apart."""
    ratio = units.quotient(selection.ops(one), selection.ops(other))
    if selection.overlap(one, other) or _near(ratio):
        return EQUAL
    return LEADS if ratio > 1 else BEHIND


def _near(ratio):
    return max(ratio, 1 / ratio) < 1 + findings.NEARLY


def summary(results):
    """For the top of the report: what a cache of the file's own gives above its budget."""
    caches = results.caches
    if caches is None:
        return ""
    above, threads = _above(caches), _threads(caches)[:1]
    said = [_ratios(caches, "zipfian", above, t) for t in threads] if above else []
    return " ".join(s for s in said if s)


def comparison(results):
    """The kernel's cache against ours: who leads when, by how much, and why."""
    caches = results.caches
    if caches is None:
        return []
    cases = [(w, t) for w in _workloads(caches) for t in _threads(caches)]
    sentences = [_leaders(caches, *case) for case in cases]
    above = _above(caches)
    if above:
        sentences += [_ratios(caches, "zipfian", above, t) for t in _threads(caches)]
    sentences += [_sequential(caches, t) for t in _threads(caches)]
    sentences.append(held(caches))
    sentences += [collapse(caches, w, t) for w, t in cases if w in RANDOM]
    return [s for s in sentences + _causes(caches) if s]


def _workloads(caches):
    return caches_module.sort({r.workload for r in caches.rows}, caches_module.WORKLOADS)


def _threads(caches):
    return sorted({r.threads for r in caches.rows})


def _sets(caches):
    return sorted({r.file_over_budget for r in caches.rows})


def _above(caches):
    """The largest file above the budget, or None."""
    return max((s for s in _sets(caches) if s > 1), default=None)


def _below(caches):
    return min((s for s in _sets(caches) if s < 1), default=None)


def set_name(file_over_budget):
    """'above the budget (4×)'."""
    if file_over_budget == 1:
        return "at the budget"
    return f"{'below' if file_over_budget < 1 else 'above'} the budget ({file_over_budget:g}×)"


def _case(workload, threads):
    return f"{caches_module.workload_name(workload)}, {units.plural(threads, 'thread')}"


def _found(caches, workload, file_over_budget, threads):
    """The measured rows of one group of the figure."""
    return [r for r in caches.rows if r.measured and (r.workload, r.file_over_budget, r.threads)
            == (workload, file_over_budget, threads)]


def _leaders(caches, workload, threads):
    parts = []
    for file_over_budget in _sets(caches):
        leader = _leader(_found(caches, workload, file_over_budget, threads))
        parts += [f"{set_name(file_over_budget)} {leader}"] if leader else []
    return f"{_case(workload, threads)}: {'; '.join(parts)}." if parts else ""


def _leader(rows):
    """'mmap leads (2.00 M/s), 1.25× the next, O_DIRECT + cache'; '' without two to compare."""
    rows = sorted(rows, key=selection.ops, reverse=True)
    if len(rows) < 2:
        return ""
    best, second = rows[:2]
    rate = units.rate(selection.ops(best))
    if verdict(best, second) == EQUAL:
        equal = [r for r in rows[1:] if verdict(best, r) == EQUAL]
        names = units.words([f"{NAME(best.system)} ({rate})", *[NAME(r.system) for r in equal]])
        return f"{names} are about equal" + (" and ahead" if len(equal) < len(rows) - 1 else "")
    lead = units.factor(units.quotient(selection.ops(best), selection.ops(second)))
    return f"{NAME(best.system)} leads ({rate}), {lead} the next, {NAME(second.system)}"


def _beside(one, other):
    """'leads mmap (12.0×)'; '' where one of them was not measured."""
    if one is None or other is None:
        return ""
    ratio = units.quotient(selection.ops(one), selection.ops(other))
    far = selection.overlap(one, other) and not _near(ratio)
    return (f"{verdict(one, other)} {NAME(other.system)} ({units.factor(ratio)}"
            + (", but their rounds overlap)" if far else ")"))


def _ratios(caches, workload, file_over_budget, threads):
    """What the two caches of ours do beside the kernel's."""
    rows = {s: caches.row(s, workload, file_over_budget, threads) for s in caches_module.SYSTEMS}
    parts = []
    for own, others in (("uring_cached", ("mmap", "pread")), ("direct_cached", ("pread",))):
        said = [text for text in (_beside(rows[own], rows[o]) for o in others) if text]
        parts += [f"{NAME(own)} {units.words(said)}"] if said else []
    text = f"{_case(workload, threads)}, file {file_over_budget:g}× the budget: "
    return f"{text}{'; '.join(parts)}." if parts else ""


def _sequential(caches, threads):
    parts = []
    for file_over_budget in _sets(caches):
        direct, pread = (caches.row(s, "sequential", file_over_budget, threads)
                         for s in ("direct_cached", "pread"))
        said = _beside(direct, pread)
        parts += [f"{set_name(file_over_budget)} it {said}"] if said else []
    if not parts:
        return ""
    return f"{_case('sequential', threads)}, {NAME('direct_cached')}: {'; '.join(parts)}."


def held(caches):
    """Whether the kernel's cache had the memory that ours has, where the file outgrows it."""
    rows = [r for r in caches.rows if r.measured and r.file_over_budget > 1
            and r.system in caches_module.KERNELS and r.held_bytes is not None]
    if not (rows and caches.budget_bytes):
        return ""
    off = {}  # by system: shares of the budget, to the tenth of a per cent that is shown
    for row in rows:
        share = round(row.held_bytes / caches.budget_bytes - 1, 3)
        off.setdefault(row.system, []).append(share)
    parts = [f"{NAME(s)} {_more_or_less(min(off[s]), max(off[s]))}"
             for s in caches_module.KERNELS if s in off]
    return ("With a file above the budget the kernel's cache held, beside its budget of"
            f" {units.size(caches.budget_bytes)}: {units.words(parts)}.{_favoured(off)}")


def _more_or_less(low, high):
    """'0.8 % less to 1.2 % more', '0.8 % to 1.2 % more', '1.2 % more'."""
    first, last = ("less" if share < 0 else "more" for share in (low, high))
    least, most = (f"{abs(share) * 100:.1f} %" for share in (low, high))
    if low == high:
        return f"{most} {last}"
    return f"{least}{'' if first == last else f' {first}'} to {most} {last}"


def _favoured(off):
    """Whom it favours that some held more or less than the others had."""
    parts = [f"{NAME(s)} over ours" for s in off if max(off[s]) > UNFAIR]
    parts += [f"ours over {NAME(s)}" for s in off if min(off[s]) < -UNFAIR]
    if not parts:
        return ""
    shares = [share for system in off.values() for share in system]
    unfair = sum(abs(share) > UNFAIR for share in shares)
    return (f" Beware: in {unfair} of {units.plural(len(shares), 'row')} that is over"
            f" {units.percent(UNFAIR)} off, and there the comparison favours {units.words(parts)}.")


def collapse(caches, workload, threads):
    """Whether mmap falls far behind pread, which has the same cache and the same disk, when the
    file outgrows their memory. What either did when all of it fitted is another matter."""
    above = _above(caches)
    mmap, pread = pair = [caches.row(s, workload, above, threads) for s in ("mmap", "pread")]
    if not (mmap and pread):
        return ""
    ratio, overlap = selection.ops(mmap) / selection.ops(pread), selection.overlap(mmap, pread)
    answer = "not reproduced"
    if verdict(mmap, pread) == BEHIND:
        # Their rounds do not overlap: otherwise it is not behind.
        answer = "reproduced" if ratio * COLLAPSE_FACTOR <= 1 else "reproduced in part"
    hits = [f"{units.hits(r.hit_ratio)} of {NAME(r.system)}'s" for r in pair
            if r.hit_ratio is not None]
    said = [f"{units.words(hits)} reads hit"] if hits else []
    said += _second_thread(caches, workload, above) if threads == 2 else []
    return (f"{_case(workload, threads)}, file {above:g}× the budget, mmap's collapse is {answer}:"
            f" mmap does {units.rate(selection.ops(mmap))}, {units.factor(ratio)} of pread's"
            f" {units.rate(selection.ops(pread))}{' (their rounds overlap)' if overlap else ''}"
            f"{''.join(f'; {text}' for text in said)}.")


def _second_thread(caches, workload, above):
    """What it adds to either: a collapse is said to show with threads."""
    parts = []
    for system in ("mmap", "pread"):
        one, two = (caches.row(system, workload, above, threads) for threads in (1, 2))
        if one and two:
            gain = units.factor(selection.ops(two) / selection.ops(one))
            parts.append(f"{gain} with {NAME(system)}")
    return [f"two threads do, over one, {units.words(parts)}"] if len(parts) == 2 else []


def _causes(caches):
    """Each in one sentence, for the Zipfian reads of the fewest threads."""
    threads = _threads(caches)[:1]
    above, below = _above(caches), _below(caches)
    if not threads:
        return []
    high = {s: caches.row(s, "zipfian", above, *threads) for s in caches_module.SYSTEMS}
    low = {s: caches.row(s, "zipfian", below, *threads) for s in caches_module.SYSTEMS}
    causes = (
        (high, "pread", "mmap", "A map must fault and evict one page at a time, in the thread that"
         " reads: above the budget {first} does {factor} the reads of {second}."),
        (high, "uring_cached", "pread", "The kernel reads one page at a time for a synchronous"
         " reader: above the budget {first} does {factor} the reads of {second}."),
        (high, "uring_cached", "direct_cached", "The ring has 32 misses under way: above the"
         " budget {first} does {factor} the reads of {second}, which awaits each."),
        (low, "direct_cached", "pread", "A hit in the cache makes no system call, where pread"
         " makes one and copies the page: below the budget {first} does {factor} the reads of"
         " {second}."))
    said = [text.format(first=NAME(one), second=NAME(two), factor=units.factor(
                selection.ops(rows[one]) / selection.ops(rows[two])))
            for rows, one, two, text in causes
            if rows[one] and rows[two] and verdict(rows[one], rows[two]) == LEADS]
    return said + _hits(high)


def _hits(rows):
    """What hits above the budget, where that is known of two: misses are most of the time."""
    known = [f"{NAME(s)} {units.hits(r.hit_ratio)}" for s, r in rows.items()
             if r and r.hit_ratio is not None]
    text = "Of those reads above the budget, these hit: "
    return [f"{text}{units.words(known)}."] if len(known) > 1 else []


def hit_cost(results):
    """What a hit costs over a peek at a mapped page, both with adding its words up."""
    cost = results.caches.hit_cost
    if cost.reason:
        return []
    peek, cached = statistics.median(cost.peek_ns), statistics.median(cost.cached_ns)
    more = cached - peek
    overlap = (min(cost.peek_ns) <= max(cost.cached_ns)
               and min(cost.cached_ns) <= max(cost.peek_ns))
    return [f"To find a page in our cache and add its words up takes {units.duration(cached)}, to"
            f" peek at it in a map and do the same {units.duration(peek)}:"
            f" {units.factor(units.quotient(cached, peek))}, {units.duration(abs(more))}"
            f" {'more' if more >= 0 else 'less'} a page"
            + (" (their rounds overlap)." if overlap else ".")
            + " A map's hits are not free either."]


def scaling(results):
    """What more threads do, each with a handle of its own on one cache."""
    lines, cores = {}, results.machine.get("cores")
    for row in results.caches.scaling:
        if row.measured:
            gain = units.quotient(selection.ops(row.many), selection.ops(row.one))
            lines.setdefault(row.system, []).append((row.handles, gain))
    sentences = []
    for system in caches_module.sort(lines, caches_module.SYSTEMS):
        parts = [f"{units.factor(gain)} with {handles}" for handles, gain in sorted(lines[system])]
        sentences.append(f"{NAME(system)}, hits only: threads with a handle each on one cache do,"
                         f" over one, {units.words(parts)}.")
    if sentences and cores and any(h > cores for line in lines.values() for h, _ in line):
        sentences.append(f"The machine has {units.plural(cores, 'core')}, and more threads than"
                         f" that can do no more than about {cores:g}×.")
    return sentences


def scan(results):
    """How deep a scan pushes the hot set's hit ratio, and the rates in three states."""
    caches, sentences = results.caches, []
    if caches is None:
        return []
    lines = caches.scan.drawn if caches.scan else []
    if lines:
        parts = [f"{caches_module.policy_name(line.name)} {_fall(line)}"
                 for line in sorted(lines, key=lambda line: (line.usual, line.deepest))]
        sentences.append("While the scan runs, this is what the hot set's hit ratio loses at its"
                         f" lowest step, and on average: {'; '.join(parts)}.")
        sentences.append(_small_queues({line.name: line.usual for line in lines}))
    for state in caches_module.STATES:
        leader = _leader([r for r in caches.states if r.measured and r.state == state])
        name = caches_module.state_name(state)
        sentences.append(f"Hot set, {name}: {leader}." if leader else "")
    sentences.append(_scanned(caches))
    return [s for s in sentences if s]


def _fall(line):
    return f"{units.points(line.deepest)}, {units.points(line.usual)}"


def _small_queues(falls):
    """Those of the two that lose a point less, on average, than both that have no such queue."""
    plain = [falls[p] for p in ("clock", "lru") if p in falls]
    small = [p for p in ("s3-fifo", "2q") if p in falls]
    better = [caches_module.policy_name(p) for p in small if plain
              and falls[p] + POINT <= min(plain)]
    if not better:
        return ""
    verb = "lets" if len(better) == 1 else "let"
    return (f"{units.words(better)} {verb} a scan pass through a small queue, so that it evicts"
            " little of what is hot.")


def _scanned(caches):
    """What each system keeps of its rate when the thread that reads scans the file as well."""
    parts = []
    for system in caches_module.SYSTEMS:
        warm, busy = (caches.state(system, state) for state in ("warm", "scan"))
        if warm and busy:
            kept = units.percent(selection.ops(busy) / selection.ops(warm))
            parts.append(f"{NAME(system)} {kept}")
    if not parts:
        return ""
    return ("In turn with a scan, where one thread reads 32 pages of the hot set, then 32 of the"
            " file, and only the hot set's reads are timed, this is left of their rate without a"
            f" scan: {units.words(parts)}.")


def hit_ratio(results):
    """For each trace, where its policies differ most; and who hits most how often."""
    if results.caches is None:
        return []
    sentences = [_trace(trace) for trace in results.caches.traces]
    sentences.append(_most_often(results.caches.traces))
    return [s for s in sentences if s]


def _trace(trace):
    sizes = [size for size in trace.sizes if len(size.ranked()) > 1]
    if not sizes:
        return ""
    gaps = [size.ranked()[0][0] - size.ranked()[-1][0] for size in sizes]
    if max(gaps) < POINT:
        return (f"{title(trace)}: at no size do two policies differ by a point; the widest gap is"
                f" {units.points(max(gaps))}.")
    size = sizes[gaps.index(max(gaps))]
    (most, best), *_, (least, worst) = size.ranked()
    text = (f"{title(trace)}: the policies differ most at {size.frames} frames,"
            f" {units.percent(size.share)} of the pages, where {caches_module.policy_name(best)}"
            f" hits {units.hits(most)} and {caches_module.policy_name(worst)} {units.hits(least)}")
    limit = size.hits.get(caches_module.OPTIMUM)
    if limit is not None:
        text += f"; {caches_module.policy_name(caches_module.OPTIMUM)} is {units.hits(limit)}"
    return text + "."


def title(trace):
    return trace.name[:1].upper() + trace.name[1:]


def _most_often(traces):
    ranked = [size.ranked() for trace in traces for size in trace.sizes]
    ranked = [policies for policies in ranked if len(policies) > 1]
    if not ranked:
        return ""
    wins = {}
    for policies in ranked:
        for hits, policy in policies:
            wins[policy] = wins.get(policy, 0) + (hits == policies[0][0])
    names = sorted(caches_module.sort(wins, caches_module.POLICIES), key=lambda p: -wins[p])
    parts = [f"{caches_module.policy_name(p)} at {wins[p]}" for p in names]
    return (f"Of {units.plural(len(ranked), 'size')} of all traces, this many see a policy hit"
            f" most, or as much as any: {units.words(parts)}.")
