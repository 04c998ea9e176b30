"""What `pagealloc inspect --html` writes, in a browser: it is clicked on, typed to and read.

    /usr/bin/python3 viewer_test.py PATH_OF_PAGEALLOC [unittest arguments]

Only the standard library, and a headless Chromium. Without one this test exits with 77, which is
skipped. What a page must show is what `pagealloc inspect FILE PAGE --json` says.
"""

import os
import re
import sys
import unittest
import urllib.parse

sys.dont_write_bytecode = True  # the source tree stays as it was

import browser
import case
import viewer_case
from case import PAGE
from viewer_case import (NARROW, ViewerTest, chromium, directory, lines_of_text, make_file, number,
                         pagealloc, write_html)

SKIPPED = 77


def setUpModule():
    viewer_case.begin()


class Mouse(ViewerTest):
    def test_a_click_opens_the_page_that_is_there(self):
        for condition, pages in self.pages.items():
            if condition in ("free", "punched"):
                continue
            for page in {*pages[:1], *pages[-1:]}:
                with self.subTest(condition=condition, page=page):
                    chromium.js("scrollTo(0, 0)")
                    self.click_page(page)
                    self.check_shown(page)

    def test_free_pages_say_so(self):
        for condition, words in (("free", "is free"), ("punched", "was punched")):
            self.click_page(self.pages[condition][0])
            self.assertIn(words, self.text_of("#no-drawing"))
            self.assertTrue(self.js("document.querySelector('#drawn').hidden"))
            self.assertIn(condition, self.text_of("#page-title"))

    def test_every_edge_of_a_cell_belongs_to_it(self):
        for page in (0, 1, self.pages["slotted"][3]):
            for share in (0.03, 0.97):
                chromium.mouse("mouseMoved", *self.place_of(page, share))
                chromium.settle()
                self.assertRegex(self.text_of("#told"), rf"^Page {page}: ")

    def test_a_slot_and_its_record(self):
        page = self.pages["slotted"][2]
        self.click_page(page)
        areas = self.inspected(page)["areas"]
        for slot in (0, 7):
            pair = [next(i for i, area in enumerate(areas)
                         if area["kind"] == kind and area["slot"] == slot)
                    for kind in ("slot", "record")]
            for chosen, partner in (pair, pair[::-1]):
                chromium.click_on(f'#drawing .area[data-area="{chosen}"]')
                self.assertEqual(self.data_of("#drawing .current")["area"], str(chosen))
                self.assertEqual(self.data_of("#drawing .linked")["area"], str(partner))
                area = areas[chosen]
                name = f"slot {slot}:" if area["kind"] == "slot" else f"record of slot {slot}:"
                self.assertTrue(self.text_of("#area").startswith(
                    f"{name} {area['bytes']} bytes at {area['offset']:,}, "), self.text_of("#area"))

    def test_an_area_is_as_wide_as_its_bytes(self):
        page = self.pages["slotted"][2]
        self.click_page(page)
        areas = self.inspected(page)["areas"]
        wide = self.js("[...document.querySelectorAll('#drawing .area')].map(area => "
                       "area.getBBox().width)")
        byte = wide[0] / areas[0]["bytes"]
        for area, width in zip(areas, wide):
            if area["kind"] == "slot":
                self.assertAlmostEqual(width, area["bytes"] * byte, delta=0.05)

    def test_zoom(self):
        cell = lambda: int(self.data_of("#cells")["cell"])
        fitted, page = cell(), self.pages["node"][-1]
        chromium.click_on("#smaller")
        self.assertLess(cell(), fitted)
        self.click_page(page)
        self.assertEqual(self.opened(), page)
        for _ in range(20):
            chromium.click_on("#smaller")
        self.assertEqual(cell(), 1)
        self.assertTrue(self.js("document.querySelector('#smaller').disabled"))
        at = dict(zip("xy", self.place_of(page)))
        for step in (1, 2):
            chromium.mouse("mouseWheel", **at, deltaX=0, deltaY=-120)
            chromium.wait_for(f"document.querySelector('#cells').dataset.cell > {step}")
        chromium.click_on("#larger")
        self.assertEqual(cell(), 4)
        chromium.click_on("#fit")
        self.assertEqual(int(self.data_of("#cells")["drawn"]), sum(map(len, self.pages.values())))

    def test_two_fingers_zoom(self):
        x, y = self.place_of(self.pages["node"][0])
        chromium.key("-", 2)
        cell = self.data_of("#cells")["cell"]
        touch = lambda kind, *at: chromium.call("Input.dispatchTouchEvent", type=kind, touchPoints=[
            {"x": x + dx, "y": y, "id": number} for number, dx in enumerate(at)])
        touch("touchStart", 0)
        touch("touchStart", 0, 30)
        for apart in (36, 42, 60):
            touch("touchMove", 0, apart)
        touch("touchEnd")
        chromium.settle()
        self.assertGreater(int(self.data_of("#cells")["cell"]), int(cell))
        self.assertIsNone(self.opened())

    def test_the_list_of_violations_leads_to_its_pages(self):
        violations = self.verified()["violations"]
        listed = self.js("[...document.querySelectorAll('#violations li')].map(one => "
                         "one.textContent)")
        self.assertEqual(listed, [f"Page {one['page']}, byte {one['offset']:,} of the file: "
                                  f"{one['cause']}" for one in violations])
        self.assertEqual(len(violations), 1)
        chromium.click_on("#violations button")
        self.check_shown(violations[0]["page"])


