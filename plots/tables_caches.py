"""The tables of the section on caches, as HTML."""

import html
import statistics

import caches as caches_module
import tables
import units


def comparison(caches):
    """What a cache held at the end has a column where the run tells."""
    told = any(row.held_bytes is not None for row in caches.rows)
    lines = []
    for row in caches.rows:
        name = (f"{caches_module.workload_name(row.workload)},"
                f" {units.plural(row.threads, 'thread')}, file {row.file_over_budget:g}×:"
                f" {caches_module.system_name(row.system)}")
        lines.append(_rate_line(name, row, *([units.size(row.held_bytes)] if told else [])))
    heading = ("reads, file in multiples of the budget", "per second", "hit ratio",
               *(["of the file held"] if told else []), "rounds")
    return tables.table(heading, lines, "figures narrow") if lines else None


def _rate_line(name, row, *more):
    if not row.measured:
        return [name, (tables.not_measured(row.reason), 3 + len(more))]
    return [name, _rate(row), units.hits(row.hit_ratio), *more, len(row.rounds)]


def _rate(series):
    low, high = series.spread("ops_per_second")
    return _with_range(series.median("ops_per_second"), low, high, units.rate)


def _with_range(value, low, high, form):
    text = html.escape(form(value))
    if low != high:
        text += f'<span class="spread">{form(low)} to {form(high)}</span>'
    return tables.Html(text)


def hit_cost(caches):
    cost = caches.hit_cost
    names = ("a peek at a mapped page", "a hit in our cache")
    if cost.reason:
        lines = [[name, (tables.not_measured(cost.reason), 2)] for name in names]
    else:
        lines = [[name, _with_range(statistics.median(ns), min(ns), max(ns), units.duration),
                  len(ns)] for name, ns in zip(names, (cost.peek_ns, cost.cached_ns))]
    return tables.table(("and adding the page's words up", "time a page", "rounds"), lines,
                        "figures narrow")


def scaling(caches):
    lines = []
    for row in caches.scaling:
        name = f"{caches_module.system_name(row.system)}, {units.plural(row.handles, 'handle')}"
        if not row.measured:
            lines.append([name, (tables.not_measured(row.reason), 3)])
            continue
        gain = row.many.median("ops_per_second") / row.one.median("ops_per_second")
        lines.append([name, _rate(row.one), _rate(row.many), units.factor(gain)])
    return tables.table(("hits only, a thread with a handle each", "one", "all together",
                         "over one"), lines, "figures narrow") if lines else None


def states(caches):
    lines = []
    for state in caches_module.sort({r.state for r in caches.states}, caches_module.STATES):
        rows = {r.system: r for r in caches.states if r.state == state}
        for system in caches_module.sort(rows, caches_module.SYSTEMS):
            name = f"{caches_module.state_name(state)}: {caches_module.system_name(system)}"
            lines.append(_rate_line(name, rows[system]))
    return tables.table(("hot set", "per second", "hit ratio", "rounds"), lines,
                        "figures narrow") if lines else None


def scan(caches):
    lines = []
    for line in caches.scan.lines if caches.scan else ():
        name = caches_module.policy_name(line.name)
        if line.reason:
            lines.append([name, (tables.not_measured(line.reason), 5)])
            continue
        after = statistics.mean(line.after) if line.after else None
        lines.append([name, units.hits(statistics.mean(line.before)),
                      units.hits(min(line.within)), units.hits(statistics.mean(line.within)),
                      units.hits(after), units.points(line.usual)])
    return tables.table(("hit ratio of the hot set", "before the scan", "lowest step of it",
                         "mean of it", "after it", "falls on average by"), lines,
                        "figures narrow") if lines else None


def traces(caches):
    """[(trace, its table)]: every size, every policy."""
    return [(trace, _trace(trace)) for trace in caches.traces]


def _trace(trace):
    policies = caches_module.sort(trace.policies,
                                  (*caches_module.POLICIES, caches_module.OPTIMUM))
    lines = [[f"{size.frames:,}", units.percent(size.share)]
             + [units.hits(size.hits.get(policy)) for policy in policies] for size in trace.sizes]
    return tables.table(("frames", "of the pages", *map(caches_module.policy_name, policies)),
                        lines, "figures narrow")
