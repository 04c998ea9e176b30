#!/usr/bin/python3
"""Tests of the report, from results.json to the files a person opens."""

import copy
import os
import re
import shutil
import struct
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PLOTS = os.path.dirname(HERE)
sys.path[:0] = [PLOTS, HERE]

from caches_test import CachesRefused, CachesSaid, CachesShown  # noqa: E402,F401 - run as well
from case import Case  # noqa: E402
import comparison  # noqa: E402
import figure_latency  # noqa: E402
import figure_simulated_depth  # noqa: E402
import findings  # noqa: E402
import fixture  # noqa: E402
import published  # noqa: E402
import report  # noqa: E402
import results as results_module  # noqa: E402
import selection  # noqa: E402
import units  # noqa: E402

CACHES = ("caches", "scan", "hit_ratio")
NAMES = ("overview", "depth", "latency", "batch", "simulated_depth", *CACHES)


class Written(Case):
    """What a full run leaves behind. One run of it serves all, as drawing takes seconds."""

    @classmethod
    def setUpClass(cls):
        cls.full = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.full)
        fixture.write(cls.full, fixture.full())
        report.write(results_module.load(os.path.join(cls.full, "results.json")), cls.full)
        with open(os.path.join(cls.full, "report.html"), encoding="utf-8") as file:
            cls.html = file.read()

    def test_every_figure_is_written_and_drawn_upon(self):
        for name in NAMES:
            with open(os.path.join(self.full, "plots", name + ".png"), "rb") as file:
                png = file.read()
            self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
            width, height = struct.unpack(">II", png[16:24])
            self.assertGreater(min(width, height), 400)
            self.assertGreater(len(png), 20000)
            with open(os.path.join(self.full, "plots", name + ".svg"), encoding="utf-8") as file:
                self.assertGreater(file.read().count("<path"), 100)

    def test_the_report_is_self_contained(self):
        self.assertNotIn("<script", self.html)
        self.assertNotIn("<link", self.html)
        self.assertNotIn("url(", self.html)
        for target in re.findall(r'(?:src|href)\s*=\s*["\']?([^"\'>\s]+)', self.html):
            self.assertTrue(target.startswith("data:image/"), target[:60])
        self.assertEqual(self.html.count("<img "), len(NAMES))

    def test_every_image_has_a_text_in_its_place(self):
        for alt in re.findall(r'<img alt="([^"]*)"', self.html):
            self.assertGreater(len(alt), 80)

    def test_a_row_not_measured_shows_its_reason_and_no_figure(self):
        line = next(part for part in self.html.split("<tr>") if "io_uring poll" in part)
        self.assertIn("EOPNOTSUPP on this device", line)
        self.assertEqual(line.count("<td"), 1)

    def test_every_row_and_every_ratio_is_there(self):
        data = fixture.full()
        ratios = self.html.split("Every ratio to fio")[1].split("</section>")[0]
        self.assertEqual(ratios.count("<tr>"), len(data["ratios"]) + 1)
        rows = self.html.split("<h2>Every row")[1].split("</section>")[0]
        peers = sum(row["peer"] is not None for row in data["rows"])
        headings = len({row["workload"] for row in data["rows"]})
        self.assertEqual(rows.count("<tr>"), len(data["rows"]) + peers + headings)

    def test_a_bimodal_series_is_named(self):
        self.assertIn("mmap sum is bimodal, 3 of 6 rounds near", self.html)

    def test_a_complete_run_warns_of_nothing(self):
        self.assertNotIn("incomplete", self.html)

    def test_the_same_input_gives_the_same_bytes(self):
        names = [os.path.join("plots", f"{n}.{s}") for n in NAMES for s in ("svg", "png")]
        fixture.write(self.directory, fixture.full())
        done = self.run_report(self.directory)  # another process, other hashes
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in names + ["report.html"]:
            with open(os.path.join(self.full, name), "rb") as file:
                self.assertEqual(file.read(), self.read(name), name)