class Keyboard(ViewerTest):
    def to_map(self):
        for _ in range(40):
            if self.focused() == "cells":
                return
            chromium.key("Tab")
        self.fail("Tab never comes to the map")

    def selected(self):
        said = self.text_of("#live")
        page = int(self.data_of("#cells")["selected"])
        self.assertTrue(said.startswith(f"Page {page}: "), said)
        return page

    def test_a_page_without_a_mouse(self):
        self.to_map()
        page = self.pages["slotted"][2]
        chromium.key("ArrowRight", page)
        self.assertEqual(self.selected(), page)
        self.assertEqual(self.js("getComputedStyle(document.activeElement).outlineStyle"), "solid")
        chromium.key("Enter")
        self.assertEqual(self.focused(), "drawing")
        areas = self.inspected(page)["areas"]
        kinds = [area["kind"] for area in areas]
        chromium.key("ArrowRight", kinds.index("slot") + 1)
        self.assertEqual(self.data_of("#drawing .current")["area"], str(kinds.index("slot")))
        self.assertRegex(self.text_of("#live"), "^slot 0: 4 bytes at 40, ")
        chromium.key("Enter")
        self.assertRegex(self.text_of("#live"), "^record of slot 0: ")
        chromium.key("Home")
        self.assertRegex(self.text_of("#live"), "^header: 32 bytes at 0, ")
        chromium.key("End")
        self.assertEqual(self.data_of("#drawing .current")["area"], str(len(areas) - 1))
        self.check_shown(page)
        chromium.key("Escape")
        self.assertIsNone(self.opened())
        self.assertEqual(self.focused(), "cells")
        self.assertEqual(self.selected(), page)

    def test_moves_on_the_map(self):
        self.to_map()
        columns = int(self.data_of("#cells")["columns"])
        last = sum(map(len, self.pages.values())) - 1
        for key, page in (("ArrowLeft", 0), ("ArrowUp", 0), ("ArrowDown", columns),
                          ("ArrowRight", columns + 1), ("ArrowUp", 1), ("End", last),
                          ("ArrowRight", last), ("ArrowDown", last), ("ArrowLeft", last - 1),
                          ("Home", 0), ("PageDown", last), ("PageUp", 0)):
            chromium.key(key)
            reached = self.selected()
            if not key.startswith("Page"):
                self.assertEqual(reached, page, key)
        cell = int(self.data_of("#cells")["cell"])
        chromium.key("-", 2)
        self.assertLess(int(self.data_of("#cells")["cell"]), cell)
        chromium.key("+")
        chromium.key("0")
        self.assertEqual(int(self.data_of("#cells")["cell"]), cell)

    def test_goes_to_a_page(self):
        page = self.pages["damaged"][0]
        self.to_map()
        chromium.key("g")
        self.assertEqual(self.focused(), "go-page")
        for digit in str(page):
            chromium.key(digit)
        chromium.key("Enter")
        self.check_shown(page)
        chromium.key("g")
        chromium.key("9", 8)
        chromium.key("Enter")
        self.assertRegex(self.text_of("#live"), "^There is no page 99999999: the last is ")
        self.assertEqual(self.opened(), page)

    def test_every_control_has_a_name_and_can_be_reached(self):
        chromium.key("g")
        chromium.key("7")
        chromium.key("Enter")
        reached = set()
        for _ in range(60):
            chromium.key("Tab")
            reached.add(self.js("document.activeElement.id || document.activeElement.textContent"))
        for name in ("cells", "drawing", "go-page", "smaller", "fit", "close", "before", "after"):
            self.assertIn(name, reached)
        nameless = self.js("""
            [...document.querySelectorAll("button, input, canvas[tabindex], svg[role]")]
              .filter(one => !(one.textContent.trim() || one.ariaLabel || one.labels?.length ||
                               one.getAttribute("aria-labelledby")))
              .map(one => one.outerHTML)""")
        self.assertEqual(nameless, [])


