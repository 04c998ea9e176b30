"""The report's tables, as HTML. What cannot be known is a dash; a row that could not be measured
shows its reason where its figures would stand."""

import html

import comparison
import published
import results as results_module
import selection
import units


class Html(str):
    """Text that is markup already."""


FIGURES = (  # heading, figure, format, whether a spread is worth its room
    ("per second", "ops_per_second", units.compact, True),
    ("bytes", "bytes_per_second", units.throughput, True),
    ("p50", "p50_ns", units.duration, True),
    ("p99", "p99_ns", units.duration, True),
    ("p99.9", "p999_ns", units.duration, True),
    ("CPU per op", "cpu_ns_per_op", units.duration, True),
    ("system calls per op", "system_calls_per_op", units.count, False),
    ("minor faults per op", "minor_faults_per_op", units.count, False),
    ("major faults per op", "major_faults_per_op", units.count, False))

def placement(found):
    if found["cpu"] is None and not found["reason"]:
        return "none were measured"
    if found["cpu"] is None:
        return f"where the scheduler puts them: {found['reason']}"
    rates = [f"CPU {cpu} {units.compact(rate)}"
             for cpu, rate in found["direct_reads_per_second"].items()]
    return f"on CPU {found['cpu']}, nearest the disk (direct reads/s: {', '.join(rates)})"


MACHINE = (
    ("cpu", "Processor", str), ("cores", "Cores", str), ("memory_bytes", "Memory", units.size),
    ("kernel", "Kernel", str), ("distribution", "Distribution", str),
    ("file_system", "File system", str), ("device", "Device", str),
    ("rotational", "Rotational", lambda v: "yes" if v else "no"),
    ("write_cache", "Write cache", str), ("scheduler", "Scheduler", str),
    ("read_ahead_kb", "Read-ahead", lambda v: f"{v} KiB"),
    ("logical_block_bytes", "Logical block", lambda v: f"{v} B"), ("fio", "fio", str),
    ("commit", "Commit", str), ("command", "Command", str), ("mode", "Mode", str),
    ("page_bytes", "Page", units.size), ("file_bytes", "File", units.size),
    ("seed", "Seed", str), ("cold", "Cold means", str), ("placement", "Single threads", placement), ("time", "Time", str),
    ("seconds", "Duration", lambda v: f"{v:.0f} s"),
    ("complete", "Complete", lambda v: "yes" if v else "no"))


SIMULATED = (  # of machine["simulated"]
    ("model", "Device model", results_module.model_name), ("seed", "Seed of the machine", str),
    ("units", "Side by side", lambda v: units.plural(v, "operation")),
    ("read_ns", "A read takes", units.duration), ("write_ns", "A write takes", units.duration),
    ("flush_ns", "A flush takes", units.duration),
    ("bytes_per_second", "One transfer", units.throughput),
    ("jitter_percent", "Longer by up to", lambda v: f"{v} %"))
NOT_OF_A_MODEL = ("cpu", "cores", "memory_bytes", "kernel", "distribution", "file_system",
                  "device", "rotational", "write_cache", "scheduler", "read_ahead_kb",
                  "logical_block_bytes", "fio", "placement")
ELSEWHERE = {"seed": "Seed of the order", "seconds": "Duration, simulated"}


def escape(text):
    return text if isinstance(text, Html) else html.escape(str(text))


