"""What the tests of the viewer share: a file with one of everything, its page in a browser, and
what that page says."""

import json
import os
import pathlib
import random
import re
import tempfile
import unittest

import browser
import case
from case import OK, PAGE, run, text

WIDE, NARROW = (1400, 1000), (400, 800)

chromium = browser.Browser()  # one for all tests; they begin() it
files = None                  # where their files are


def begin():
    global files
    files = tempfile.TemporaryDirectory(prefix="pagealloc-viewer-")
    unittest.addModuleCleanup(files.cleanup)
    unittest.enterModuleContext(chromium)


def directory():
    return pathlib.Path(files.name)


def pagealloc(*args, code=OK, **more):
    result = run(*args, cwd=files.name, **more)
    if result.returncode != code:
        raise AssertionError(text(result))
    return result.stdout


def lines_of_text(count, most):
    """Records of many lengths, always the same."""
    chance = random.Random(count)
    return "".join(f"record {i} {'x' * chance.randint(0, most)}\n" for i in range(count)).encode()


def make_file(name):
    """One of everything: records in pages and in runs of their own, nodes, holes, and damage."""
    pagealloc("format", "--", name)
    large = b"".join(b"%c" % letter * size + b"\n" for letter, size in ((76, 9000), (77, 30000)))
    pagealloc("load", "--", name, input=lines_of_text(1500, 110) + large)
    pairs = "".join(f"user:{i:06}\tvalue {i * 7}\n" for i in range(1500)).encode()
    pagealloc("load", "--sorted", "--", name, input=pairs)
    slotted = pages_of(name)["slotted"]
    hit = slotted[10]
    for page in slotted[4:8]:
        pagealloc("free", "--", name, page)
    for page in pages_of(name)["free"][-2:]:
        pagealloc("punch", "--", name, page)
    with open(directory() / name, "r+b") as file:
        file.seek(hit * PAGE + 3000)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def pages_of(name):
    """Page numbers by condition, as `pagealloc map` draws them; those inside of a run, with it."""
    pages = {condition: [] for condition in case.CONDITIONS.values()}
    for page, (condition, _) in enumerate(case.drawn_pages("--", name, cwd=files.name)):
        pages[condition].append(page)
    return pages


def write_html(name, out="out.html"):
    damaged = run("verify", "--", name, cwd=files.name).returncode
    pagealloc("inspect", "--html", out, "--", name, code=damaged)
    return (directory() / out).as_uri()


def number(shown):
    return int(re.match(r"[\d,]+", shown)[0].replace(",", ""))


