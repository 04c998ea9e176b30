"""Sentences about this run, each computed from its data. Nothing measured, nothing said."""

import results as results_module
import selection
import units

# Two rates closer than this are not worth a word like "faster" where no interval is known.
NEARLY = 0.1


def overview(results):
    """One sentence a workload: who leads, by how much, and over whom."""
    sentences = []
    for workload in results.workloads:
        rows = results.of(workload)
        name = results_module.workload_name(workload)
        if workload == selection.READ_SWEEP:
            single = [r for r in rows if r.concurrency == 1]
            many = [max(line, key=selection.ops) for line in
                    selection.lines(r for r in rows if r.concurrency > 1)]
            sentences.append(_ranking(f"{name}, one in flight", single))
            sentences.append(_ranking(f"{name}, several in flight, each at its best", many))
        elif workload == selection.WRITE_SWEEP:
            for batch in sorted({r.batch for r in rows}):
                same = [r for r in rows if r.batch == batch]
                sentences.append(_ranking(f"{name}, batch {batch}" if batch else name, same))
        else:
            sentences.append(_joined([_ranking(name, rows), _touch(rows)]))
    return _said(sentences + bimodal(results.measured))


def _ranking(name, rows):
    rows = sorted((r for r in rows if r.whole_page), key=selection.ops, reverse=True)
    if not rows:
        return ""
    # What all share, as a batch, stands in the name already.
    shared = len({row.point_label for row in rows}) == 1
    named = [f"{row.line_label if shared else row.label} {_at(row)}" for row in rows]
    best = rows[0]
    text = f"{name}: {named[0]}"
    if len(rows) == 1:
        return f"{text} is all that was measured."
    second, last = rows[1], rows[-1]
    lead = units.quotient(selection.ops(best), selection.ops(second))
    text += (f" leads, but its rounds overlap those of {named[1]}"
             if selection.overlap(best, second)
             else f" is fastest, {units.factor(lead)} the next, {named[1]}")
    if last is not second:
        most = units.quotient(selection.ops(best), selection.ops(last))
        text += f"; it is {units.factor(most)} the slowest, {named[-1]}"
    return text + "."


def _touch(rows):
    touched = [r for r in rows if not r.whole_page and r.workload != selection.READ_SWEEP]
    if not touched:
        return ""
    row = max(touched, key=selection.ops)
    return (f"{row.label} reads one word of a page, {units.rate(selection.ops(row))}, and is"
            " left out of that ranking.")


def _named(row):
    return f"{row.label} (bimodal)" if row.bimodal else row.label


def _at(row):
    return f"({units.rate(selection.ops(row))}{', bimodal' if row.bimodal else ''})"


def bimodal(rows):
    """Names every row whose median describes neither of its two groups of rounds."""
    sentences = []
    for row in rows:
        groups = selection.modes(row) if row.bimodal else None
        if groups is None:
            continue
        parts = [f"{len(group)} of {len(row.rounds)} rounds near"
                 f" {units.rate(sum(group) / len(group))}" for group in groups]
        name = results_module.workload_name(row.workload)
        sentences.append(f"{name}, {row.label} is bimodal, {units.words(parts)}: its median"
                         " describes neither group.")
    return sentences


def depth(results):
    """What 32 in flight give over one, what lies past it, and io_uring beside the pool."""
    sentences = [_growth(line) for line in selection.depth_lines(results)]
    sentences.append(_ring_beside_pool(results))
    if any(selection.queues(line[0]) for line in selection.depth_lines(results)):
        sentences.append("The pool's p99 is not drawn: it is offered three times as many reads as"
                         " it has threads, and its latencies contain the wait in that queue.")
    drawn = [row for line in selection.depth_lines(results) for row in line]
    return _said(sentences + bimodal(drawn))


def _growth(line):
    first, usual, last = line[0], selection.usual_depth_row(line), line[-1]
    if usual is None or usual.concurrency == first.concurrency:
        return ""
    gain = units.quotient(selection.ops(usual), selection.ops(first))
    text = (f"{first.line_label}: {usual.concurrency} in flight give {units.factor(gain)} the"
            f" reads per second of {first.concurrency} ({units.rate(selection.ops(first))} to"
            f" {units.rate(selection.ops(usual))})")
    text += _tail_growth(first, usual, " while p99 {verb} {factor} ({a} to {b})")
    if last.concurrency > usual.concurrency:
        more = (units.quotient(selection.ops(last), selection.ops(usual)) or 1) - 1
        text += (f"; going on to {last.concurrency} {'adds' if more >= 0 else 'loses'}"
                 f" {abs(more) * 100:.0f} %")
        text += _tail_growth(usual, last, " and p99 {verb} {factor} again (to {b})")
    return text + "."


