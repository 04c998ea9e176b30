"""A hot set in turn with a scan: what it hits under each policy, and the rates of the caches."""

import math

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

import caches as caches_module
import dots
import style
import units

NAME = "scan"
TITLE = "A hot set in turn with a scan"
SHADE = "#e9e9e9"
TICKS = {"warm": "all of it\nin the cache", "half_warm": "half of it\nin the cache",
         "scan": "in turn\nwith a scan"}


def draw(results):
    caches = results.caches
    if caches is None:
        return None
    lines = caches.scan.drawn if caches.scan else []
    states = [r for r in caches.states if r.measured]
    if not (lines or states):
        return None
    legend = [Line2D([], [], label=caches_module.policy_name(line.name),
                     **style.policy_marks(line.name)) for line in lines]
    legend += [Patch(color=SHADE, label="the scan runs")] if lines else []
    systems = caches_module.sort({r.system for r in caches.states}, caches_module.SYSTEMS)
    legend += dots.legend(systems) if states else []
    figure = style.new_figure(3.9, legend, 6)
    axes = iter(figure.subplots(1, bool(lines) + bool(states), squeeze=False)[0])
    if lines:
        _hits(next(axes), caches.scan, lines)
    if states:
        _states(next(axes), caches, systems)
    return figure


def _hits(axis, scan, lines):
    axis.axvspan(scan.begins * scan.step_reads, scan.ends * scan.step_reads, color=SHADE, zorder=0)
    lowest = 1
    for line in lines:
        reads = [(step + 0.5) * scan.step_reads for step in range(len(line.hit_ratio))]
        axis.plot(reads, line.hit_ratio, **style.policy_marks(line.name))
        lowest = min(lowest, *line.hit_ratio)
    steps = 10 if lowest < 0.9 else 50
    bottom = min(steps - 1, math.floor(lowest * steps)) / steps
    margin = (1 - bottom) * 0.04  # a mark on the edge is not cut in half
    axis.set_ylim(bottom - margin, 1 + margin)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.4g} %"))
    axis.set_xlim(left=0)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda v, _: style.whole(units.compact(v))))
    axis.set_xlabel("reads of the hot set, each step at its middle")
    axis.set_ylabel("reads of the hot set that hit")
    axis.set_title("Hit ratio of the hot set, by policy")


def _states(axis, caches, systems):
    rows = {(r.state, r.system): r for r in caches.states}
    states = caches_module.sort({r.state for r in caches.states}, caches_module.STATES)
    values = dots.draw(axis, states, systems, lambda group, system: rows.get((group, system)))
    style.rate_axis(axis, values, "reads of the hot set per second")
    axis.set_xticks(range(len(states)), [TICKS.get(s, s) for s in states])
    axis.set_title("The kernel's cache and ours")