class Partial(Case):
    def test_nothing_measured_says_so(self):
        html = self.page(fixture.empty())
        self.assertIn("No row was measured in this run.", html)
        self.assertIn("This run is incomplete", html)
        self.assertNotIn("<img", html)
        self.assertEqual(os.listdir(os.path.join(self.directory, "plots")), [])

    def test_only_unavailable_rows_show_their_reasons(self):
        data = fixture.empty()
        data["rows"] = [row for row in fixture.full()["rows"] if not row["available"]]
        html = self.page(data)
        self.assertIn("No row was measured in this run.", html)
        self.assertIn("EOPNOTSUPP on this device", html)

    def test_one_workload_without_fio_or_extras(self):
        html = self.page(fixture.cold())
        self.assertIn("No row was compared with fio.", html)
        self.assertIn("no O_DIRECT on this file system", html)
        self.assertIn("no memory cgroup to write", html)
        self.assertNotIn("fio psync", html.split("Published figures")[0])
        self.assertFalse(os.path.exists(os.path.join(self.directory, "plots", "batch.svg")))

    def test_a_figure_of_an_earlier_run_does_not_stay(self):
        self.page(fixture.full())
        self.page(fixture.cold())
        left = sorted(os.listdir(os.path.join(self.directory, "plots")))
        self.assertEqual(left, sorted(f"{n}.{s}" for n in NAMES if n not in ("batch", *CACHES)
                                      for s in ("png", "svg")))

    def test_each_implementation_and_each_workload_alone(self):
        full = fixture.full()
        del full["caches"]  # they have no part in it
        for name in ("impl", "workload"):
            for value in sorted({row[name] for row in full["rows"]}):
                with self.subTest(value):
                    data = dict(full, rows=[r for r in full["rows"] if r[name] == value],
                                ratios=[r for r in full["ratios"] if r[name] == value])
                    self.assertIn("</html>", self.page(data))

    def test_each_row_alone(self):
        """Fast, without figures: every sentence and table from a single row."""
        import page
        full = fixture.full()
        for row in full["rows"]:
            results = self.load(dict(full, rows=[row], ratios=[]))
            for say in (findings.overview, findings.depth, findings.latency, findings.batch):
                say(results)
            self.assertIn("</html>", page.render(results, [], ("", "", None, [])))

    def test_figures_that_are_null(self):
        data = copy.deepcopy(fixture.full())
        for row in data["rows"]:
            for figures in [*row["rounds"], row["median"] or {}]:
                for name in ("p50_ns", "p99_ns", "p999_ns", "cpu_ns_per_op", "checksum"):
                    figures[name] = None
            row["histogram"] = []
            row["resident"] = None
        data["extra"]["copy"] = dict.fromkeys(data["extra"]["copy"], None)
        data["extra"]["beyond_memory"]["mmap"] = None
        html = self.page(data)
        self.assertNotIn("None", html.replace('"none"', ""))
        self.assertNotIn("nan", re.sub(r"base64,[^\"]*", "", html))

    def test_a_document_of_the_schema_alone(self):
        self.assertIn("No row was measured", self.page({"schema": results_module.SCHEMA}))

    def test_an_unknown_implementation_and_workload_are_shown(self):
        data = fixture.full()
        row = copy.deepcopy(data["rows"][0])
        row.update(impl="splice", workload="random_tepid", page_bytes=16384)
        html = self.page(dict(data, rows=data["rows"] + [row]))
        self.assertIn("splice, 16384 B pages", html)
        self.assertIn("random tepid", html)

    def test_text_from_the_run_is_escaped(self):
        data = fixture.full()
        data["machine"]["cpu"] = "<script>alert(1)</script>"
        data["rows"] = [dict(r, reason="<b>no</b>") for r in data["rows"] if not r["available"]]
        html = self.page(data)
        self.assertNotIn("<script>", html)
        self.assertNotIn("<b>no", html)