def _tail_growth(first, second, pattern):
    a, b = first.median("p99_ns"), second.median("p99_ns")
    growth = units.quotient(b, a)
    if growth is None or selection.queues(first):
        return ""
    verb = "grows" if growth >= 1 else "falls to"
    return pattern.format(verb=verb, factor=units.factor(growth), a=units.duration(a),
                          b=units.duration(b))


def _ring_beside_pool(results):
    """The comparison that is fair to pread: as many threads as the ring has depth."""
    pool = {r.concurrency: r for r in results.of(selection.READ_SWEEP, "pread")}
    rings = [r for r in results.of(selection.READ_SWEEP, "uring") if r.concurrency in pool]
    if not rings:
        return ""
    most = max(r.concurrency for r in rings)
    ring = max((r for r in rings if r.concurrency == most), key=selection.ops)
    rival = pool[most]
    rate = units.quotient(selection.ops(ring), selection.ops(rival))
    cpu = units.quotient(ring.median("cpu_ns_per_op"), rival.median("cpu_ns_per_op"))
    text = (f"With {most} in flight, {ring.line_label} reads {units.factor(rate)} what a pool of"
            f" {units.plural(rival.threads, 'thread')} reads")
    text += f", for {units.factor(cpu)} its CPU time per read" if cpu else ""
    return text + (" (their rounds overlap)." if selection.overlap(ring, rival) else ".")


def latency(results):
    """For each panel, the tightest and the widest tail: p99 over p50."""
    sentences, drawn = [], []
    for title, rows in selection.latency_panels(results):
        drawn += rows
        tails = [(units.quotient(r.median("p99_ns"), r.median("p50_ns")), r) for r in rows]
        tails = sorted(((t, r) for t, r in tails if t), key=lambda pair: pair[0])
        if not tails:
            continue
        name = title.split(" (")[0]
        sentences.append(f"{name}: p99 is {_tail(*tails[-1])}"
                         + (f" and {_tail(*tails[0])}." if len(tails) > 1 else "."))
    return _said(sentences + bimodal(drawn))


def _tail(ratio, row):
    return (f"{units.factor(ratio)} p50 for {row.line_label}"
            f" ({units.duration(row.median('p50_ns'))} to {units.duration(row.median('p99_ns'))})")


def batch(results):
    """What the largest batch gives over the smallest, for each line."""
    gains = []
    for line in selection.batch_lines(results):
        gain = units.quotient(selection.ops(line[-1]), selection.ops(line[0]))
        if line[-1].batch > line[0].batch and gain:
            gains.append((gain, line))
    drawn = results.of(selection.WRITE_SWEEP)
    if not gains:
        return _said([_ranking("Durable write", drawn)] + bimodal(drawn))
    parts = [f"{units.factor(gain)} for {line[0].line_label}" for gain, line in gains]
    first, last = gains[0][1][0].batch, gains[0][1][-1].batch
    text = (f"One sync for {last} pages makes, over one for {first}, this many more pages"
            f" durable per second: {units.words(parts)}.")
    if max(g for g, _ in gains) < last / max(1, first) / 2:
        text += (f" That is far from {last / max(1, first):.0f}×: the pages are random, and the"
                 " device still pays for each.")
    return _said([text, *_durable_depth(results), *_durable_leaders(drawn), *bimodal(drawn)])


def _durable_depth(results):
    """What more in flight gives, which the lines of the figure leave out."""
    return [f"{best.label} does {units.factor(gain)} {first.label}"
            f" ({units.rate(selection.ops(first))} to {units.rate(selection.ops(best))})."
            for first, best in selection.deepest_batch_pairs(results)
            if (gain := units.quotient(selection.ops(best), selection.ops(first)))]


def _durable_leaders(rows):
    return [_ranking(f"Batch {b}", [r for r in rows if r.batch == b])
            for b in sorted({r.batch for r in rows})]


def simulated_depth(results):
    """What depth gives on each class of disk, in two sentences."""
    disks = dict(results.disks)
    first = [_one_arm(disks["hdd"])] if "hdd" in disks else []
    first += [_many_units(disks["nvme"])] if "nvme" in disks else []
    needs = _needs_depth(disks["object"]) if "object" in disks else ""
    return _said([f"{', while '.join(first)}." if first else "", needs])