class ViewerTest(unittest.TestCase):
    """A test begins with the file's map on the screen, and ends with a look for complaints."""

    @classmethod
    def setUpClass(cls):
        cls.name = f"{cls.__name__}.pa"
        cls.make()
        cls.url = write_html(cls.name, f"{cls.__name__}.html")
        cls.pages = pages_of(cls.name)

    @classmethod
    def make(cls):
        make_file(cls.name)

    def setUp(self):
        chromium.scheme("light")
        chromium.resize(*WIDE)
        self.open()

    def tearDown(self):
        self.assertEqual(chromium.happened("Runtime.exceptionThrown", "Runtime.consoleAPICalled",
                                           "Log.entryAdded"), [])

    def open(self, fragment=""):
        chromium.open("about:blank")  # or another fragment would not load the page again
        chromium.open(self.url + fragment)
        faults = chromium.happened("Runtime.exceptionThrown")
        self.assertIn("ready", self.data_of("html"), f"the script did not run to its end: {faults}")

    def js(self, expression):
        return chromium.js(expression)

    def text_of(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)}).textContent")

    def data_of(self, selector):
        return self.js(f"({{ ...document.querySelector({json.dumps(selector)}).dataset }})")

    def focused(self):
        return self.js("document.activeElement.id")

    def opened(self):
        """The page that is shown; None: only the map is."""
        page = self.data_of("#page").get("page")
        self.assertEqual(page is None, self.js("document.querySelector('#page').hidden"))
        self.assertEqual(page is not None, "#page=" in self.js("location.hash"))
        return None if page is None else int(page)

    def place_of(self, page, share=0.5):
        """Where the page's cell is on the screen: from how the map says that it is laid out."""
        map_ = {key: int(value) for key, value in self.data_of("#cells").items()}
        box = chromium.box("#cells")
        row, column = divmod(page, map_["columns"])
        top = self.js("document.querySelector('#scroll').scrollTop")
        x = map_["gutter"] + (column + share) * map_["cell"]
        y = map_["margin"] + (row + share) * map_["cell"] - top
        self.assertTrue(0 <= y < box["height"], f"page {page} is not in view")
        return box["x"] + x, box["y"] + y

    def click_page(self, page):
        chromium.click(*self.place_of(page))

    def colour_at(self, page):
        """Of the canvas, in a corner of the cell: as #rrggbb."""
        box = chromium.box("#cells")
        x, y = self.place_of(page, 0.08)
        red, green, blue, _ = self.js(f"""(() => {{
          const copy = new OffscreenCanvas(1, 1).getContext("2d", {{ willReadFrequently: true }});
          const cells = document.querySelector("#cells");
          copy.drawImage(cells, {-round(x - box["x"])}, {-round(y - box["y"])});
          return [...copy.getImageData(0, 0, 1, 1).data];
        }})()""")
        return f"#{red:02x}{green:02x}{blue:02x}"

    def colour_of(self, condition):
        return self.js(f"getComputedStyle(document.documentElement)"
                       f".getPropertyValue('--{condition}').trim()")

    def inspected(self, page):
        result = run("inspect", "--json", "--", self.name, page, cwd=files.name)
        return json.loads(result.stdout)

    def verified(self):
        return json.loads(run("verify", "--json", "--", self.name, cwd=files.name).stdout)

    def rows(self, table):
        """A table's body, as text; a row's data-name stands first."""
        return self.js(f"[...document.querySelectorAll('{table} tbody tr')].map(row => "
                       f"[...row.children].map(cell => cell.textContent))")

    def check_shown(self, page, violation=""):
        """What the browser shows of a page is what the command says of it."""
        told = self.inspected(page)
        self.assertEqual(self.opened(), page)
        known = dict(self.rows("#known"))
        self.assertEqual(number(known["offset"]), told["page"] * PAGE)
        self.assertEqual(number(known["bytes"]), told["run"] * PAGE)
        self.assertEqual(number(known["run"]), told["run"])
        self.assertEqual(known["condition"], told["condition"])
        self.assertEqual(known["transaction"], str(told["transaction"]))
        damage = told["damage"]
        mark = f"✗ damaged: {damage}" if damage else "✓ good"
        self.assertEqual(known["checksum"], f"{told['checksum']} {mark}")
        complaint = violation or damage
        self.assertEqual(self.text_of("#damage"), f"✗ {complaint}" if complaint else "")
        for name in ("slots", "heap bytes", "fragment bytes", "records", "record bytes", "level"):
            self.assertEqual(known.get(name), told["fields"].get(name), name)
        self.check_areas(told["areas"])

    def check_areas(self, areas):
        drawn = self.js("document.querySelectorAll('#drawing .area').length")
        self.assertEqual(drawn, len(areas))
        sums = {}
        for area in areas:
            count, size = sums.get(area["kind"], (0, 0))
            sums[area["kind"]] = (count + 1, size + area["bytes"])
        whole = sum(area["bytes"] for area in areas)
        expected = [[kind, count, size, f"{size / whole * 100:.1f} %"]
                    for kind, (count, size) in sums.items()]
        shown = [[kind.replace(" (free)", ""), number(count), number(size), share]
                 for kind, count, size, share in self.rows("#sums")]
        self.assertEqual(shown[:-1], expected)
        self.assertEqual(shown[-1], ["all", len(areas), whole, "100.0 %"])
        chromium.click_on("#tables summary", (0.05, 0.5))
        chromium.wait_for("document.querySelector('#tables details table')")
        listed = [[kind, slot, number(at), number(size)]
                  for kind, slot, at, size in self.rows("#tables details")]
        self.assertEqual(listed, [[area["kind"], str(area.get("slot", "")), area["offset"],
                                   area["bytes"]] for area in areas])
