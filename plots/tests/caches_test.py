#!/usr/bin/python3
"""Tests of the section on caches: what is loaded, said and shown of figures that are known."""

import copy
import os
import re
import unittest

from case import Case
import caches as caches_module
import figure_caches
import figure_hit_ratio
import figure_scan
import findings_caches
import fixture
import fixture_caches
import results as results_module
import tables_caches
import units

DRAWN = ((figure_caches, findings_caches.comparison), (figure_scan, findings_caches.scan),
         (figure_hit_ratio, findings_caches.hit_ratio))


class CachesCase(Case):
    def run_of(self, section):
        data = {"schema": results_module.SCHEMA, "machine": {"cores": 2}}
        return self.load(data if section is None else dict(data, caches=section))

    def html_of(self, section):
        """The page of a run of caches alone; fast, because no other figure is drawn."""
        import page
        results = self.run_of(section)
        svg = {module: b"<svg/>" if module.draw(results) else None for module, _ in DRAWN}
        return page.render(results, [], ("", "", None, []),
                           [(m.NAME, m.TITLE, svg[m], say(results)) for m, say in DRAWN])

    def compare(self, **rates):
        """Sentences of Zipfian reads by one thread: each system's rate at 0.5× and at 4×."""
        rows = [{"system": system, "workload": "zipfian", "file_over_budget": size, "threads": 1,
                 "ops_per_second": [rate * f for f in (0.99, 1, 1.01)], "hit_ratio": None,
                 "reason": ""} for system, pair in rates.items() for size, rate in
                zip((0.5, 4), pair)]
        return findings_caches.comparison(self.run_of({"reason": "", "rows": rows}))