class Document(ViewerTest):
    def test_counts_are_those_of_verify(self):
        told = self.verified()
        shown = self.js("[...document.querySelectorAll('#legend button')].map(one => "
                        "[one.dataset.condition, one.querySelector('.count').textContent])")
        self.assertEqual([[name, number(count)] for name, count in shown],
                         [[name, count] for name, count in told["counts"].items()])
        self.assertEqual({name: len(pages) for name, pages in self.pages.items()}, told["counts"])
        fact = lambda name: self.text_of(f'#facts [data-name="{name}"] dd')
        free = told["counts"]["free"] + told["counts"]["punched"]
        for name, count in (("page size", PAGE), ("pages", told["pages"]), ("free", free),
                            ("in use", told["pages"] - free), ("commit", told["commit"]),
                            ("punched", told["counts"]["punched"])):
            self.assertEqual(number(fact(name)), count, name)
        self.assertEqual(fact("violations"), f"✗ {len(told['violations'])}")

    def test_each_cell_has_its_conditions_colour_in_both_schemes(self):
        for scheme in ("light", "dark"):
            chromium.scheme(scheme)
            for condition, pages in self.pages.items():
                for page in pages[-1:]:
                    with self.subTest(scheme=scheme, condition=condition):
                        self.assertEqual(self.colour_at(page), self.colour_of(condition))

    def test_dark(self):
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        light = self.js(ground)
        chromium.scheme("dark")
        bright = [sum(map(int, re.findall(r"\d+", colour))) for colour in (light, self.js(ground))]
        self.assertGreater(bright[0], 600)
        self.assertLess(bright[1], 150)

    def test_no_wider_than_a_phone(self):
        chromium.resize(*NARROW, mobile=True)
        for condition in ("slotted", "node", "overflow", "damaged", "free"):
            self.open(f"#page={self.pages[condition][-1]}")
            self.assertEqual(self.opened(), self.pages[condition][-1])
            self.assertEqual(self.js("[document.documentElement.scrollWidth, innerWidth]"),
                             [NARROW[0], NARROW[0]])
        self.click_page(self.pages["node"][0])
        self.check_shown(self.pages["node"][0])
        self.assertLess(chromium.box("#page-title")["y"], NARROW[1] / 2)

    def test_the_address_names_the_page(self):
        page = self.pages["overflow"][-1]
        self.open(f"#page={page}")
        self.check_shown(page)
        chromium.click_on("#close")
        self.assertIsNone(self.opened())
        self.js("history.back()")
        chromium.wait_for("!document.querySelector('#page').hidden")
        self.assertEqual(self.opened(), page)
        self.click_page(0)
        self.assertEqual(self.js("location.hash"), "#page=0")
        self.js("location.hash = '#page=5'")
        chromium.wait_for("document.querySelector('#page').dataset.page === '5'")
        for wrong in ("#page=99999999", "#page=x", "#page=-1", "#page="):
            self.open(wrong)
            self.assertTrue(self.js("document.querySelector('#page').hidden"))

    def test_asks_the_network_for_nothing(self):
        self.click_page(self.pages["slotted"][2])
        asked = [sent["request"]["url"] for sent in chromium.happened("Network.requestWillBeSent")]
        self.assertEqual([url for url in asked if url.split(":")[0] != "data"], [self.url])
        refused = self.js("fetch('http://127.0.0.1:9/').then(() => 'allowed', one => one.name)")
        self.assertEqual(refused, "TypeError")
        said = chromium.happened("Log.entryAdded", "Runtime.consoleAPICalled")
        self.assertTrue(any("Content Security Policy" in str(one) for one in said), said)
        chromium.events.clear()  # these complaints were asked for


class Whole(ViewerTest):
    """A violation in a page that is no damage of it: its reference leads to nothing."""

    @classmethod
    def make(cls):
        pagealloc("format", cls.name)
        pagealloc("load", cls.name, input=b"small\n" + b"L" * 9000 + b"\n")
        pagealloc("free", cls.name, viewer_case.pages_of(cls.name)["overflow"][0])

    def test_is_told_of_and_marked(self):
        violation, = self.verified()["violations"]
        page = violation["page"]
        self.assertEqual(self.text_of("#legend .whole"), "whole, with a violation 1")
        self.click_page(page)
        self.check_shown(page, violation["cause"])
        reference = [area["kind"] for area in self.inspected(page)["areas"]].index("reference")
        chromium.click_on(f'#drawing .area[data-area="{reference}"]')
        self.assertRegex(self.text_of("#area"), "^reference of slot 1: 16 bytes at ")


