"""The picture of ./lab bench: yours, the reference's, fio's, and what you had predicted."""

import sys

from course.labs import ROOT

sys.path.insert(0, str(ROOT / "plots"))

import style  # noqa: E402  (plots/ is on the path from here on)
import units  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

YOURS = "#0072B2"
REFERENCE = "#888888"
PREDICTED = "#D55E00"


def draw(lab, rows, reference, where, predicted, simulated, folder):
    rows = [row for row in rows if not row.reason]
    legend = [Line2D([], [], label="your code", color=YOURS, marker="o", linewidth=1.6),
              Line2D([], [], label=f"the reference, recorded on {where}" if where else
                     "the reference: not recorded", color=REFERENCE, marker="D", linewidth=0,
                     markerfacecolor="none", markersize=9)]
    if not simulated:
        legend.append(Line2D([], [], label="fio in the same run", color=style.FIO_COLOUR,
                             linewidth=1.2, linestyle="--"))
    if predicted:
        legend.append(Line2D([], [], label="your prediction", color=PREDICTED, marker="X",
                             linewidth=0, markersize=8))
    height = 1.4 + 0.34 * max(1, len(rows)) + (0.9 + 0.3 * len(predicted) if predicted else 0)
    figure = style.new_figure(height, legend, 3)
    shares = [max(1, len(rows)), *([1 + len(predicted)] if predicted else [])]
    axes = figure.subplots(len(shares), 1, squeeze=False,
                           gridspec_kw={"height_ratios": shares})[:, 0]
    draw_rows(axes[0], lab, rows, reference, simulated)
    if predicted:
        draw_predictions(axes[1], predicted)
    style.save(figure, str(folder), f"bench-{lab.number}")
    return folder / f"bench-{lab.number}.png"


def draw_rows(axis, lab, rows, reference, simulated):
    for place, row in enumerate(rows):
        axis.plot([row.low, row.high], [place, place], color=YOURS, linewidth=1.6)
        axis.plot([row.value], [place], color=YOURS, marker="o")
        if row.name in reference:
            axis.plot([reference[row.name].value], [place], color=REFERENCE, marker="D",
                      markerfacecolor="none", markersize=9)
    if not simulated:
        axis.axvline(1, color=style.FIO_COLOUR, linewidth=1.2, linestyle="--")
    axis.set_yticks(range(len(rows)), [row.name for row in rows])
    axis.invert_yaxis()
    values = [row.high for row in rows] + [each.value for each in reference.values()]
    if values and min(row.value for row in rows) * style.LOG_ABOVE_FACTOR < max(values):
        axis.set_xscale("log")
    elif values:
        axis.set_xlim(0, max(values) * 1.1)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.compact(value) if simulated
                                                 else f"{value:g}"))
    axis.set_xlabel("operations per second of the simulated machine" if simulated else
                    "throughput as a share of fio's in the same run")
    axis.set_title(f"Lab {lab.number}: {lab.title}")


def draw_predictions(axis, predicted):
    for place, (name, said, measured, unit) in enumerate(predicted):
        axis.plot([said, measured], [place, place], color="#cccccc", linewidth=1.2)
        axis.plot([measured], [place], color=YOURS, marker="o")
        axis.plot([said], [place], color=PREDICTED, marker="X", markersize=8)
    axis.set_yticks(range(len(predicted)),
                    [f"{name} ({unit})" for name, _, _, unit in predicted])
    axis.invert_yaxis()
    axis.set_ylim(len(predicted) - 0.5, -0.5)
    values = [value for _, said, measured, _ in predicted for value in (said, measured)]
    if min(values) > 0 and max(values) > 5 * min(values):
        axis.set_xscale("log")
    axis.set_title("What you predicted, and what was measured")