class CachesSaid(CachesCase):
    """Sentences follow the data: another run, other words."""

    @classmethod
    def setUpClass(cls):
        cls.full = fixture_caches.full()

    def test_who_leads_when(self):
        said = findings_caches.comparison(self.run_of(self.full))
        self.assertEqual(said[0], (
            "Zipfian, 1 thread: below the budget (0.5×) mmap leads (2.00 M/s), 1.25× the next,"
            " O_DIRECT + cache; at the budget io_uring + cache leads (900 K/s), 1.80× the next,"
            " O_DIRECT + cache; above the budget (4×) io_uring + cache leads (240 K/s), 3.20× the"
            " next, O_DIRECT + cache."))
        self.assertIn("at the budget O_DIRECT + cache (1.30 M/s) and io_uring + cache are about"
                      " equal and ahead", said[4])

    def test_ratios_above_the_budget(self):
        said = findings_caches.comparison(self.run_of(self.full))
        self.assertIn("Zipfian, 1 thread, file 4× the budget: io_uring + cache leads mmap (12.0×)"
                      " and leads pread (4.00×); O_DIRECT + cache leads pread (1.25×).", said)
        self.assertIn("Zipfian, 2 threads, file 4× the budget: io_uring + cache leads mmap"
                      " (24.0×) and leads pread (4.00×); O_DIRECT + cache leads pread (1.25×).",
                      said)
        self.assertIn("Sequential, 1 thread, O_DIRECT + cache: below the budget (0.5×) it leads"
                      " pread (1.50×); at the budget it leads pread (1.30×); above the budget (4×)"
                      " it is about equal to pread (1.02×).", said)

    def test_the_verdict_is_the_datas(self):
        for own, words in ((2e5, "leads pread (2.00×)"), (1.05e5, "is about equal to pread"),
                           (0.95e5, "is about equal to pread"), (5e4, "is behind pread (0.50×)")):
            said = self.compare(pread=(1e6, 1e5), direct_cached=(1e6, own))
            self.assertIn(f"Zipfian, 1 thread, file 4× the budget: O_DIRECT + cache {words}",
                          said[1])

    def test_rounds_that_overlap_are_about_equal(self):
        section = copy.deepcopy(self.full)
        for row in section["rows"]:
            if row["system"] == "uring_cached":
                row["ops_per_second"] = [1e3, row["ops_per_second"][1], 1e8]
        said = findings_caches.comparison(self.run_of(section))
        self.assertIn("Zipfian, 1 thread, file 4× the budget: io_uring + cache is about equal to"
                      " mmap (12.0×, but their rounds overlap) and is about equal to pread (4.00×,"
                      " but their rounds overlap)", " ".join(said))
        self.assertNotIn("The ring has 32 misses", " ".join(said))

    def test_a_cause_is_named_only_where_it_shows(self):
        rates = {"pread": (8e5, 6e4), "mmap": (2e6, 2e4), "direct_cached": (1.6e6, 7.5e4),
                 "uring_cached": (1.5e6, 2.4e5)}
        causes = {"The ring has 32 misses under way: above the budget io_uring + cache does 3.20×"
                  " the reads of O_DIRECT + cache, which awaits each.": ("uring_cached", 1, 7e4),
                  "The kernel reads one page at a time for a synchronous reader: above the budget"
                  " io_uring + cache does 4.00× the reads of pread.": ("uring_cached", 1, 6e4),
                  "A map must fault and evict one page at a time, in the thread that reads: above"
                  " the budget pread does 3.00× the reads of mmap.": ("mmap", 1, 6e4),
                  "A hit in the cache makes no system call, where pread makes one and copies the"
                  " page: below the budget O_DIRECT + cache does 2.00× the reads of pread.":
                  ("direct_cached", 0, 8e5)}
        all_said = self.compare(**rates)
        for cause, (system, place, rate) in causes.items():
            self.assertIn(cause, all_said)
            other = list(rates[system])
            other[place] = rate
            self.assertNotIn(cause.split(":")[0], " ".join(
                self.compare(**dict(rates, **{system: tuple(other)}))))

    def collapse(self, mmap, pread, hits=(None, None)):
        """What is said of these rates of Zipfian reads above the budget, by one thread."""
        rows = [{"system": system, "workload": "zipfian", "file_over_budget": 4, "threads": 1,
                 "ops_per_second": rates, "hit_ratio": ratio}
                for system, rates, ratio in zip(("mmap", "pread"), (mmap, pread), hits)]
        said = findings_caches.comparison(self.run_of({"rows": rows}))
        return next(s for s in said if "collapse" in s)

    def test_the_collapse(self):
        said = findings_caches.comparison(self.run_of(self.full))
        self.assertEqual([s for s in said if "collapse" in s], [
            "Zipfian, 1 thread, file 4× the budget, mmap's collapse is reproduced: mmap does 20.0"
            " K/s, 0.33× of pread's 60.0 K/s; 85.1 % of pread's reads hit.",
            "Zipfian, 2 threads, file 4× the budget, mmap's collapse is reproduced: mmap does 18.0"
            " K/s, 0.17× of pread's 108 K/s; 85.1 % of pread's reads hit; two threads do, over one,"
            " 0.90× with mmap and 1.80× with pread.",
            "Uniform, 1 thread, file 4× the budget, mmap's collapse is reproduced: mmap does 9.00"
            " K/s, 0.50× of pread's 18.0 K/s; 85.1 % of pread's reads hit."])

    def test_the_three_answers_on_the_collapse(self):
        for mmap, answer, factor in (
                ([49e3, 50e3, 51e3], "reproduced", "50.0 K/s, 0.50×"),
                ([49e3, 51e3, 53e3], "reproduced in part", "51.0 K/s, 0.51×"),
                ([89e3, 90e3, 91e3], "reproduced in part", "90.0 K/s, 0.90×"),
                ([92e3, 93e3, 94e3], "not reproduced", "93.0 K/s, 0.93×"),
                ([180e3, 200e3, 220e3], "not reproduced", "200 K/s, 2.00×")):
            self.assertEqual(self.collapse(mmap, [99e3, 100e3, 101e3], (0.849, 0.851)), (
                f"Zipfian, 1 thread, file 4× the budget, mmap's collapse is {answer}: mmap does"
                f" {factor} of pread's 100 K/s; 84.9 % of mmap's and 85.1 % of pread's reads hit."))

    def test_rounds_that_overlap_are_no_collapse(self):
        self.assertEqual(self.collapse([38e3, 40e3, 99e3], [99e3, 100e3, 101e3]), (
            "Zipfian, 1 thread, file 4× the budget, mmap's collapse is not reproduced: mmap does"
            " 40.0 K/s, 0.40× of pread's 100 K/s (their rounds overlap)."))

    def test_a_rate_below_the_budget_is_no_matter_of_the_collapse(self):
        usual = findings_caches.collapse(self.run_of(self.full).caches, "zipfian", 1)
        section = copy.deepcopy(self.full)
        for row in section["rows"]:
            if row["file_over_budget"] < 4:
                row["ops_per_second"] = [1e9 if row["system"] == "mmap" else 10]
        changed = self.run_of(section).caches
        self.assertEqual(findings_caches.collapse(changed, "zipfian", 1), usual)

    def test_a_second_thread_needs_all_four_rates(self):
        section = copy.deepcopy(self.full)
        section["rows"] = [r for r in section["rows"] if (r["system"], r["threads"]) != ("mmap", 1)]
        said = findings_caches.collapse(self.run_of(section).caches, "zipfian", 2)
        self.assertTrue(said.endswith("0.17× of pread's 108 K/s; 85.1 % of pread's reads hit."))

    def held(self, budget_bytes=1000, **systems):
        """What is said of caches that held so many bytes, by system and row above the budget."""
        rows = [{"system": system, "workload": f"reads {i}", "file_over_budget": 4, "threads": 1,
                 "ops_per_second": [1e3], "held_bytes": value}
                for system, values in systems.items() for i, value in enumerate(values)]
        return findings_caches.held(
            self.run_of({"budget_bytes": budget_bytes, "rows": rows}).caches)

    def test_what_the_kernels_cache_held(self):
        said = findings_caches.comparison(self.run_of(self.full))
        self.assertEqual([s for s in said if "held" in s], [
            "With a file above the budget the kernel's cache held, beside its budget of 64 MiB:"
            " pread 0.8 % less to 1.2 % more and mmap 2.0 % to 3.1 % more."])

    def test_whom_what_was_held_favours(self):
        for systems, words in (
                ({"pread": [950, 1050.4]}, "pread 5.0 % less to 5.0 % more."),
                ({"pread": [1051]}, "pread 5.1 % more. Beware: in 1 of 1 row that is over 5 % off,"
                                    " and there the comparison favours pread over ours."),
                ({"pread": [1000, 1010], "mmap": [949, 940, 990]},
                 "pread 0.0 % to 1.0 % more and mmap 6.0 % to 1.0 % less. Beware: in 2 of 5 rows"
                 " that is over 5 % off, and there the comparison favours ours over mmap."),
                ({"pread": [4000], "mmap": [900]},
                 "pread 300.0 % more and mmap 10.0 % less. Beware: in 2 of 2 rows that is over 5 %"
                 " off, and there the comparison favours pread over ours and ours over mmap.")):
            said = self.held(**systems)
            self.assertEqual(said, "With a file above the budget the kernel's cache held, beside"
                                   f" its budget of 1000 B: {words}")

    def test_where_nobody_told_what_was_held_nothing_is_said(self):
        for systems in ({"pread": [None], "mmap": [None]}, {"direct_cached": [1000]}, {}):
            self.assertEqual(self.held(**systems), "")
        self.assertEqual(self.held(0, pread=[1000]), "")  # the run does not tell the budget

    def test_what_was_held_is_of_measured_rows_above_the_budget(self):
        section = copy.deepcopy(self.full)
        killed = [r for r in section["rows"] if r["reason"]]
        self.assertEqual([r["held_bytes"] for r in killed], [0])
        usual = findings_caches.held(self.run_of(section).caches)
        for row in section["rows"]:
            if row["file_over_budget"] <= 1:
                row["held_bytes"] = 0
        self.assertEqual(findings_caches.held(self.run_of(section).caches), usual)

    def test_above_the_budget_is_the_largest_file(self):
        section = copy.deepcopy(self.full)
        section["rows"] += [dict(row, file_over_budget=2) for row in section["rows"]
                            if row["file_over_budget"] == 1]
        said = findings_caches.comparison(self.run_of(section))
        self.assertIn("at the budget io_uring + cache leads (900 K/s), 1.80× the next, O_DIRECT +"
                      " cache; above the budget (2×) io_uring", said[0])
        self.assertIn("Zipfian, 1 thread, file 4× the budget: io_uring + cache leads mmap (12.0×)",
                      said[6])

    def test_what_was_not_measured_is_not_compared(self):
        said = " ".join(findings_caches.comparison(self.run_of(self.full)))
        self.assertIn("Uniform, 1 thread, file 4× the budget, mmap's collapse", said)
        self.assertNotIn("Uniform, 2 threads, file 4× the budget, mmap's collapse", said)
        self.assertIn("Of those reads above the budget, these hit: pread 85.1 %, O_DIRECT + cache"
                      " 88.3 % and io_uring + cache 88.3 %.", said)

    def test_hit_cost(self):
        self.assertEqual(findings_caches.hit_cost(self.run_of(self.full)), [
            "To find a page in our cache and add its words up takes 250 ns, to peek at it in a map"
            " and do the same 200 ns: 1.25×, 50 ns more a page. A map's hits are not free either."])
        cost = {"peek_ns": [200, 300], "cached_ns": [190, 210]}
        said = findings_caches.hit_cost(self.run_of(dict(self.full, hit_cost=cost)))[0]
        self.assertIn("0.80×, 50 ns less a page (their rounds overlap).", said)

    def test_scaling(self):
        said = findings_caches.scaling(self.run_of(self.full))
        self.assertEqual(said[0], "O_DIRECT + cache, hits only: threads with a handle each on one"
                                  " cache do, over one, 1.90× with 2 and 1.95× with 8.")
        self.assertIn("The machine has 2 cores", said[2])

    def test_the_scan(self):
        said = findings_caches.scan(self.run_of(self.full))
        self.assertEqual(said[0], (
            "While the scan runs, this is what the hot set's hit ratio loses at its lowest step,"
            " and on average: S3-FIFO 1.0 points, 0.5 points; 2Q 3.0 points, 2.1 points; the"
            " kernel's cache 10.0 points, 6.2 points; CLOCK 30.0 points, 20.6 points; LRU 40.0"
            " points, 28.7 points."))
        self.assertIn("S3-FIFO and 2Q let a scan pass through a small queue", said[1])
        self.assertEqual(said[-1], (
            "In turn with a scan, where one thread reads 32 pages of the hot set, then 32 of the"
            " file, and only the hot set's reads are timed, this is left of their rate without a"
            " scan: pread 50 %, mmap 10 %, O_DIRECT + cache 50 % and io_uring + cache 60 %."))
        self.assertIn("Hot set, in turn with a scan: io_uring + cache leads (900 K/s), 1.12× the"
                      " next, O_DIRECT + cache.", said)

    def test_a_small_queue_that_does_not_help_is_not_praised(self):
        section = copy.deepcopy(self.full)
        lines = {line["name"]: line for line in section["scan"]["lines"]}
        lines["2q"]["hit_ratio"] = lines["lru"]["hit_ratio"]
        said = findings_caches.scan(self.run_of(section))
        self.assertTrue(said[1].startswith("S3-FIFO lets a scan pass"), said[1])
        nearly = [min(1, h + 0.005) for h in lines["clock"]["hit_ratio"]]
        lines["s3-fifo"]["hit_ratio"] = nearly  # half a point is no point
        self.assertNotIn("small queue", " ".join(findings_caches.scan(self.run_of(section))))

    def test_only_the_steps_of_the_scan_count_as_it(self):
        line = self.run_of(self.full).caches.scan.lines[0]
        self.assertEqual((len(line.before), len(line.within), len(line.after)), (8, 16, 8))
        self.assertAlmostEqual(line.deepest, 0.3)
        self.assertAlmostEqual(line.usual, (15 * 0.2 + 0.3) / 16)
        self.assertAlmostEqual(line.after[0], 0.98)

    def test_hit_ratios_of_traces(self):
        said = findings_caches.hit_ratio(self.run_of(self.full))
        self.assertEqual(said[0], "Uniform: at no size do two policies differ by a point; the"
                                  " widest gap is 0.5 points.")
        self.assertEqual(said[1], "Zipfian: the policies differ most at 100 frames, 1 % of the"
                                  " pages, where S3-FIFO hits 48.0 % and LRU 37.0 %; Belady's"
                                  " optimum is 54.0 %.")
        self.assertEqual(said[4], "Of 24 sizes of all traces, this many see a policy hit most, or"
                                  " as much as any: S3-FIFO at 15, 2Q at 6, LRU at 5 and CLOCK at"
                                  " 2.")

    def test_hit_ratios_as_read(self):
        for value, text in ((1, "100.0 %"), (0.9997, "> 99.9 %"), (0.883, "88.3 %"), (None, "—")):
            self.assertEqual(units.hits(value), text)
        self.assertEqual(units.points(-0.0123), "-1.2 points")


