"""One look for all figures: a fixed colour per implementation, and files that do not change
unless the data does."""

import os

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

import units

# Chosen to differ in lightness too, so that they survive colour blindness and grey print.
COLOURS = {"pread": "#0072B2", "mmap": "#E69F00", "direct": "#009E73", "uring": "#882255"}
OTHER_COLOUR = "#777777"
FIO_COLOUR = "#000000"
MARKERS = {"pread": "o", "mmap": "s", "direct": "D", "uring": "^"}
POLICY_COLOURS = {"clock": "#56B4E9", "lru": "#D55E00", "s3-fifo": "#332288", "2q": "#CC79A7",
                  "kernel": "#555555", "optimum": "#000000"}
POLICY_MARKERS = {"clock": "o", "lru": "s", "s3-fifo": "^", "2q": "D", "kernel": "x"}
# Those that are drawn first are wider and larger, so that equal ones are seen below each other.
POLICY_WIDTHS = {"clock": 3.0, "lru": 2.2, "s3-fifo": 1.6, "2q": 1.1}
POLICY_SIZES = {"clock": 8.5, "lru": 6.8, "s3-fifo": 5.2, "2q": 3.6}
# The second variant of an implementation keeps its colour and is told apart by hollow marks.
SECOND_VARIANTS = ("touch", "map", "buffered", "pool", "handles")
WIDTH_INCHES = 10.5
LOG_ABOVE_FACTOR = 20

matplotlib.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10.5,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": "#e4e4e4", "grid.linewidth": 0.8, "axes.edgecolor": "#888888",
    "xtick.color": "#333333", "ytick.color": "#333333", "legend.frameon": False,
    "legend.fontsize": 8.5, "hatch.linewidth": 0.7, "svg.hashsalt": "pagealloc",
    "svg.fonttype": "path", "savefig.dpi": 150})


def new_figure(height_inches, legend, columns):
    """A figure with a legend in a strip of its own below the axes, where it covers nothing."""
    strip_inches = 0.12 + 0.19 * -(-len(legend) // columns)
    figure = Figure(figsize=(WIDTH_INCHES, height_inches + strip_inches))
    share = strip_inches / (height_inches + strip_inches)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, share, 1, 1 - share)))
    figure.legend(handles=legend, loc="lower center", ncol=columns)
    return figure


def colour(row):
    return COLOURS.get(row.impl, OTHER_COLOUR)


def second_variant(row):
    return row.variant in SECOND_VARIANTS


def marks(row):
    """Keyword arguments for a line of this row's kind."""
    fill = "white" if second_variant(row) else colour(row)
    return {"color": colour(row), "marker": MARKERS.get(row.impl, "v"), "markersize": 6,
            "markerfacecolor": fill, "markeredgecolor": colour(row), "linewidth": 1.6}


def line_handle(row, **changes):
    return Line2D([], [], label=row.line_label, **dict(marks(row), **changes))


def error(value, spread):
    """Lengths below and above a value, as matplotlib wants them."""
    if spread is None:
        return [[0], [0]]
    return [[max(0, value - spread[0])], [max(0, spread[1] - value)]]


def policy_marks(policy):
    """Keyword arguments for the line of a policy; Belady's optimum is a limit, not one to have."""
    if policy == "optimum":
        return {"color": POLICY_COLOURS[policy], "linestyle": "--", "linewidth": 1.3}
    return {"color": POLICY_COLOURS.get(policy, OTHER_COLOUR),
            "linewidth": POLICY_WIDTHS.get(policy, 1.2), "marker": POLICY_MARKERS.get(policy, "v"),
            "markersize": POLICY_SIZES.get(policy, 5), "markerfacecolor": "none",
            "markeredgewidth": 1.2}


def system_marks(system):
    """A cache has the colour and the mark of the implementation below it."""
    impl = system.split("_")[0]
    return {"color": COLOURS.get(impl, OTHER_COLOUR), "marker": MARKERS.get(impl, "v"),
            "markersize": 6, "linestyle": "none"}


def rate_axis(axis, values, what="operations per second", factor=LOG_ABOVE_FACTOR):
    """Starts at zero, or is logarithmic where the smallest value would vanish beside the largest.

    Error bars must be among the values, so that none leaves the axis.
    """
    values = [v for v in values if v and v > 0]
    logarithmic = bool(values) and max(values) / min(values) > factor
    if logarithmic:
        axis.set_yscale("log")
        axis.set_ylim(min(values) / 2, max(values) * 2.2)
        few = max(values) / min(values) < LOG_ABOVE_FACTOR
        axis.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if few else (1,),
                                                numticks=12))
        axis.yaxis.set_minor_formatter(NullFormatter())
    elif values:
        axis.set_ylim(0, max(values) * 1.18)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: whole(units.compact(v))))
    axis.set_ylabel(what + (" (log scale)" if logarithmic else ""))


def duration_ticks(axis, low_ns, high_ns):
    """Decades over many of them, 1-2-5 over few, and finer where that leaves fewer than three."""
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9),
                  (1, 1.2, 1.5, 1.7, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)):
        ticks = [s * 10**e for e in range(0, 12) for s in steps]
        if sum(low_ns <= tick <= high_ns for tick in ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(FixedLocator([]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: whole(units.duration(v))))


def share_ticks(axis, low, high):
    """A logarithmic axis of shares: 1-2-5, or decades over many."""
    steps = (1, 2, 5) if high / low < 200 else (1,)
    axis.set_major_locator(FixedLocator([s * 10.0**e for e in range(-6, 1) for s in steps]))
    axis.set_minor_locator(FixedLocator([]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.4g} %"))


def whole(text):
    """'80 K' for '80.0 K': a tick is a round number."""
    number, _, unit = text.partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}".strip()


def steps_axis(axis, positions, label):
    """An x axis whose only ticks are the values that were run."""
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_locator(FixedLocator(positions))
    axis.xaxis.set_minor_locator(FixedLocator([]))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0f}"))
    axis.set_xlabel(label)


def save(figure, directory, name):
    """Writes name.png and name.svg; returns the SVG's bytes."""
    figure.savefig(os.path.join(directory, name + ".png"), metadata={"Software": None})
    path = os.path.join(directory, name + ".svg")
    figure.savefig(path, metadata={"Date": None})
    with open(path, "rb") as file:
        return file.read()
