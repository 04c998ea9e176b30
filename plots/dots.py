"""Rates of several systems in groups side by side: a dot is a median, its whisker the rounds."""

from matplotlib.lines import Line2D

import caches as caches_module
import selection
import style

SPREAD_OF_SYSTEMS = 0.62  # of the room between two groups
BAND = 0.86


def legend(systems):
    handles = [Line2D([], [], label=caches_module.system_name(s), **style.system_marks(s))
               for s in systems]
    handles.append(Line2D([], [], color="#444444", marker="|", linewidth=1, markersize=8,
                          label="least and most of the rounds"))
    return handles


def draw(axis, groups, systems, row_of):
    """row_of(group, system) is a row, measured or not, or None. Returns every value drawn."""
    values = []
    step = SPREAD_OF_SYSTEMS / max(1, len(systems) - 1)
    for place, group in enumerate(groups):
        axis.axvspan(place - BAND / 2, place + BAND / 2, color="#f3f3f3", zorder=0)
        for number, system in enumerate(systems):
            row = row_of(group, system)
            x = place + (number - (len(systems) - 1) / 2) * step
            if row is None:
                continue
            if not row.measured:
                axis.text(x, 0.03, "not measured", rotation=90, ha="center", va="bottom",
                          color=style.system_marks(system)["color"], fontsize=7.5,
                          transform=axis.get_xaxis_transform())
                continue
            values += _dot(axis, x, row)
    axis.set_xlim(-0.5, len(groups) - 0.5)
    axis.tick_params(axis="x", length=0)
    axis.grid(False, axis="x")
    return values


def _dot(axis, x, row):
    value, spread = selection.ops(row), row.spread("ops_per_second")
    axis.errorbar(x, value, yerr=style.error(value, spread), capsize=3, elinewidth=1.1,
                  **style.system_marks(row.system))
    return [value, *spread]