class Simulated(Case):
    """A run on the simulated machine, and what every run has from there."""

    @classmethod
    def setUpClass(cls):
        cls.whole = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.whole)
        fixture.write(cls.whole, fixture.simulated())
        report.write(results_module.load(os.path.join(cls.whole, "results.json")), cls.whole)
        with open(os.path.join(cls.whole, "report.html"), encoding="utf-8") as file:
            cls.html = file.read()

    def test_it_says_first_what_was_measured(self):
        self.assertIn("<title>Page files four ways: results, on a simulated NVMe drive</title>",
                      self.html)
        head = self.html.split("<section>")[0]
        self.assertIn("Simulated machine:</strong> nvme, seed 7.", head)
        self.assertIn("fio runs on Linux, so no row is compared with it", head)
        self.assertNotIn("Simulated machine:", self.page(fixture.empty()))

    def test_nothing_of_a_real_machine_is_shown(self):
        facts = self.html.split("The machine</h2>")[1].split("</section>")[0]
        for words in ("Processor", "Read-ahead", "Single threads", "not recorded", "host"):
            self.assertNotIn(words, facts)
        self.assertIn("64 operations", facts)
        self.assertNotIn("guest-cold", self.html)
        self.assertIn("none stands beside those of a model", self.html)
        self.assertNotIn("None", self.html.replace('"none"', ""))

    def test_fio_says_why_it_is_missing_and_is_drawn_nowhere(self):
        rows = self.html.split("<h2>Every row")[1].split("</section>")[0]
        peers = sum(row["peer"] is not None and row["available"]
                    for row in fixture.simulated()["rows"])
        self.assertEqual(rows.count("not available here: fio runs on Linux"), peers)
        self.assertNotIn("not measured: not available", self.html)
        results = results_module.load(os.path.join(self.whole, "results.json"))
        self.assertEqual([row for row in results.rows if row.peer], [])
        self.assertNotIn("fio&#x27;s command lines", self.html)

    def disks(self, data):
        """The section of depth on four disks; fast, because no other figure is drawn."""
        import page
        results = self.load(data)
        svg = b"<svg/>" if figure_simulated_depth.draw(results) else None
        html = page.render(results, [], (figure_simulated_depth.NAME, figure_simulated_depth.TITLE,
                                         svg, findings.simulated_depth(results)))
        return html.split("<h2>Depth on four disks")[1].split("</section>")[0]

    def test_every_report_shows_depth_on_four_disks(self):
        whole = self.html.split("<h2>Depth on four disks")[1].split("</section>")[0]
        for section in (whole, self.disks(fixture.full()), self.disks(fixture.cold())):
            self.assertEqual(section.count("<img "), 1)
            self.assertIn("A hard disk has one arm, so 256 reads in flight give 1.00×", section)
            self.assertIn("an NVMe drive scales to its 64 units, 64 in flight giving 64.0×", section)
            self.assertIn("An object store needs depth most", section)
            self.assertIn("holds within 5 % everywhere", section)
            self.assertNotIn("verdict below", section)
            self.assertEqual(section.count("<tr>"), 5)
        old = fixture.full()
        del old["simulated_depth"]
        self.assertIn("This run has no data for this figure.", self.disks(old))

    def test_what_breaks_littles_law_is_flagged(self):
        data = fixture.simulated()
        for point in data["simulated_depth"]:
            if (point["model"], point["depth"]) == ("nvme", 32):
                point["ops_per_second"] *= 0.9
        section = self.disks(data)
        self.assertEqual(section.count("verdict below"), 1)
        self.assertIn("does not hold within 5 % for NVMe drive at depth 32 (0.89)", section)

    def test_a_model_alone(self):
        data = fixture.simulated()
        for model in ("hdd", "sata", "nvme", "object", "tape"):
            some = [dict(p, model=model) for p in data["simulated_depth"]
                    if p["model"] in (model, "sata")][:9]
            with self.subTest(model):
                self.assertEqual(self.disks(dict(data, simulated_depth=some)).count("<tr>"), 2)


class Refused(Case):
    def test_a_missing_file(self):
        self.refused("results.json: No such file")

    def test_another_schema(self):
        self.refuse('{"schema": "pagealloc/results/v2"}', '"pagealloc/results/v2"',
                    'expected "pagealloc/results/v1"')

    def test_no_schema(self):
        self.refuse("{}", "schema is null")

    def test_what_is_not_json(self):
        self.refuse('{"schema": ', "not JSON")
        self.refuse("[]", "not an object")

    def test_a_word_where_a_number_belongs(self):
        data = fixture.full()
        data["rows"][3]["rounds"][1]["p99_ns"] = "fast"
        fixture.write(self.directory, data)
        self.refused("rows[3].rounds[1].p99_ns is not a number")

    def test_a_point_of_depth_without_its_latency(self):
        data = fixture.full()
        del data["simulated_depth"][5]["latency_mean_ns"]
        fixture.write(self.directory, data)
        self.refused("simulated_depth[5].latency_mean_ns is missing")

    def test_not_a_number(self):
        data = fixture.full()
        data["rows"][0]["median"]["ops_per_second"] = float("nan")
        fixture.write(self.directory, data)
        self.refused("NaN")


