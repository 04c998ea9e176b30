"""Figure 4: durable writes against the number of pages made durable by one sync."""

from matplotlib.lines import Line2D

import selection
import style

NAME = "batch"
TITLE = "Durable writes against batch"
SPREAD_OF_LINES = 0.5  # of the room between two batches; beside each other, points stay legible
BAND = 0.64


def draw(results):
    lines = selection.batch_lines(results)
    if not lines:
        return None
    legend = [style.line_handle(line[0]) for line in lines]
    if any(row.peer for line in lines for row in line):
        legend.append(Line2D([], [], color=style.FIO_COLOUR, linewidth=2, label="fio, same job"))
    figure = style.new_figure(3.9, legend, 7)
    left, right = figure.subplots(1, 2)
    batches = sorted({row.batch for line in lines for row in line})
    values = _panel(left, lines, batches, "ops_per_second")
    style.rate_axis(left, values, "pages made durable per second")
    left.set_title("Durable writes per second")
    values = _panel(right, lines, batches, "p99_ns")
    right.set_title("99th percentile latency")
    right.set_ylabel("p99 latency (log scale)")
    if values and min(values) > 0:
        right.set_yscale("log")
        style.duration_ticks(right.yaxis, min(values), max(values))
        right.set_ylim(min(values) / 1.4, max(values) * 1.4)
    return figure


def _panel(axis, lines, batches, figure_name):
    """Draws every line over the batches; returns every value drawn."""
    values = []
    step = SPREAD_OF_LINES / max(1, len(lines))
    for number, line in enumerate(lines):
        shift = (number - (len(lines) - 1) / 2) * step
        rows = [r for r in line if r.median(figure_name) is not None]
        places = [batches.index(r.batch) + shift for r in rows]
        for place, row in zip(places, rows):
            values += _point(axis, place, row, figure_name, step)
        if rows:
            axis.plot(places, [r.median(figure_name) for r in rows],
                      **dict(style.marks(rows[0]), linewidth=0.9))
    for place in range(len(batches)):  # one shaded band a batch: its points are those within
        axis.axvspan(place - BAND / 2, place + BAND / 2, color="#f3f3f3", zorder=0)
    axis.set_xticks(range(len(batches)), [str(b) for b in batches])
    axis.set_xlim(-0.5, len(batches) - 0.5)
    axis.set_xlabel("pages per sync (batch)")
    axis.grid(False, axis="x")
    return values


def _point(axis, place, row, figure_name, step):
    """The error bar of a point and fio's tick; returns the values drawn."""
    spread = row.spread(figure_name)
    axis.errorbar(place, row.median(figure_name),
                  yerr=style.error(row.median(figure_name), spread), color=style.colour(row),
                  capsize=2, linewidth=0.9)
    values = list(spread or (row.median(figure_name),))
    peer = row.peer.median(figure_name) if row.peer else None
    if peer is not None:
        half = min(0.42 * step, 0.06)
        axis.plot([place - half, place + half], [peer] * 2, color=style.FIO_COLOUR, linewidth=2,
                  solid_capstyle="butt", zorder=5)
        values.append(peer)
    return values
