"""Figure 3: latency distributions, drawn so that the tail takes as much room as the middle."""

import math

from matplotlib.lines import Line2D

import selection
import style

NAME = "latency"
TITLE = "Latency distributions"
PERCENTILES = (0, 50, 90, 99, 99.9, 99.99)
FIO_FIGURES = ((0.5, "p50_ns"), (0.99, "p99_ns"), (0.999, "p999_ns"))
# A percentile made of fewer latencies than this is an anecdote.
FEWEST_BEYOND = 10


def draw(results):
    panels = selection.latency_panels(results)
    if not panels:
        return None
    columns = min(2, len(panels))
    bands = math.ceil(len(panels) / columns)
    figure = style.new_figure(3.1 * bands, _legend(panels), 5)
    axes = list(figure.subplots(bands, columns, squeeze=False).flat)
    for axis, (title, rows) in zip(axes, panels):
        _panel(axis, title, rows)
    for axis in axes[len(panels):]:
        axis.set_axis_off()
    return figure


def _line(row):
    """Without marks, the second variant needs dashes to be told apart."""
    return {"marker": None, "linestyle": (0, (6, 1.5)) if style.second_variant(row) else "-"}


def _legend(panels):
    rows = [row for _, panel in panels for row in panel]
    first_of_line = {row.line: row for row in reversed(rows)}
    handles = [style.line_handle(row, **_line(row)) for row in
               sorted(first_of_line.values(), key=lambda row: row.line_order)]
    if any(row.peer for row in rows):
        handles.append(Line2D([], [], color="#444444", marker="x", linestyle="",
                              label="fio's p50, p99, p99.9 (in the line's colour)"))
    return handles


def _panel(axis, title, rows):
    seen_ns = []
    for row in rows:
        points = curve(row.histogram)
        axis.plot([x for x, _ in points], [y for _, y in points],
                  **dict(style.marks(row), **_line(row)))
        seen_ns += [x for x, _ in points]
        seen_ns += _fio_marks(axis, row)
    axis.set_xscale("log")
    low_ns, high_ns = min(seen_ns) / 1.4, max(seen_ns) * 1.4
    axis.set_xlim(low_ns, high_ns)
    style.duration_ticks(axis.xaxis, low_ns, high_ns)
    axis.set_yticks([_nines(p / 100) for p in PERCENTILES], [f"{p:g} %" for p in PERCENTILES])
    axis.set_ylim(0, 4.15)
    axis.set_ylabel("share of operations done")
    axis.set_xlabel("latency (log scale)")
    axis.set_title(title)


def _fio_marks(axis, row):
    if row.peer is None:
        return []
    marks = [(row.peer.median(name), _nines(p)) for p, name in FIO_FIGURES]
    marks = [(x, y) for x, y in marks if x]
    if marks:
        axis.plot(*zip(*marks), "x", color=style.colour(row), markersize=6, markeredgewidth=1.6)
    return [x for x, _ in marks]


def _nines(share):
    """0 for 0 %, 1 for 90 %, 2 for 99 %: each further nine takes the same height."""
    return -math.log10(1 - share)


def curve(histogram):
    """(upper_ns, nines) for each bucket, as far as enough latencies lie beyond it."""
    total = sum(count for _, count in histogram)
    points, done = [], 0
    for upper_ns, count in histogram:
        done += count
        beyond = total - done
        if beyond < FEWEST_BEYOND:
            break
        points.append((max(upper_ns, 1), _nines(done / total)))
    # Where one bucket has nearly all, the share rises at that one latency.
    only_ns = max(histogram[-1][0], 1)
    return points or [(only_ns, 0), (only_ns, _nines(max(0, 1 - FEWEST_BEYOND / total)))]
