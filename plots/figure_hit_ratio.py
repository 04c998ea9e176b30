"""What each policy hits on each trace, against the size of the cache; computed, not measured."""

from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

import caches as caches_module
import findings_caches
import style

NAME = "hit_ratio"
TITLE = "Hit ratio against the size of the cache"
PANELS_ABREAST = 2


def draw(results):
    traces = [t for t in results.caches.traces if t.sizes] if results.caches else []
    if not traces:
        return None
    found = {p for trace in traces for p in trace.policies}
    policies = caches_module.sort(found, (*caches_module.POLICIES, caches_module.OPTIMUM))
    legend = [Line2D([], [], label=caches_module.policy_name(p), **style.policy_marks(p))
              for p in policies]
    columns = min(PANELS_ABREAST, len(traces))
    rows = -(-len(traces) // columns)
    figure = style.new_figure((3.3 if rows == 1 else 2.7) * rows, legend, 6)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, trace in zip(axes, traces):
        _panel(axis, trace, policies)
    for axis in axes[len(traces):]:
        axis.set_visible(False)
    return figure


def _panel(axis, trace, policies):
    for policy in policies:
        points = [(size.share, size.hits[policy]) for size in trace.sizes if policy in size.hits]
        if points:
            axis.plot(*zip(*points), **style.policy_marks(policy))
    shares = [size.share for size in trace.sizes]
    axis.set_xscale("log")
    style.share_ticks(axis.xaxis, min(shares), max(shares))
    axis.set_xlim(min(shares) / 1.25, max(shares) * 1.25)
    axis.set_xlabel("frames of the cache, share of the trace's pages (log scale)")
    axis.set_ylim(0, 1.03)
    axis.yaxis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, 0.8, 1]))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.0f} %"))
    axis.set_ylabel("accesses that hit")
    axis.set_title(f"{findings_caches.title(trace)}, {trace.pages:,} pages")