class Judged(Case):
    def verdict(self, ci95, ratio_median=1.0, noise=None):
        ratio = {"workload": "random_warm", "impl": "pread", "ratio_median": ratio_median,
                 "ci95": ci95, "pairs": 6, "noise_floor": noise}
        return self.load({"schema": results_module.SCHEMA, "ratios": [ratio]}).ratios[0]

    def test_verdicts(self):
        for ci95, word in (([0.98, 1.07], "fio's equal"), ([1.01, 1.2], "above"),
                           ([0.7, 0.99], "below"), ([1.0, 1.1], "fio's equal"),
                           ([0.9, 1.0], "fio's equal"), (None, "no interval")):
            self.assertEqual(self.verdict(ci95).verdict, word, ci95)
        self.assertEqual(self.verdict(None, None).verdict, "not measured")

    def test_noise(self):
        noise = {"ratio_median": 1.0, "ci95": [0.95, 1.06], "pairs": 6}
        self.assertTrue(self.verdict([1.01, 1.04], 1.03, noise).inside_noise)
        self.assertFalse(self.verdict([1.1, 1.2], 1.15, noise).inside_noise)
        self.assertIsNone(self.verdict([1.1, 1.2], 1.15).inside_noise)

    def test_verdicts_reach_the_page_and_the_summary(self):
        data = fixture.full()
        key = ("random_warm", "pread")
        for ratio in data["ratios"]:
            below = (ratio["workload"], ratio["impl"]) == key
            ratio.update(ratio_median=0.5 if below else 1.0,
                         ci95=[0.4, 0.6] if below else [0.9, 1.1])
        html = self.page(data)
        self.assertEqual(html.count('class="verdict below"'), 1)
        self.assertIn("0 lie above and 1 below; lowest is random read, warm: pread at 0.50", html)


class Said(Case):
    """Sentences follow the data: another run, other words."""

    def row(self, **changes):
        rate = changes.pop("rate")
        figures = {"ops_per_second": rate, "p50_ns": 1e3,
                   "p99_ns": changes.pop("p99_ns", 2e3), "cpu_ns_per_op": 500}
        rounds = [dict(figures, ops_per_second=rate * f) for f in (0.99, 1, 1.01)]
        return {"workload": "random_warm", "impl": "pread", "variant": "", "depth": 1,
                "threads": 1, "batch": 0, "page_bytes": 4096, "available": True,
                "rounds": rounds, "median": figures, **changes}

    def run_of(self, *rows):
        return self.load({"schema": results_module.SCHEMA, "rows": list(rows)})

    def test_the_fastest_is_named_with_its_factor(self):
        for fast, slow in (("mmap", "pread"), ("pread", "mmap")):
            said = findings.overview(self.run_of(self.row(impl=fast, rate=3e6),
                                                 self.row(impl=slow, rate=1e6)))
            self.assertEqual(said, [f"Random read, warm: {fast} (3.00 M/s) is fastest, 3.00× the"
                                    f" next, {slow} (1.00 M/s)."])

    def test_rounds_that_overlap_name_no_winner(self):
        said = findings.overview(self.run_of(self.row(impl="mmap", rate=1.01e6),
                                             self.row(rate=1e6)))
        self.assertIn("its rounds overlap those of pread", said[0])

    def test_touch_is_never_ranked(self):
        said = findings.overview(self.run_of(self.row(impl="mmap", variant="touch", rate=3e7),
                                             self.row(impl="mmap", variant="sum", rate=2e6),
                                             self.row(rate=1e6)))
        self.assertIn("mmap sum (2.00 M/s) is fastest", said[0])
        self.assertIn("mmap touch reads one word", said[0])

    def test_depth(self):
        rows = [self.row(workload="random_cold", impl="uring", variant="direct", depth=d, rate=r,
                         p99_ns=p) for d, r, p in ((1, 1e4, 1e5), (32, 5e4, 6e5), (128, 55e3, 3e6))]
        said = findings.depth(self.run_of(*rows))[0]
        self.assertIn("32 in flight give 5.00× the reads per second of 1", said)
        self.assertIn("p99 grows 6.00× (100 µs to 600 µs)", said)
        self.assertIn("going on to 128 adds 10 % and p99 grows 5.00× again", said)

    def test_batch(self):
        rows = [self.row(workload="durable_write", batch=batch, rate=rate)
                for batch, rate in ((1, 7e3), (64, 35e3))]
        self.assertIn("5.00× for pread", findings.batch(self.run_of(*rows))[0])

    def test_batch_is_compared_at_the_same_depth(self):
        rows = [self.row(workload="durable_write", impl="uring", variant="direct", batch=batch,
                         depth=depth, rate=rate)
                for batch, depth, rate in ((1, 1, 7e3), (64, 1, 14e3), (64, 32, 70e3))]
        said = findings.batch(self.run_of(*rows))
        self.assertIn("2.00× for", said[0])
        self.assertNotIn("10.00×", " ".join(said))
        self.assertIn("5.00×", said[1])

    def test_modes(self):
        row = self.row(rate=1e4)
        row["rounds"] = [{"ops_per_second": r} for r in (100, 151, 101, 150, 149)]
        self.assertEqual(selection.modes(self.run_of(row).rows[0]), ([100, 101], [149, 150, 151]))

    def test_a_pool_counts_threads_and_a_ring_depth(self):
        pool, ring = self.run_of(self.row(variant="pool", depth=8, threads=8, rate=1),
                                 self.row(impl="uring", depth=8, threads=2, rate=1)).rows
        self.assertEqual((pool.concurrency, ring.concurrency), (8, 16))

    def test_the_copy_is_answered_from_the_data(self):
        data = {"buffered_ops_per_second": 1e4, "direct_ops_per_second": 1e4,
                "buffered_cpu_ns_per_op": 8e3, "direct_cpu_ns_per_op": 6e3,
                "copy_ns_per_page": 200}
        said = " ".join(findings.copy({"copy": data}))
        self.assertIn("In rate, yes", said)
        self.assertIn("In CPU time, no", said)
        self.assertIn("10 % of the CPU time by which they differ", said)
        data["direct_ops_per_second"] = 2e4
        self.assertIn("In rate, no", " ".join(findings.copy({"copy": data})))

    def test_published_figures_name_counterparts_that_exist(self):
        full = self.load(fixture.full())
        for item in (*published.FIGURES, *published.PROPORTIONS):
            self.assertIsNotNone(comparison.beside(full, item.counterpart), item)
        share = comparison.beside(full, "one_of_peak")
        self.assertAlmostEqual(share.value, 1 / 6, delta=0.02)

    def test_guest_cold_is_said_of_a_virtual_disk_only(self):
        self.assertIn("guest-cold", comparison.host_cache({"device": "vda"}))
        self.assertNotIn("guest-cold", comparison.host_cache({"device": "nvme0n1"}))


