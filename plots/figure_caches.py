"""The kernel's cache and ours: reads per second by workload, threads and size of the file."""

import caches as caches_module
import dots
import style
import units

NAME = "caches"
TITLE = "Reads through the kernel's cache and ours"
X_LABEL = "file, in multiples of the cache's memory"


def draw(results):
    caches = results.caches
    if caches is None or not any(row.measured for row in caches.rows):
        return None
    systems = caches_module.sort({r.system for r in caches.rows}, caches_module.SYSTEMS)
    workloads = caches_module.sort({r.workload for r in caches.rows}, caches_module.WORKLOADS)
    threads = sorted({r.threads for r in caches.rows})
    figure = style.new_figure(2.7 * len(threads), dots.legend(systems), 5)
    grid = figure.subplots(len(threads), len(workloads), squeeze=False, sharey=True)
    values = []
    for line, number in zip(grid, threads):
        for axis, workload in zip(line, workloads):
            values += _panel(axis, caches, systems, workload, number)
    for line in grid:
        for axis in line:
            style.rate_axis(axis, values, "reads per second", factor=1)
            axis.label_outer()
    return figure


def _panel(axis, caches, systems, workload, threads):
    rows = {(r.file_over_budget, r.system): r for r in caches.rows
            if (r.workload, r.threads) == (workload, threads)}
    sets = sorted({r.file_over_budget for r in caches.rows})
    values = dots.draw(axis, sets, systems, lambda group, system: rows.get((group, system)))
    axis.set_title(f"{caches_module.workload_name(workload)}, {units.plural(threads, 'thread')}")
    axis.set_xticks(range(len(sets)), [f"{s:g}×" for s in sets])
    axis.set_xlabel(X_LABEL)
    return values
