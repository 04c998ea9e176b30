"""report.html: one file, read top to bottom, that asks nothing of the network."""

import base64
import html

import comparison
import findings
import findings_caches
import results as results_module
import tables
import tables_caches
import units

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 68rem; background: #fff;
  color: #1c1c1c; font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; margin: 2.8rem 0 .6rem; border-bottom: 1px solid #ddd;
  padding-bottom: .25rem; }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .4rem; }
p, li { max-width: 46rem; }
.lead { font-size: 1.08rem; max-width: 52rem; }
.meta, .note { color: #555; font-size: .92rem; }
.warning { background: #fff4d6; border-left: 5px solid #c47f00; padding: .7rem 1rem;
  max-width: none; }
figure { margin: 1.2rem 0 2rem; }
figure img { display: block; width: 100%; height: auto; }
figcaption ul, figcaption p { margin: .6rem 0 0; }
figcaption ul { padding-left: 1.2rem; }
.scroll { overflow-x: auto; margin: .8rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .84rem; line-height: 1.35; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .5rem; border-bottom: 1px solid #e3e3e3; text-align: left;
  vertical-align: top; }
thead th { border-bottom: 2px solid #999; vertical-align: bottom; }
tbody th { font-weight: 600; }
.figures td, .figures thead th { text-align: right; }
.figures thead th:first-child, .figures td.reason { text-align: left; }
.figures { font-size: .8rem; }
.figures td, .figures .spread { white-space: nowrap; }
.figures td.reason { white-space: normal; font-style: italic; color: #7a3b00; }
.narrow { width: auto; }
.facts thead { display: none; }
.facts th { width: 9rem; font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 2rem; }
.prose td:nth-child(4) { min-width: 13rem; }
.prose code { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .78rem; }
.spread { display: block; color: #666; font-size: .9em; font-weight: 400; }
.fio { color: #555; font-weight: 400; padding-left: 1rem; }
.simulated { background: #e8eefb; border-left: 5px solid #3355aa; padding: .7rem 1rem;
  max-width: none; }
.verdict { font-weight: 600; }
.verdict.above { color: #00603f; }
.verdict.below { color: #a03000; }
.verdict.equal { color: #444; }
@media (max-width: 50rem) { .pair { grid-template-columns: 1fr; } }
@media print { body { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
"""


def render(results, figures, disks, caches=()):
    """figures: [(name, title, SVG bytes or None, sentences)], in the order of reading; disks: the
    one of depth on four disks; caches: those of the kernel's cache and ours."""
    parts = [_head(results), _simulated(results), _warnings(results),
             f'<p class="lead">{html.escape(_summary(results))}</p>',
             _section("The machine", tables.machine(results), _cold_note(results))]
    if results.measured:
        parts.append(_section("Figures", *[_numbered(n, f) for n, f in enumerate(figures, 1)]))
    if results.caches:
        parts += [_caches(results, caches), _policies(results.caches, caches)]
    parts.append(_disks(results, disks))
    if results.measured:
        parts.append(_four_rows(results))
        parts.append(_copy(results))
        parts.append(_beyond_memory(results))
    if results.ratios:
        parts.append(_ratios(results))
    if results.rows:
        parts.append(_rows(results))
    if results.measured:
        parts.append(_published(results))
    jobs = tables.jobs(results)
    if jobs:
        parts.append(_section("fio's command lines", jobs))
    body = "\n".join(part for part in parts if part)
    title = f"results{_of_model(results)}"
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Page files four ways: {html.escape(title)}</title>\n"
            f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n")


def _head(results):
    machine = results.machine
    shown = [machine.get(name) for name in ("time", "mode", "commit", "command")]
    meta = " · ".join(str(value) for value in shown if value)
    return ("<h1>Page files four ways: pread, mmap, O_DIRECT, io_uring"
            f"{html.escape(_of_model(results))}</h1>\n"
            f'<p class="meta">{html.escape(meta)}</p>')


def _of_model(results):
    if not results.simulated:
        return ""
    return f", on a simulated {results_module.model_name(results.simulated.get('model'))}"


def _simulated(results):
    if not results.simulated:
        return ""
    machine = results.simulated
    text = (f"{machine.get('model')}, seed {machine.get('seed')}. Every time below is a model's:"
            " no disk, no processor and no fio had a part in it. It shows how the implementations"
            " differ in what they ask of a disk, not how fast any disk is. The same seed gives the"
            " same figures on every computer.")
    return (f'<p class="simulated"><strong>Simulated machine:</strong> {html.escape(text)}</p>')


def _summary(results):
    return " ".join(filter(None, (findings.summary(results), findings_caches.summary(results))))


def _warnings(results):
    if results.machine.get("complete") is True:
        return ""
    if results.machine.get("complete") is False:
        text = "This run is incomplete: it ended before every row was measured."
    else:
        text = "This run does not say whether it is complete."
    return f'<p class="warning" role="alert"><strong>{text}</strong></p>'


def _section(title, *parts):
    inner = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{inner}\n</section>"


def _sentences(sentences):
    if not sentences:
        return ""
    if len(sentences) == 1:
        return f"<p>{html.escape(sentences[0])}</p>"
    return "<ul>" + "".join(f"<li>{html.escape(s)}</li>" for s in sentences) + "</ul>"


def _note(text):
    return f'<p class="note">{html.escape(text)}</p>'


def _cold_note(results):
    if results.simulated:
        return _note("A call takes 0.3 µs and a copy 8 GB/s; whatever else a processor does takes"
                     " no time.")
    text = comparison.host_cache(results.machine)
    return _note(f"{text[0].upper()}{text[1:]}.")


def _numbered(number, figure):
    return f"<h3>{number}. {html.escape(figure[1])}</h3>\n{_figure(figure)}"


def _figure(figure):
    _, title, svg, sentences = figure
    if svg is None:
        return "<p>This run has no data for this figure.</p>"
    # As an image, not inline: two inline SVGs would share the ids of their clip paths.
    data = base64.b64encode(svg).decode("ascii")
    alt = html.escape(" ".join([f"{title}.", *sentences]), quote=True)
    return (f'<figure><img alt="{alt}" src="data:image/svg+xml;base64,{data}">\n'
            f"<figcaption>{_sentences(sentences)}</figcaption></figure>")


def _named(figures, name):
    return next((figure for figure in figures if figure[0] == name), None)


def _titled(title, *parts):
    """A part of a section; '' where there is nothing in it."""
    inner = "\n".join(part for part in parts if part)
    return f"<h3>{html.escape(title)}</h3>\n{inner}" if inner else ""


def _caches(results, figures):
    caches = results.caches
    title = "The kernel's cache and one of our own"
    if caches.reason:
        text = tables.not_measured(caches.reason)
        return _section(title, f"<p>{html.escape(text[0].upper() + text[1:])}.</p>")
    beside, scan = (_named(figures, name) for name in ("caches", "scan"))
    return _section(
        title, _note(_limits(caches)),
        _titled(beside[1], _figure(beside)) if beside else "",
        _titled("Every rate", tables_caches.comparison(caches)),
        _titled("What a hit costs", tables_caches.hit_cost(caches),
                _sentences(findings_caches.hit_cost(results))),
        _titled("Threads on one cache", tables_caches.scaling(caches),
                _sentences(findings_caches.scaling(results))),
        _titled(scan[1], _scan_note(caches), _figure(scan)) if scan else "",
        _titled("Every state of the hot set", tables_caches.states(caches),
                tables_caches.scan(caches)))


def _limits(caches):
    kernel = f"the kernel's by {caches.limit}" if caches.limit else (
        f"the kernel's could not be limited: {caches.limit_reason or 'the run gave no reason'}")
    return (f"Reads of one page of {units.size(caches.page_bytes)}; a cache has"
            f" {units.size(caches.budget_bytes)} of memory, ours by its option, {kernel}. Each rate"
            " is the median of the rounds.")


def _scan_note(caches):
    scan = caches.scan
    if scan is None:
        return ""
    return _note(f"A hot set of {scan.hot_pages:,} pages is read at random through a cache of"
                 f" {scan.cache_pages:,}; in steps {scan.begins} to {scan.ends - 1}, of"
                 f" {scan.step_reads:,} reads each, the {scan.file_pages:,} pages of the file are"
                 " scanned, one for every read of the hot set.")


def _policies(caches, figures):
    figure = _named(figures, "hit_ratio")
    if not (caches.traces and figure):
        return ""
    parts = []
    for trace, table in tables_caches.traces(caches):
        said = f"{trace.what.rstrip('.')}. " if trace.what else ""
        parts.append(_titled(findings_caches.title(trace), _note(
            f"{said}{trace.accesses:,} accesses to {trace.pages:,} pages."), table))
    return _section(figure[1], _note("Computed from the order of the accesses, not measured: the"
                                     " same on every machine."), _figure(figure), *parts)


def _disks(results, disks):
    if not results.disks:
        return _section(disks[1], _figure(disks))
    return _section(
        disks[1],
        _note("Not this disk, but four models of the simulated machine, measured with the same"
              " loop through io_uring and O_DIRECT: the same figures in every report."),
        _figure(disks), tables.simulated_depth(results), _sentences(findings.littles_law(results)))


def _four_rows(results):
    return _section("pread and mmap, warm and cold", tables.four_rows(results),
                    _sentences(findings.four_rows(results)))


def _extra(results, name, title, found, sentences):
    reason = tables.reason(results.extra, name)
    if found is None:
        text = tables.not_measured(reason)
        return _section(title, f"<p>{html.escape(text[0].upper() + text[1:])}.</p>")
    remark = _note(reason) if (results.extra.get(name) or {}).get("reason") else ""
    return _section(title, found, _sentences(sentences), remark)


def _copy(results):
    return _extra(results, "copy", "Is “DMA is DMA” true?", tables.copy(results.extra),
                  findings.copy(results.extra))


def _beyond_memory(results):
    return _extra(results, "beyond_memory", "mmap on a file larger than memory",
                  tables.beyond_memory(results.extra), findings.beyond_memory(results.extra))


def _ratios(results):
    return _section(
        "Every ratio to fio",
        _note("Ours over fio's operations per second, from runs in pairs. The verdict is fio's"
              " equal where the interval contains 1, above or below where all of it lies on one"
              " side. fio over fio, run the same way, shows what this machine's noise alone does;"
              " a ratio within that interval says nothing, whatever its verdict."),
        tables.ratios(results), _sentences([findings.verdicts(results)]))


def _rows(results):
    parts = [_note("Each figure is the median of the rounds, with the least and the most below it"
                   " where rounds differ. fio's row follows the one it ran beside. A dash is a"
                   " figure that cannot be known.")]
    for workload in results.workloads:
        parts.append(f"<h3>{html.escape(results_module.workload_name(workload))}</h3>")
        parts.append(tables.every_row(results, workload))
        parts.append(_sentences(findings.checksums(results, workload)))
    return _section("Every row", *parts)


def _published(results):
    if results.simulated:
        return _section("Published figures", "<p>Published figures are of real disks; none stands"
                                             " beside those of a model.</p>")
    return _section(
        "Published figures beside this run",
        _note("Rates on other hardware are for orientation; only rates within one run compare"
              " implementations."),
        tables.published_figures(results), "<h3>Proportions</h3>",
        _note("A proportion carries over between machines better than a rate does."),
        tables.proportions(results), "<h3>For scale</h3>",
        _note("Whole stores and many drives: no page file measured here stands beside them."),
        tables.for_scale())