def _gain(first, other):
    gain = units.quotient(other.ops_per_second, first.ops_per_second)
    return (f"{units.factor(gain)} ({units.rate(first.ops_per_second)} to"
            f" {units.rate(other.ops_per_second)})")


def _one_arm(points):
    return (f"A hard disk has one arm, so {points[-1].depth} reads in flight give"
            f" {_gain(points[0], points[-1])} and only wait longer")


def _many_units(points):
    within = [p for p in points if p.depth <= p.units] or points[:1]
    return (f"an NVMe drive scales to its {points[0].units} units, {within[-1].depth} in flight"
            f" giving {_gain(points[0], within[-1])}, and past them only its latency grows")


def _needs_depth(points):
    return (f"An object store needs depth most: each read takes"
            f" {units.duration(points[0].latency_mean_ns)}, and {points[-1].depth} in flight give"
            f" {_gain(points[0], points[-1])}.")


def littles_law(results):
    """Whether what is in flight is throughput times latency, everywhere."""
    if not results.simulated_depth:
        return []
    wrong = [f"{results_module.model_name(p.model)} at depth {p.depth}"
             f" ({p.littles_law:.2f})" for p in results.simulated_depth
             if not selection.keeps_littles_law(p)]
    if wrong:
        return [f"Little's law does not hold within 5 % for {units.words(wrong)}: those figures"
                " are wrong."]
    return ["Little's law, throughput × latency = depth, holds within 5 % everywhere."]


def verdicts(results):
    """How the run stands to fio, in one sentence."""
    found = [r.verdict for r in results.ratios if r.ci95 is not None]
    if not found and results.simulated:
        return "fio runs on Linux, so no row is compared with it."
    if not found:
        return "No row was compared with fio." if results.measured else ""
    equal, above, below = (found.count(word) for word in ("fio's equal", "above", "below"))
    text = (f"Of {units.plural(len(found), 'comparison')} with fio, {equal} cannot be told from"
            f" it, {above} lie above and {below} below")
    worst = min((r for r in results.ratios if r.verdict == "below"),
                key=lambda r: r.ratio_median or 1, default=None)
    if worst is not None and worst.ratio_median is not None:
        name = results_module.workload_name(worst.workload)
        text += f"; lowest is {name.lower()}: {worst.label} at {units.ratio(worst.ratio_median)}"
    noisy = sum(bool(r.inside_noise) for r in results.ratios if r.verdict in ("above", "below"))
    if noisy:
        text += (f". Of those above or below, {noisy} {'is' if noisy == 1 else 'are'} no further"
                 " from 1 than fio was from itself")
    return text + "."


def four_rows(results):
    """mmap over pread, warm and cold."""
    rows = {(w, i): row for w, i, row in selection.four_rows(results)}
    sentences = []
    for workload, word in (("random_warm", "Warm"), ("random_cold", "Cold")):
        pread, mapped = rows[workload, "pread"], rows[workload, "mmap"]
        if not (pread and mapped and pread.measured and mapped.measured):
            continue
        rate = units.quotient(selection.ops(mapped), selection.ops(pread))
        cpu = units.quotient(mapped.median("cpu_ns_per_op"), pread.median("cpu_ns_per_op"))
        text = f"{word}, {_named(mapped)} does {units.factor(rate)} the reads of {_named(pread)}"
        text += f" for {units.factor(cpu)} its CPU time per read" if cpu else ""
        same = selection.overlap(pread, mapped)
        sentences.append(text + (" (their rounds overlap)." if same else "."))
    return sentences


def copy(extra):
    """Whether the device's transfer is all there is, from buffered against O_DIRECT."""
    data = extra.get("copy") or {}
    rate = units.quotient(data.get("buffered_ops_per_second"), data.get("direct_ops_per_second"))
    cpu, direct_cpu = data.get("buffered_cpu_ns_per_op"), data.get("direct_cpu_ns_per_op")
    sentences = []
    if rate is not None:
        same = abs(rate - 1) < NEARLY
        answer = "In rate, yes, within 10 %" if same else "In rate, no"
        sentences.append(f"{answer}: one at a time, cold buffered reads run at"
                         f" {units.factor(rate)} the rate of O_DIRECT"
                         + (", for both wait for the same transfer." if same else "."))
    if cpu is not None and direct_cpu is not None:
        more = cpu - direct_cpu
        answer = "In CPU time, no" if more > NEARLY * direct_cpu else "In CPU time, nearly"
        sentences.append(f"{answer}: a buffered read takes {units.duration(cpu)} of it,"
                         f" O_DIRECT {units.duration(direct_cpu)}.")
    return sentences + _page_copy(data)


