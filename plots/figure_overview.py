"""Figure 1: operations per second by implementation and workload, fio's mark on each bar."""

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

import results as results_module
import selection
import style
import units

NAME = "overview"
TITLE = "Operations per second, by workload and implementation"
BARS_IN_A_BAND = 15


def draw(results):
    panels = [(w, selection.overview_rows(results, w)) for w in results.workloads]
    panels = [(w, rows) for w, rows in panels if any(r.measured for r in rows)]
    if not panels:
        return None
    bands = _bands(panels)
    figure = style.new_figure(3.1 * len(bands), _legend(panels), 7)
    grid = figure.add_gridspec(len(bands), 1)
    for band, cell in zip(bands, grid):
        widths = [max(3, len(rows)) for _, rows in band]
        inner = cell.subgridspec(1, len(band), width_ratios=widths)
        for (workload, rows), place in zip(band, inner):
            _panel(figure.add_subplot(place), results_module.workload_name(workload), rows)
    return figure


def _bands(panels):
    """Panels side by side as long as their bars fit in the width."""
    bands = [[]]
    for panel in panels:
        bars = sum(max(3, len(rows)) for _, rows in bands[-1]) + max(3, len(panel[1]))
        if bands[-1] and bars > BARS_IN_A_BAND:
            bands.append([])
        bands[-1].append(panel)
    return bands


def _panel(axis, title, rows):
    values = []
    for row in rows:
        if row.measured:
            values += [selection.ops(row), *(row.spread("ops_per_second") or ())]
            values += [row.peer.median("ops_per_second")] if row.peer else []
    style.rate_axis(axis, values)
    top = axis.get_ylim()[1]
    for place, row in enumerate(rows):
        if row.measured:
            _bar(axis, place, row)
        else:
            axis.text(place, 0.03, "not measured", rotation=90, ha="center", va="bottom",
                      color="#666666", fontsize=8.5, transform=axis.get_xaxis_transform())
    axis.set_ylim(top=top)
    axis.set_title(title)
    axis.set_xticks(range(len(rows)), [_tick_label(r) for r in rows], fontsize=8)
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(-0.6, max(3, len(rows)) - 0.4)
    axis.grid(False, axis="x")


def _bar(axis, place, row):
    value, colour = selection.ops(row), style.colour(row)
    second = style.second_variant(row)
    spread = row.spread("ops_per_second")
    axis.bar(place, value, width=0.62, color="white" if second else colour, edgecolor=colour,
             hatch="////" if second else None, linewidth=1)
    peer_value = row.peer.median("ops_per_second") if row.peer else None
    highest = max([value, *(spread or ())])
    if peer_value:
        axis.plot([place - 0.42, place + 0.42], [peer_value] * 2, color="white", linewidth=3.4)
        axis.plot([place - 0.42, place + 0.42], [peer_value] * 2, color=style.FIO_COLOUR,
                  linewidth=2, solid_capstyle="butt")
        highest = max(highest, peer_value)
    _spread(axis, place, row, value, spread)
    axis.annotate(units.compact(value), (place, highest), xytext=(0, 3),
                  textcoords="offset points", ha="center", va="bottom", fontsize=8)


def _spread(axis, place, row, value, spread):
    """Over everything else and with a white halo: on a dark bar a dark line would be lost."""
    halo = [withStroke(linewidth=3, foreground="white")]
    bars = axis.errorbar(place, value, yerr=style.error(value, spread), color="#444444",
                         capsize=3, linewidth=1.1, zorder=6)
    for part in (*bars[1], *bars[2]):
        part.set_path_effects(halo)
    if row.bimodal:
        rates = row.values("ops_per_second")
        axis.plot([place + 0.2] * len(rates), rates, ".", color="#222222", markersize=5,
                  path_effects=halo, zorder=6)


def _tick_label(row):
    lines = row.line_label.replace(", ", " ").split(" ")
    lines += row.point_label.split(", ") if row.point_label else []
    return "\n".join(lines) + ("\n(bimodal)" if row.bimodal else "")


def _legend(panels):
    rows = [row for _, panel in panels for row in panel]
    impls = {row.impl: row for row in rows}
    names = sorted(impls, key=lambda i: (results_module.order(results_module.IMPLS, i), i))
    handles = [Patch(color=style.colour(impls[n]), label=results_module.IMPL_NAMES.get(n, n))
               for n in names]
    if any(row.peer for row in rows):
        handles.append(Line2D([], [], color=style.FIO_COLOUR, linewidth=2,
                              label="fio, same job"))
    handles.append(Line2D([], [], color="#444444", marker="|", linewidth=1, markersize=8,
                          label="least and most of the rounds"))
    if any(row.bimodal for row in rows):
        handles.append(Line2D([], [], color="#444444", marker=".", linestyle="",
                              label="each round, where bimodal"))
    return handles