def table(headings, rows, kind=""):
    """rows: lists of cells; a cell (text, span) spreads over several columns."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in headings)
    body = "".join(f"<tr>{''.join(_cell(c, i) for i, c in enumerate(row))}</tr>\n" for row in rows)
    return Html(f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead>\n'
                f"<tbody>\n{body}</tbody></table></div>")


def _cell(cell, index):
    span = ""
    if isinstance(cell, tuple):
        cell, span = cell[0], f' colspan="{cell[1]}" class="reason"'
    return f"<td{span}>{escape(cell)}</td>" if index else f'<th scope="row">{escape(cell)}</th>'


def not_measured(reason):
    """Why a figure is missing; what is not available here says so itself."""
    return reason if reason.startswith("not available here") else f"not measured: {reason}"


def machine(results):
    cells = []
    facts = [(results.machine.get(key), name, form) for key, name, form in MACHINE]
    if results.simulated:
        facts = [(results.simulated.get(key), name, form) for key, name, form in SIMULATED]
        facts += [(results.machine.get(key), ELSEWHERE.get(key, name), form)
                  for key, name, form in MACHINE if key not in NOT_OF_A_MODEL]
    for value, name, form in facts:
        cells.append([name, "not recorded" if value is None or value == "" else form(value)])
    half = (len(cells) + 1) // 2
    columns = "".join(table(("", ""), part, "facts") for part in (cells[:half], cells[half:]))
    return Html(f'<div class="pair">{columns}</div>')


def every_row(results, workload):
    """All figures of a workload's rows, ours above fio's."""
    lines = []
    for row in (r for r in results.rows if r.workload == workload):
        if not row.measured:
            lines.append([_row_name(row), (not_measured(row.reason), len(FIGURES) + 1)])
            continue
        lines.append([_row_name(row)] + _figures(row) + [_rounds(row)])
        if row.peer:
            name = Html(f'<span class="fio">{html.escape(row.peer.name)}</span>')
            lines.append([name] + _figures(row.peer) + [_rounds(row.peer)])
        elif row.absent_peer:
            name = Html(f'<span class="fio">{html.escape(row.absent_peer.name)}</span>')
            lines.append([name, (not_measured(row.absent_peer.reason), len(FIGURES) + 1)])
    return table(["median, and least to most"] + [f[0] for f in FIGURES] + ["rounds"], lines,
                 "figures")


def _row_name(row):
    notes = [] if row.resident is None else [f"{units.percent(row.resident)} resident"]
    notes += ["bimodal"] if row.bimodal else []
    point = row.point_label.replace(" ", "\u00a0").replace(",\u00a0", ", ")
    name = html.escape(", ".join(part for part in (row.line_label, point) if part))
    return Html(name + (f'<span class="spread">{", ".join(notes)}</span>' if notes else ""))


def _figures(series):
    cells = []
    for _, figure, form, spread in FIGURES:
        text = html.escape(form(series.median(figure)))
        ends = series.spread(figure) if spread else None
        if ends and ends[0] != ends[1]:
            low, high = form(ends[0]), form(ends[1])
            text += f'<span class="spread">{_range(low, high)}</span>'
        cells.append(Html(text))
    return cells


def _rounds(series):
    seconds = series.median("seconds")
    return str(len(series.rounds)) + (f" × {units.digits(seconds)} s" if seconds else "")


def _range(low, high):
    """'15–19 K': the unit once where both ends share it."""
    number, _, unit = low.partition(" ")
    return f"{number}–{high}" if high.endswith(" " + unit) and unit else f"{low}–{high}"


def four_rows(results):
    lines = []
    for workload, impl, row in selection.four_rows(results):
        temperature = "warm" if workload == "random_warm" else "cold"
        if row is None or not row.measured:
            name = f"{temperature}, {results_module.line_label(impl, '')}"
            reason = row.reason if row else "this run has no such row"
            lines.append([name, (not_measured(reason), 6)])
            continue
        mark = ", bimodal" if row.bimodal else ""
        lines.append([f"{temperature}, {row.label}{mark}", units.rate(selection.ops(row)),
                      units.duration(row.median("p99_ns")),
                      units.duration(row.median("cpu_ns_per_op")),
                      units.count(row.median("minor_faults_per_op")),
                      units.count(row.median("major_faults_per_op")), _to_fio(results, row)])
    return table(("one in flight", "reads", "p99", "CPU per read", "minor faults per read",
                  "major faults per read", "ratio to fio"), lines, "figures")


def _to_fio(results, row):
    ratio = results.ratio(row)
    if ratio is None or ratio.ratio_median is None:
        return row.absent_peer.reason if row.absent_peer else "no fio beside it"
    if ratio.ci95 is None:
        return f"{units.ratio(ratio.ratio_median)} (no interval)"
    return Html(f"{units.ratio(ratio.ratio_median)} ({_interval(ratio.ci95)})"
                f'<span class="spread">{html.escape(ratio.verdict)}, {html.escape(ratio.peer)}'
                "</span>")


def ratios(results):
    lines = []
    for ratio in results.ratios:
        noise = ratio.noise_floor or {}
        inside = {True: "inside", False: "outside", None: units.UNKNOWN}[ratio.inside_noise]
        verdict = Html(f'<span class="verdict {_verdict_class(ratio.verdict)}">'
                       f"{html.escape(ratio.verdict)}</span>")
        lines.append([f"{results_module.workload_name(ratio.workload)}: {ratio.label}",
                      ratio.peer, units.ratio(ratio.ratio_median), _interval(ratio.ci95),
                      ratio.pairs or units.UNKNOWN, verdict, _ratio_and_interval(noise), inside,
                      _ratio_and_interval(ratio.cpu_per_op or {})])
    return table(("row", "beside", "ratio", "95 % interval", "pairs", "verdict",
                  "fio over fio", "within that", "CPU per op over fio's"), lines, "figures")


def _interval(ends):
    return units.UNKNOWN if ends is None else f"{units.bound(ends[0])} to {units.bound(ends[1])}"


def _ratio_and_interval(ratio):
    if ratio.get("ratio_median") is None:
        return "not measured"
    return f"{units.ratio(ratio['ratio_median'])} ({_interval(ratio.get('ci95'))})"


def _verdict_class(verdict):
    return verdict if verdict in ("above", "below") else "equal"


def copy(extra):
    """Buffered against O_DIRECT; None where it was not measured."""
    data = extra.get("copy") or {}
    lines = [[name, units.rate(data.get(f"{key}_ops_per_second")),
              units.duration(data.get(f"{key}_cpu_ns_per_op"))]
             for name, key in (("cold, through the page cache", "buffered"),
                               ("cold, O_DIRECT", "direct"))]
    if all(cell == units.UNKNOWN for line in lines for cell in line[1:]):
        return None
    return table(("one read in flight", "reads", "CPU per read"), lines, "figures narrow")


def beyond_memory(extra):
    data = extra.get("beyond_memory") or {}
    if not (data.get("mmap") or data.get("direct")):
        return None
    lines = []
    for name, key in (("mmap", "mmap"), ("O_DIRECT", "direct")):
        figures = data.get(key)
        if not figures:
            lines.append([name, (not_measured(reason(extra, "beyond_memory")), 5)])
            continue
        shootdowns = data.get("tlb_shootdowns_per_op") if key == "mmap" else None
        lines.append([name, units.rate(figures.get("ops_per_second")),
                      units.duration(figures.get("p99_ns")),
                      units.duration(figures.get("cpu_ns_per_op")),
                      units.count(figures.get("major_faults_per_op")), units.count(shootdowns)])
    return table(("file larger than memory", "reads", "p99", "CPU per read",
                  "major faults per read", "TLB shootdowns per read"), lines, "figures")


def reason(extra, name):
    """Why an extra is missing: beside it, or within it."""
    inside = (extra.get(name) or {}).get("reason")
    beside = extra.get(f"{name}_reason")
    return inside or beside or "the run gave no reason"


FORMS = {"rate": units.rate, "throughput": units.throughput, "duration": units.duration}


def published_figures(results):
    lines = []
    for figure in published.FIGURES:
        measured = comparison.beside(results, figure.counterpart)
        said = Html(f"{html.escape(figure.text)}<span class=\"spread\">"
                    f"{html.escape(figure.hardware)}</span>")
        name = Html(f"{html.escape(figure.system)}<span class=\"spread\">"
                    f"{html.escape(figure.workload)}</span>")
        if measured is None:
            lines.append([name, said, "not in this run", units.UNKNOWN, _source(figure)])
            continue
        here = Html(f"{html.escape(FORMS[figure.kind](measured.value))}<span class=\"spread\">"
                    f"{html.escape(measured.label)}</span>")
        lines.append([name, said, here, comparison.differ(figure, measured, results.machine),
                      _source(figure)])
    return table(("system", "published", "this run", "where and why they differ", "source"),
                 lines, "prose")


def proportions(results):
    forms = {"percent": units.percent, "factor": units.factor, "count": units.count}
    lines = []
    for item in published.PROPORTIONS:
        measured = comparison.beside(results, item.counterpart)
        here, why = "not in this run", item.why
        if measured is not None:
            here = Html(f"{html.escape(forms[item.kind](measured.value))}<span class=\"spread\">"
                        f"{html.escape(measured.label)}</span>")
            why = f"{comparison.place(item, measured)} {why}"
        lines.append([item.what, item.text, here, why, _source(item)])
    return table(("proportion", "published", "this run", "where and why they differ", "source"),
                 lines, "prose")


def for_scale():
    lines = [[f.system, f.workload, f.text, f.hardware, _source(f)] for f in published.FOR_SCALE]
    return table(("system", "workload", "published", "hardware", "source"), lines, "prose")


def simulated_depth(results):
    """Little's law, for each disk at each depth; what breaks it stands out."""
    depths = sorted({point.depth for point in results.simulated_depth})
    lines = []
    for model, points in results.disks:
        by_depth = {point.depth: point for point in points}
        lines.append([results_module.model_name(model)]
                     + [_law(by_depth.get(depth)) for depth in depths])
    return table(["throughput × latency / depth", *map(str, depths)], lines, "figures")


def _law(point):
    if point is None:
        return units.UNKNOWN
    text = f"{point.littles_law:.2f}"
    if not selection.keeps_littles_law(point):
        text = f'<span class="verdict below">{text}, not 1</span>'
    return Html(f'{text}<span class="spread">{html.escape(units.rate(point.ops_per_second))}</span>'
                f'<span class="spread">{html.escape(units.duration(point.latency_mean_ns))}</span>')


def _source(item):
    return Html(f'{html.escape(item.source)}<span class="spread">{html.escape(item.standing)}'
                "</span>")


def jobs(results):
    """fio's command lines, each once."""
    seen = {}
    for row in results.rows:
        if row.peer and row.peer.job:
            seen.setdefault(row.peer.job, f"{results_module.workload_name(row.workload)}:"
                                          f" {row.label}")
    lines = [[label, Html(f"<code>{html.escape(job)}</code>")] for job, label in seen.items()]
    return table(("beside", "fio"), lines, "prose") if lines else None