class CachesShown(CachesCase):
    def test_a_run_without_the_section_says_nothing_of_it(self):
        old = self.run_of(None)
        self.assertIsNone(old.caches)
        for module, say in DRAWN:
            self.assertIsNone(module.draw(old))
            self.assertEqual(say(old), [])
        html = self.html_of(None).split("</style>")[1]
        for words in ("+ cache", "kernel&#x27;s cache and", "Belady", "CLOCK"):
            self.assertNotIn(words, html)

    def test_every_row_is_in_a_table(self):
        html = self.html_of(fixture_caches.full())
        self.assertEqual(html.count("<img "), 3)
        rates = html.split("<h3>Every rate</h3>")[1].split("</table>")[0]
        self.assertEqual(rates.count("<tr>"), 4 * 3 * 3 * 2 + 1)
        states = html.split("<h3>Every state of the hot set</h3>")[1].split("</section>")[0]
        self.assertEqual(states.count("<tr>"), 4 * 3 + 1 + 5 + 1)
        traces = html.split("<h2>Hit ratio against the size of the cache")[1]
        self.assertEqual(traces.split("</section>")[0].count("<tr>"), 4 * (6 + 1))
        self.assertIn("200,000 accesses to 20,000 pages", traces)
        self.assertIn("A cache has 64 MiB of memory".lower(), html.lower())
        self.assertIn("the kernel&#x27;s by cgroup v1, limit 79691776 bytes", html)

    def test_what_was_held_has_a_column_where_the_run_tells(self):
        section = fixture_caches.full()
        table = tables_caches.comparison(self.run_of(section).caches)
        lines = [re.sub("<[^>]*>", "|", line) for line in table.split("<tr>")]
        self.assertIn("|of the file held|", lines[1])
        row = next(line for line in lines if "Zipfian, 1 thread, file 4×: mmap" in line)
        self.assertIn("|65.28 MiB|", row)
        row = next(line for line in lines if "Zipfian, 1 thread, file 0.5×: pread" in line)
        self.assertIn("|32 MiB|", row)
        self.assertIn('colspan="4"', table)  # the row that was not measured
        for row in section["rows"]:
            del row["held_bytes"]
        table = tables_caches.comparison(self.run_of(section).caches)
        self.assertNotIn("held", table)
        self.assertIn('colspan="3"', table)

    def test_the_summary_has_the_ratios(self):
        lead = self.html_of(fixture_caches.full()).split('class="lead">')[1].split("</p>")[0]
        self.assertIn("file 4× the budget: io_uring + cache leads mmap (12.0×)", lead)

    def test_a_reason_stands_where_figures_would(self):
        section = copy.deepcopy(fixture_caches.full())
        section.update(limit=None, limit_reason="no control groups to write",
                       hit_cost={"reason": "no map to peek at"})
        section["scaling"][0].update(one=[], many=[], reason="one core only")
        section["states"][0].update(ops_per_second=[], reason="it would not stay warm")
        section["scan"]["lines"][0].update(hit_ratio=[], reason="mincore says nothing")
        html = self.html_of(section)
        for reason, columns in (("killed at its memory limit", 1), ("no map to peek at", 2),
                                ("one core only", 1), ("it would not stay warm", 1),
                                ("mincore says nothing", 1)):
            lines = [part for part in html.split("<tr>") if f"not measured: {reason}" in part]
            self.assertEqual(len(lines), columns, reason)
            self.assertEqual(lines[0].split("</tr>")[0].count("<td"), 1)
        self.assertIn("could not be limited: no control groups to write", html)
        self.assertNotIn("None", html.replace('"none"', ""))

    def test_what_can_measure_nothing_still_computes(self):
        html = self.html_of(fixture_caches.unmeasured("not available here: no disk"))
        section = html.split("<h2>The kernel&#x27;s cache")[1].split("</section>")[0]
        self.assertIn("<p>Not available here: no disk.</p>", section)
        self.assertNotIn("<table", section)
        self.assertNotIn("no data for this figure", section)
        self.assertIn("<h2>Hit ratio against the size of the cache</h2>", html)
        self.assertEqual(html.count("<img "), 1)

    def test_each_part_alone(self):
        full = fixture_caches.full()
        for part in ("rows", "hit_cost", "scaling", "states", "scan", "policies"):
            with self.subTest(part):
                html = self.html_of({"reason": "", part: full[part]})
                self.assertIn("</html>", html)
                self.assertNotIn("None", html.replace('"none"', ""))
        for row in full["rows"][:12]:
            self.assertIn("</html>", self.html_of({"reason": "", "rows": [row]}))

    def test_text_from_the_run_is_escaped(self):
        section = fixture_caches.full()
        section["limit"] = "<b>limit</b>"
        section["rows"][0].update(system="<b>splice</b>", workload="<b>tepid</b>")
        section["policies"]["traces"][0].update(what="<b>what</b>", name="<b>name</b>")
        self.assertNotIn("<b>", self.html_of(section))

    def test_the_figures_show_what_there_is(self):
        results = self.run_of(fixture_caches.full())
        panels = figure_caches.draw(results).axes
        self.assertEqual([axis.get_title(loc="left") for axis in panels][:2],
                         ["Zipfian, 1 thread", "Uniform, 1 thread"])
        self.assertEqual(len(panels), 6)
        self.assertTrue(all(axis.get_yscale() == "log" for axis in panels))
        hits, states = figure_scan.draw(results).axes
        self.assertEqual(len(hits.lines), 5)
        self.assertEqual(len(states.containers), 4 * 3)
        traces = figure_hit_ratio.draw(results).axes
        self.assertEqual([len(axis.lines) for axis in traces], [5] * 4)
        clock = traces[1].lines[0]
        self.assertEqual([round(x, 3) for x in clock.get_xdata()], list(fixture_caches.SHARES))
        self.assertAlmostEqual(clock.get_ydata()[2], 0.56)