class Drawn(unittest.TestCase):
    def test_a_curve_ends_where_the_tail_is_thin(self):
        points = figure_latency.curve(((100, 900), (200, 90), (400, 9), (800, 1)))
        self.assertEqual([x for x, _ in points], [100, 200])
        self.assertAlmostEqual(points[0][1], 1)
        self.assertAlmostEqual(points[1][1], 2)

    def test_a_curve_of_one_latency_is_upright(self):
        (low, begin), (high, end) = figure_latency.curve(((815, 10000),))
        self.assertEqual((low, high, begin), (815, 815, 0))
        self.assertAlmostEqual(end, 3)

    def test_numbers_as_read(self):
        for value, text in ((776e3, "776 K"), (1.54e6, "1.54 M"), (999.9e3, "1.00 M"),
                            (12, "12.0"), (0, "0"), (None, "—")):
            self.assertEqual(units.compact(value), text)
        for value, text in ((28, "28 ns"), (1100, "1.10 µs"), (999.9e3, "1.00 ms"), (None, "—")):
            self.assertEqual(units.duration(value), text)
        self.assertEqual(units.bound(1.0043), "1.004")
        self.assertEqual(units.bound(1), "1.00")
        self.assertEqual(units.percent(0.999), "> 99 %")


class Placement(unittest.TestCase):
    """Where single threads ran, or why that was not chosen."""

    def test_of_a_run_with_rows(self):
        import tables
        chosen = {"cpu": 1, "direct_reads_per_second": {"0": 10900, "1": 15200}, "reason": ""}
        self.assertEqual(tables.placement(chosen), "on CPU 1, nearest the disk (direct reads/s:"
                                                   " CPU 0 10.9 K, CPU 1 15.2 K)")
        refused = dict(chosen, cpu=None, reason="one core only")
        self.assertEqual(tables.placement(refused),
                         "where the scheduler puts them: one core only")

    def test_of_a_run_without_rows(self):
        import tables
        none = {"cpu": None, "direct_reads_per_second": {}, "reason": ""}
        self.assertEqual(tables.placement(none), "none were measured")


if __name__ == "__main__":
    unittest.main()
