"""Figure 2: rate and p99 latency of cold random reads against the number in flight."""

from matplotlib.lines import Line2D

import selection
import style

NAME = "depth"
TITLE = "Cold random reads against the number in flight"
X_LABEL = "reads in flight (io_uring: depth; pool: threads)"


def draw(results):
    lines = selection.depth_lines(results)
    if not lines:
        return None
    legend = [style.line_handle(line[0]) for line in lines]
    if any(row.peer for line in lines for row in line):
        legend.append(Line2D([], [], color="#444444", linestyle="--", linewidth=1.2,
                             label="fio, same job (in the line's colour)"))
    figure = style.new_figure(3.9, legend, 5)
    left, right = figure.subplots(1, 2)
    positions = sorted({row.concurrency for line in lines for row in line})
    _rates(left, lines)
    _tails(right, lines)
    for axis in (left, right):
        style.steps_axis(axis, positions, X_LABEL)
    return figure


def _rates(axis, lines):
    values = []
    for line in lines:
        values += _line(axis, line, "ops_per_second")
    style.rate_axis(axis, values)
    axis.set_title("Reads per second")


def _tails(axis, lines):
    values = []
    for line in lines:
        if not selection.queues(line[0]):
            values += _line(axis, line, "p99_ns")
    values = [v for v in values if v > 0]
    axis.set_title("99th percentile latency")
    axis.set_ylabel("p99 latency (log scale)")
    if values:
        axis.set_yscale("log")
        style.duration_ticks(axis.yaxis, min(values), max(values))
        axis.set_ylim(min(values) / 1.3, max(values) * 1.3)


def _line(axis, line, figure_name):
    """Draws one line with error bars, and fio's dashed; returns every value drawn."""
    rows = [r for r in line if r.median(figure_name) is not None]
    values = []
    for row in rows:
        spread = row.spread(figure_name)
        axis.errorbar(row.concurrency, row.median(figure_name),
                      yerr=style.error(row.median(figure_name), spread),
                      color=style.colour(row), capsize=2, linewidth=0.9)
        values += spread or (row.median(figure_name),)
    if rows:
        axis.plot([r.concurrency for r in rows], [r.median(figure_name) for r in rows],
                  **style.marks(rows[0]))
    peers = [(r.concurrency, r.peer.median(figure_name)) for r in rows if r.peer]
    peers = [(x, y) for x, y in peers if y is not None]
    if peers:
        marker = "_" if len(peers) == 1 else None  # a dashed line of one point is invisible
        axis.plot(*zip(*peers), color=style.colour(rows[0]), linestyle="--", linewidth=1.2,
                  marker=marker, markersize=12, alpha=0.9)
        values += [y for _, y in peers]
    return values
