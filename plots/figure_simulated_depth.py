"""Depth on four classes of disk, from the simulated machine: rate and latency of random reads."""

from matplotlib.lines import Line2D

import results as results_module
import style
import units

NAME = "simulated_depth"
TITLE = "Depth on four disks"
X_LABEL = "reads in flight"
COLOURS = {"hdd": "#555555", "sata": "#56B4E9", "nvme": "#D55E00", "object": "#332288"}
MARKERS = {"hdd": "s", "sata": "D", "nvme": "o", "object": "^"}


def draw(results):
    if not results.disks:
        return None
    legend = [Line2D([], [], **_look(model), label=results_module.model_name(model))
              for model, _ in results.disks]
    figure = style.new_figure(3.9, legend, 4)
    left, right = figure.subplots(1, 2)
    rates = _lines(left, results, lambda point: point.ops_per_second, -14)
    style.rate_axis(left, rates, "reads per second")
    left.set_title("Random reads of 4 KiB per second")
    latencies = _lines(right, results, lambda point: point.latency_mean_ns, 8)
    right.set_title("Mean latency")
    right.set_ylabel("mean latency (log scale)")
    right.set_yscale("log")
    style.duration_ticks(right.yaxis, min(latencies), max(latencies))
    right.set_ylim(min(latencies) / 1.6, max(latencies) * 1.6)
    depths = sorted({point.depth for point in results.simulated_depth})
    for axis in (left, right):
        style.steps_axis(axis, depths, X_LABEL)
    return figure


def _look(model):
    colour = COLOURS.get(model, style.OTHER_COLOUR)
    return {"color": colour, "marker": MARKERS.get(model, "v"), "markersize": 5.5,
            "linewidth": 1.8}


def _lines(axis, results, figure, label_points):
    """Draws one line a model and names its units, so far above the bend that they make, in points,
    or below it; returns the values drawn."""
    values = []
    for model, points in results.disks:
        drawn = [figure(point) for point in points]
        axis.plot([point.depth for point in points], drawn, **_look(model))
        values += drawn
        for point in points:
            if point.depth != point.units:
                continue
            place = (0, 8 if point is points[-1] else label_points)
            axis.annotate(units.plural(point.units, "unit"), (point.depth, figure(point)),
                          xytext=place, textcoords="offset points", ha="center", fontsize=8,
                          color=COLOURS.get(model, style.OTHER_COLOUR))
    return values