class Unmapped(ViewerTest):
    """A file whose free map is damaged: what can be told of it is, and no more."""

    @classmethod
    def make(cls):
        make_file(cls.name)
        with open(directory() / cls.name, "r+b") as file:
            file.seek(viewer_case.pages_of(cls.name)["map"][0] * PAGE + 99)
            file.write(b"\xa5")

    def test_what_is_in_use_is_unknown(self):
        told = self.verified()
        self.assertGreater(told["counts"]["unknown"], 0)
        self.assertEqual({name: len(pages) for name, pages in self.pages.items()}, told["counts"])
        fact = lambda name: self.text_of(f'#facts [data-name="{name}"] dd')
        self.assertEqual((fact("free"), fact("punched")), ("unknown", "unknown"))
        self.assertEqual(fact("violations"), f"✗ {len(told['violations'])}")

    def test_its_pages_are_opened(self):
        causes = {told["page"]: told["cause"] for told in self.verified()["violations"]}
        self.assertEqual(len(causes), 2)
        for condition in ("damaged", "slotted", "node", "overflow", "superblock"):
            # Inside of a run `inspect` cannot tell, without the map, which one it is.
            for page in self.pages[condition][:1 if condition == "overflow" else 2]:
                with self.subTest(condition=condition, page=page):
                    self.click_page(page)
                    self.check_shown(page, causes.get(page))
        page = self.pages["unknown"][0]
        self.click_page(page)
        self.assertIn("Nobody can tell", self.text_of("#no-drawing"))
        self.assertEqual(self.colour_at(page), self.colour_of("unknown"))


class Names(ViewerTest):
    """What the file is called is text, whatever is in it."""

    HOSTILE = ("</script><b>bold</b>", "<!--<script>", "\"'&amp;`${1}", "@DATA@", "back\\slash\n",
               "\u2028\u202e", "-->]]>")

    @classmethod
    def make(cls):
        pagealloc("format", cls.name)

    def test_names_are_shown_as_they_are(self):
        content = (directory() / self.name).read_bytes()
        for name in self.HOSTILE:
            with self.subTest(name=name):
                # A slash ends a directory's name.
                path = directory() / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self.url = write_html(name, "hostile.html")
                self.open()
                self.assertEqual(self.text_of("#file"), name)
                self.assertEqual(self.js("document.querySelectorAll('b').length"), 0)
                self.assertEqual(self.data_of("#cells")["drawn"], "16")


class Large(ViewerTest):
    """Ten thousand pages: how long it takes is told, how much is done is tested."""

    @classmethod
    def make(cls):
        pagealloc("format", cls.name)
        pagealloc("load", cls.name, input=lines_of_text(560_000, 110))

    def test_a_large_file_opens_at_once(self):
        pages = sum(map(len, self.pages.values()))
        self.assertGreater(pages, 10_000)
        state = self.data_of("html")
        size = os.path.getsize(urllib.parse.urlparse(self.url).path)
        print(f"\n{pages} pages, {size / 1e6:.1f} MB of HTML: the map was drawn "
              f"{state['ready']} ms after the navigation began", file=sys.stderr)
        self.assertEqual(int(self.data_of("#cells")["drawn"]), pages)
        self.assertEqual(state["decoded"], "0")  # nobody has opened any
        page = self.pages["slotted"][-1]
        self.click_page(page)
        self.check_shown(page)
        self.assertEqual(self.data_of("html")["decoded"], "1")

    def test_moves_and_draws_only_what_is_in_view(self):
        self.js("document.querySelector('#cells').focus()")
        chromium.key("+", 4)
        drawn = int(self.data_of("#cells")["drawn"])
        self.assertLess(drawn, 10_000)
        chromium.key("End")
        last = sum(map(len, self.pages.values())) - 1
        self.assertEqual(int(self.data_of("#cells")["selected"]), last)
        self.assertEqual(self.colour_at(last - 1), self.colour_of("free"))
        top = self.js("document.querySelector('#scroll').scrollTop")
        x, y = self.place_of(last)
        chromium.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        for step in (40, 80, 120):
            chromium.mouse("mouseMoved", x, y + step, button="left", buttons=1)
        chromium.mouse("mouseReleased", x, y + 120, button="left", clickCount=1)
        chromium.settle()
        self.assertEqual(self.js("document.querySelector('#scroll').scrollTop"), top - 120)
        self.assertIsNone(self.opened())  # to drag is not to click


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    case.prepare(sys.argv.pop(1))
    if not browser.installed():
        print("not available here: chromium is not installed")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