def _page_copy(data):
    sentences, page_ns = [], data.get("copy_ns_per_page")
    if page_ns is not None:
        text = f"Copying one page out of the page cache costs {units.duration(page_ns)}"
        share = units.quotient(page_ns * (data.get("buffered_ops_per_second") or 0), 1e9)
        text += f", {units.percent(share)} of a cold buffered read's time" if share else ""
        sentences.append(text + ".")
        cpu, direct = data.get("buffered_cpu_ns_per_op"), data.get("direct_cpu_ns_per_op")
        more = cpu - direct if cpu is not None and direct is not None else 0
        if more > page_ns > 0:
            sentences.append(f"That is {units.percent(page_ns / more)} of the CPU time by which"
                             " they differ; the rest is the page cache's own work.")
    return sentences


def beyond_memory(extra):
    """What eviction costs a mapping, from the run on a file larger than its memory."""
    data = extra.get("beyond_memory") or {}
    mapped, direct = data.get("mmap") or {}, data.get("direct") or {}
    rate = units.quotient(mapped.get("ops_per_second"), direct.get("ops_per_second"))
    sentences = []
    if rate is not None:
        sentences.append(f"On a file of {units.size(data.get('file_bytes'))} within"
                         f" {units.size(data.get('limit_bytes'))} of memory, mmap reads"
                         f" {units.factor(rate)} what O_DIRECT reads.")
    faults = mapped.get("major_faults_per_op")
    if faults is not None:
        text = f"It takes {units.count(faults)} major fault{'' if faults == 1 else 's'} a read"
        shootdowns = data.get("tlb_shootdowns_per_op")
        text += (f" and {units.count(shootdowns)} TLB shootdowns a read"
                 if shootdowns is not None else "; TLB shootdowns were not counted")
        sentences.append(text + ".")
    return sentences


def checksums(results, workload):
    """Whether all rows read the same: the sums of the rounds, row by row."""
    sums = {}
    for row in results.of(workload):
        found = tuple(dict.fromkeys(str(c) for c in row.values("checksum")))
        if found and row.whole_page:
            sums.setdefault(found, []).append(row.label)
    number = sum(len(labels) for labels in sums.values())
    if number < 2:
        return []
    if len(sums) == 1:
        return [f"All {number} rows give the same checksum of what they read or wrote"
                f"{_without_touch(results, workload)}."]
    parts = [f"{len(labels)} as {labels[0]}" for labels in sums.values()]
    return [f"The rows give {len(sums)} different checksums: {units.words(parts)}."]


def _without_touch(results, workload):
    some = any(not row.whole_page for row in results.of(workload))
    return ", leaving out those that read one word of a page" if some else ""


def summary(results):
    """The paragraph at the top."""
    if not results.measured:
        return "No row was measured in this run."
    parts = [_leaders(results), verdicts(results), *four_rows(results)]
    lines = [line for line in selection.depth_lines(results) if line[0].impl == "uring"]
    parts.append(_growth(lines[0]) if lines else "")
    best = max((line for line in selection.batch_lines(results)),
               key=lambda line: selection.ops(line[-1]), default=None)
    if best is not None and best[-1].batch > best[0].batch:
        gain = units.quotient(selection.ops(best[-1]), selection.ops(best[0]))
        parts.append(f"Durable writes gain {units.factor(gain)} from a sync per"
                     f" {best[-1].batch} pages ({best[0].line_label}).")
    parts.append(_gaps(results))
    return _joined(parts)


def _leaders(results):
    parts = []
    for workload in results.workloads:
        rows = [r for r in results.of(workload) if r.whole_page]
        if rows:
            best = max(rows, key=selection.ops)
            name = results_module.workload_name(workload).lower()
            parts.append(f"{best.label} in {name} {_at(best)}")
    verb = "rate is" if len(parts) == 1 else "rates are"
    return f"The highest {verb} {units.words(parts)}." if parts else ""


def _gaps(results):
    missing = sum(not r.measured for r in results.rows)
    two = sum(r.bimodal for r in results.measured)
    parts = [f"{units.plural(missing, 'row')} could not be measured"] if missing else []
    parts += [f"{units.plural(two, 'row')} {'is' if two == 1 else 'are'} bimodal"] if two else []
    return f"{units.words(parts)}." if parts else ""


def _said(sentences):
    return [sentence for sentence in sentences if sentence]


def _joined(sentences):
    return " ".join(_said(sentences))
