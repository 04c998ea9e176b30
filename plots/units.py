"""Numbers as a person reads them: three significant digits and a unit."""

UNKNOWN = "—"


def compact(value):
    """776000 as '776 K'."""
    if value is None:
        return UNKNOWN
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " K")):
        if abs(value) >= limit * 0.9995:
            return digits(value / limit) + unit
    return digits(value)


def digits(value):
    """Three significant digits, never an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    if abs(value) >= 0.9995:
        return f"{value:.2f}"
    if abs(value) >= 0.0995:
        return f"{value:.2f}"
    return f"{float(f'{value:.2g}'):.6f}".rstrip("0") if abs(value) >= 1e-5 else "< 0.00001"


def rate(value):
    return UNKNOWN if value is None else compact(value) + "/s"


def duration(value_ns):
    if value_ns is None:
        return UNKNOWN
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(value_ns) >= limit * 0.9995:
            return f"{digits(value_ns / limit)} {unit}"
    return f"{value_ns:.3g} ns"


def throughput(value):
    if value is None:
        return UNKNOWN
    for limit, unit in ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")):
        if value >= limit * 0.9995:
            return f"{digits(value / limit)} {unit}"
    return f"{digits(value)} B/s"


def size(value_bytes):
    if value_bytes is None:
        return UNKNOWN
    for limit, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value_bytes >= limit:
            return f"{value_bytes / limit:.4g} {unit}"
    return f"{value_bytes:.0f} B"


def count(value):
    """A figure per operation: 1, 0.063, 1.00."""
    if value is None:
        return UNKNOWN
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else digits(value)


def factor(value):
    return UNKNOWN if value is None else digits(value) + "×"


def ratio(value):
    """Two decimals: a third would be noise."""
    return UNKNOWN if value is None else f"{value:.2f}"


def bound(value):
    """An end of an interval. A third decimal where two would hide on which side of 1 it lies."""
    text = f"{value:.2f}"
    return f"{value:.3f}" if text == "1.00" and value != 1 else text


def percent(value):
    if value is None:
        return UNKNOWN
    if 0.99 < value < 1:
        return "> 99 %"  # not 100 %: a page was missing
    return f"{float(f'{value * 100:.2g}'):g} %" if value < 0.995 else "100 %"


def hits(value):
    """A hit ratio: its first decimal counts, and what is not all is not 100 %."""
    if value is None:
        return UNKNOWN
    return "> 99.9 %" if 0.9995 <= value < 1 else f"{value * 100:.1f} %"


def points(value):
    """A difference of two ratios."""
    return UNKNOWN if value is None else f"{value * 100:.1f} points"


def words(items):
    """'a', 'a and b', 'a, b and c'."""
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def quotient(above, below):
    """above / below, or None where either is unknown or below is zero."""
    return above / below if above is not None and below else None


def plural(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