class CachesRefused(Case):
    def refuse_with(self, said, change):
        data = fixture.full()
        change(data)
        fixture.write(self.directory, data)
        with self.assertRaises(results_module.ResultsError) as raised:
            results_module.load(os.path.join(self.directory, "results.json"))
        self.assertTrue(str(raised.exception).endswith(said), raised.exception)
        self.assertNotIn("\n", str(raised.exception))

    def test_one_line_to_a_person(self):
        data = fixture.full()
        data["caches"]["rows"][3]["ops_per_second"][1] = "fast"
        fixture.write(self.directory, data)
        self.refused("caches.rows[3].ops_per_second holds something else than numbers")

    def test_what_is_malformed(self):
        def put(value, *path):
            def change(data):
                place = data["caches"]
                for name in path[:-1]:
                    place = place[name]
                place[path[-1]] = value
            return change

        for said, change in (
                ("caches is not an object", lambda data: data.update(caches=[1])),
                ("caches.rows is not a list", put({"a": 1}, "rows")),
                ("caches.rows[2] is not an object", put(7, "rows", 2)),
                ("caches.rows[2].system is missing", put("", "rows", 2, "system")),
                ("caches.rows[2].hit_ratio is not between 0 and 1", put(85, "rows", 2,
                                                                        "hit_ratio")),
                ("caches.rows[2].held_bytes is below 0", put(-1, "rows", 2, "held_bytes")),
                ("caches.rows[2].held_bytes is not a number", put("all", "rows", 2, "held_bytes")),
                ("caches.rows[2].threads is missing or not above 0", put(0, "rows", 2, "threads")),
                ("caches.states[1].ops_per_second holds a rate that is not above 0",
                 put([0], "states", 1, "ops_per_second")),
                ("caches.scaling[0].reason is not a string", put(3, "scaling", 0, "reason")),
                ("caches.hit_cost.peek_ns is not a list", put(200, "hit_cost", "peek_ns")),
                ("caches.scan.begins is not before its ends", put(24, "scan", "begins")),
                ("caches.scan.lines[4].hit_ratio holds something not between 0 and 1",
                 put([1.5], "scan", "lines", 4, "hit_ratio")),
                ("caches.policies.traces[0].pages is missing or not above 0",
                 put(None, "policies", "traces", 0, "pages")),
                ("caches.policies.traces[0].sizes[1].hits.lru is not a count of accesses",
                 put(100001, "policies", "traces", 0, "sizes", 1, "hits", "lru"))):
            with self.subTest(said):
                self.refuse_with(said, change)

    def test_a_row_without_rounds_or_reason_says_so(self):
        data = fixture.full()
        data["caches"]["rows"][0]["ops_per_second"] = []
        row = next(r for r in self.load(data).caches.rows if not r.measured and r.reason
                   != "killed at its memory limit")
        self.assertEqual(row.reason, "no round was recorded")
        self.assertEqual(caches_module.system_name(row.system), "pread")


if __name__ == "__main__":
    unittest.main()
