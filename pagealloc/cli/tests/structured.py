"""Structured files through the `pagealloc` command: made, filled, freed, given back, looked at, and
what is said of damage. Run by cli_test.py."""

import json
import os
import random
import re
import subprocess

import case
import format_doc
from case import (CANNOT_OPEN, DAMAGED, HANG_S, IO, LAST, NOT_AVAILABLE, OK, PAGE, REFUSED, CliTest,
                  drawn_pages, each_impl, run, text)

SIZES = [512 << i for i in range(8)]


def lines_of(seed, count, longest=60):
    draw = random.Random(seed)
    return [bytes(draw.choices(b"abcdefgh ", k=draw.randrange(longest))) for _ in range(count)]


def joined(lines):
    return b"".join(line + b"\n" for line in lines)


class StructuredTest(CliTest):
    def formatted(self, *args, name="s.pa"):
        file = self.dir / name
        self.ok("format", file, *args)
        return file

    def filled(self, page_bytes=PAGE):
        """Records, some too large for a page, and pairs."""
        file = self.formatted("--page-size", page_bytes, name=f"{page_bytes}.pa")
        lines = [*lines_of(1, 300), b"", b"x" * 3 * page_bytes, b"y" * page_bytes]
        self.ok("load", file, input=joined(lines))
        pairs = [(b"key/%06d" % i, line) for i, line in enumerate(lines_of(2, 200))]
        pairs.append((b"key/large", b"z" * 2 * page_bytes))
        self.ok("load", file, "--sorted", input=joined(b"\t".join(pair) for pair in pairs))
        return file, lines, pairs

    def inspected(self, file, page):
        return json.loads(run("inspect", file, page, "--json").stdout)

    def verified(self, file, impl="pread"):
        return json.loads(self.ok("verify", file, "--json", "--impl", impl))

    def pages_of(self, file, condition):
        return [page for page, drawn in enumerate(drawn_pages(file)) if drawn == (condition, page)]

    def corrupt(self, file, offset, mask=0x10):
        data = bytearray(file.read_bytes())
        data[offset] ^= mask
        file.write_bytes(data)


class RoundTrips(StructuredTest):
    @each_impl
    def test_what_was_loaded_is_there(self, impl):
        file = self.dir / f"{impl}.pa"
        self.assertRegex(self.ok("format", file, "--impl", impl).decode(),
                         rf"^{re.escape(str(file))}: formatted, \d+ pages of 4096 bytes, 5 in use, "
                         r"durable\n$")
        lines = [*lines_of(3, 500), b"x" * 9000]
        out = self.ok("load", file, "--impl", impl, input=joined(lines)).decode()
        self.assertRegex(out, r"501 records in \d+ slotted pages, and 3 pages for those that are "
                              r"too large; commit 1, durable\n$")
        found = format_doc.File(file.read_bytes(), format_doc.Document()).all()[0]
        self.assertEqual(found, lines)
        counts = self.verified(file, impl)["counts"]
        self.assertEqual((counts["overflow"], counts["damaged"], counts["superblock"]), (3, 0, 4))

    def test_nothing_is_loaded_in_part(self):
        file, _, _ = self.filled()
        before = self.ok("verify", file), self.ok("map", file)
        for lines, cause in ((b"a\t1\nb\n", "line 2: no tab"), (b"a\t1\na\t2\n", "line 2: its key"),
                             (b"k" * 1025 + b"\t1\n", "line 1: a key of 1025 bytes, where 1024")):
            self.fails(REFUSED, cause + ".*; nothing was loaded", "load", file, "--sorted",
                       input=lines)
            self.assertEqual((self.ok("verify", file), self.ok("map", file)), before)

    def test_an_input_that_fails_is_not_its_end(self):
        file, _, _ = self.filled()
        before = self.ok("verify", file)
        descriptor = os.open(self.dir, os.O_RDONLY)  # a directory cannot be read
        self.addCleanup(os.close, descriptor)
        self.fails(IO, "cannot read the standard input", "load", file, stdin=descriptor)
        self.assertEqual(self.ok("verify", file), before)

    def test_one_writer_at_a_time(self):
        file, _, _ = self.filled()
        writer = subprocess.Popen([case.binary, "load", file], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.addCleanup(writer.stdout.close)
        writer.stdin.write(b"x\n" * 10**6)  # more than a pipe holds: it has opened the file
        writer.stdin.flush()
        for command in (("load", file), ("compact", file), ("free", file, 5), ("punch", file, 30)):
            self.fails(CANNOT_OPEN, "another process is reading it or writing to it", *command)
        for command in (("verify", file), ("map", file), ("inspect", file), ("inspect", file, 5)):
            self.fails(CANNOT_OPEN, "another process is writing to it", *command)
        writer.stdin.close()
        self.assertEqual(writer.wait(HANG_S), OK)
        self.assertEqual(self.verified(file)["commit"], 3)

    def test_a_page_for_a_browser_replaces_regular_files_only(self):
        file, _, _ = self.filled()
        link, target = self.dir / "link", self.dir / "target"
        target.write_bytes(b"keep")
        link.symlink_to(target)
        for out in (link, self.dir, "/dev/null"):
            self.fails(REFUSED, "exists and is no regular file", "inspect", file, "--html", out)
        self.fails(REFUSED, "this is the file itself", "inspect", file, "--html", file)
        self.assertTrue(link.is_symlink() and target.read_bytes() == b"keep")
        self.ok("inspect", file, "--html", target)
        self.assertIn(b"<!doctype html>", target.read_bytes())
        self.corrupt(file, 5 * PAGE + 99)
        self.fails(DAMAGED, "1 violation", "inspect", file, "--html", target, out=None)

    def test_format_takes_nothing_that_is_there(self):
        file, _, _ = self.filled()
        before = file.read_bytes()
        self.fails(CANNOT_OPEN, r"exists already and holds \d+ bytes; nothing was changed",
                   "format", file)
        self.assertEqual(file.read_bytes(), before)
        new = self.dir / "new.pa"
        self.fails(REFUSED, "page size 1000 is not", "format", new, "--page-size", 1000)
        self.assertFalse(new.exists())

    def test_what_is_no_structured_file(self):
        raw = self.dir / "raw.pa"
        self.ok("write", raw, 3, "hello")
        before = raw.read_bytes()
        for command in (("verify", raw), ("map", raw), ("inspect", raw), ("inspect", raw, 0),
                        ("free", raw, 0), ("compact", raw), ("load", raw),
                        ("inspect", raw, "--html", self.dir / "x.html")):
            self.fails(REFUSED, r"raw\.pa: no superblock in it: this is no file of structured pages",
                       *command)
            self.fails(CANNOT_OPEN, "No such file", command[0], self.dir / "no.pa", *command[2:])
        self.assertEqual(raw.read_bytes(), before)
        self.assertEqual([path.name for path in self.dir.iterdir()], ["raw.pa"])


class Freeing(StructuredTest):
    @each_impl
    def test_free_once(self, impl):
        file = self.formatted("--impl", impl, name=f"{impl}.pa")
        self.ok("load", file, "--impl", impl, input=joined([b"x" * 9000]))
        run_begin = self.pages_of(file, "overflow")[0]
        referrer = self.pages_of(file, "slotted")[0]
        for page, cause in ((0, "superblock"), (run_begin + 1, "inside of a run"), (LAST, "there are 16 pages")):
            self.fails(REFUSED, rf"page {page}.*{cause}", "free", file, page, "--impl", impl)
        out = self.ok("free", file, run_begin, "--impl", impl).decode()
        self.assertIn(f"freed pages {run_begin} to {run_begin + 2}, commit 2", out)
        self.fails(REFUSED, rf"page {run_begin} .*free already", "free", file, run_begin,
                   "--impl", impl)
        # Whatever refers to it is said to, and is not in the way.
        self.fails(DAMAGED, r"1 violation$", "verify", file, out=None)
        self.ok("free", file, referrer, "--impl", impl)
        self.assertEqual(self.verified(file)["violations"], [])

    @each_impl
    def test_space_goes_back(self, impl):
        """punch, verify, du: blocks go down, the file verifies, punched pages are known as such."""
        file = self.formatted("--impl", impl, name=f"{impl}.pa")
        self.ok("load", file, input=joined(bytes(1000).replace(b"\0", b"r") for _ in range(400)))
        pages = self.pages_of(file, "slotted")
        gone, kept = pages[10:60], pages[:10] + pages[60:]
        for page in gone:
            self.ok("free", file, page)
        full = file.stat().st_blocks
        before = format_doc.File(file.read_bytes(), format_doc.Document()).all()[0]
        gone = gone[10:]  # the first ones the map has moved to
        out = self.ok("punch", file, gone[0], 20, "--impl", impl).decode()
        self.assertIn("punched", out)
        some = file.stat().st_blocks
        self.assertLessEqual(some, full - 20 * PAGE // 512 + 16)  # and a new place for the map
        counts = self.verified(file)["counts"]
        self.assertEqual((counts["punched"], counts["slotted"]), (20, len(kept)))
        self.assertEqual(self.inspected(file, gone[0])["state"], "punched")
        self.ok("compact", file, "--impl", impl)
        self.assertLessEqual(file.stat().st_blocks, full - 40 * PAGE // 512 + 16)
        self.assertGreaterEqual(self.verified(file)["counts"]["punched"], 40)
        parsed = format_doc.File(file.read_bytes(), format_doc.Document())
        self.assertEqual(parsed.all()[0], before)
        # And is taken again, with blocks, before the file grows.
        length = file.stat().st_size
        self.ok("load", file, input=joined(bytes(1000).replace(b"\0", b"s") for _ in range(40)))
        self.assertEqual(file.stat().st_size, length)
        self.assertEqual(self.verified(file)["counts"]["damaged"], 0)

    def test_pages_in_use_are_not_punched(self):
        file, lines, _ = self.filled()
        before = file.read_bytes()
        page = self.pages_of(file, "slotted")[0]
        for first, count in ((page, 1), (0, 1), (page - 1, 2)):
            self.fails(REFUSED, r"page \d+ \(offset \d+\): .*in use", "punch", file, first, count)
        self.assertEqual(file.read_bytes(), before)

    def test_compact_cuts_off_the_end(self):
        file, _, _ = self.filled()
        pages = [page for condition in ("node", "slotted", "overflow")
                 for page in self.pages_of(file, condition)]
        for page in pages:
            self.ok("free", file, page)
        self.ok("compact", file)
        shown = self.verified(file)
        self.assertEqual(file.stat().st_size, shown["pages"] * PAGE)
        self.assertLess(shown["pages"], 10)
        self.assertEqual(shown["counts"]["slotted"] + shown["counts"]["node"], 0)


class Damage(StructuredTest):
    def test_any_byte_of_a_page_in_use(self):
        """The file's own test tries every byte; here is what a person is told."""
        file, _, _ = self.filled()
        whole = file.read_bytes()
        draw = random.Random(4)
        for condition in ("map", "slotted", "node", "overflow"):
            for page in self.pages_of(file, condition)[:1]:
                offset = page * PAGE + draw.randrange(PAGE)
                self.corrupt(file, offset)
                named = rf"page {page} \(offset {page * PAGE}\): .*checksum [0-9a-f]{{8}}, but"
                result = run("verify", file)
                self.assertEqual(result.returncode, DAMAGED, text(result))
                self.assertRegex((result.stdout + result.stderr).decode(), named)
                self.fails(DAMAGED, named, "inspect", file, page, out=None)
                self.assertIn(b"DAMAGED", run("inspect", file, page).stdout)
                self.fails(DAMAGED, "1 violation", "map", file, out=None)
                self.assertEqual(drawn_pages(file)[page], ("damaged", page))
                report = json.loads(run("verify", file, "--json").stdout)
                self.assertEqual([v["page"] for v in report["violations"]], [page])
                file.write_bytes(whole)

    def test_a_page_in_another_ones_place(self):
        file, _, _ = self.filled()
        data = bytearray(file.read_bytes())
        one, other = self.pages_of(file, "slotted")[:2]
        data[other * PAGE:(other + 1) * PAGE] = data[one * PAGE:(one + 1) * PAGE]
        file.write_bytes(data)
        result = run("verify", file)
        self.assertEqual(result.returncode, DAMAGED, text(result))
        self.assertIn(f"page {other} (offset {other * PAGE + 8}): these are the bytes of page {one}",
                      result.stdout.decode())

    def test_a_superblock_is_mended_from_the_others(self):
        for page in range(4):
            file, lines, _ = self.filled(512 << page)
            size = 512 << page
            self.corrupt(file, page * size + 200)
            self.fails(DAMAGED, "1 violation", "verify", file, out=None)
            self.ok("load", file, input=b"one more\n")  # writes, so it mends
            self.assertEqual(self.verified(file)["violations"], [])
            found = format_doc.File(file.read_bytes(), format_doc.Document()).all()[0]
            self.assertEqual(sorted(found), sorted([*lines, b"one more"]))

    def test_a_page_size_that_rotted_is_not_believed(self):
        file, lines, _ = self.filled()
        offset, _ = format_doc.Document().fields("Superblock")["page bytes"]
        for byte, value in ((1, 0x20), (1, 0x02), (1, 0), (2, 1)):
            data = bytearray(file.read_bytes())
            was = data[offset + byte]
            data[offset + byte] = value
            file.write_bytes(data)
            self.fails(DAMAGED, "1 violation", "verify", file, out=None)
            self.assertEqual(self.inspected(file, 5)["condition"], "slotted")
            data[offset + byte] = was
            file.write_bytes(data)

    def test_a_file_that_was_cut_off(self):
        file, _, _ = self.filled()
        pages = self.verified(file)["pages"]
        os.truncate(file, (pages - 1) * PAGE)
        result = run("verify", file)
        self.assertEqual(result.returncode, DAMAGED, text(result))
        self.assertRegex(result.stdout.decode(), rf"the file was cut off: .* {pages} pages, and here "
                                                 rf"are {pages - 1}")
        self.assertRegex(result.stdout.decode(), r" [1-9]\d* slotted, .* unknown")

    def test_a_damaged_map_hides_no_other_damage(self):
        file, _, _ = self.filled()
        whole = self.verified(file)
        pages = {condition: self.pages_of(file, condition)[0]
                 for condition in ("map", "slotted", "node", "overflow")}
        for page in pages.values():
            self.corrupt(file, page * PAGE + 100)
        listed = run("verify", file)
        self.assertEqual(listed.returncode, DAMAGED, text(listed))
        self.assertIn("this is a page of the free map", listed.stdout.decode().splitlines()[0])
        for page in pages.values():
            self.assertRegex(listed.stdout.decode(),
                             rf"(?m)page {page} \(offset {page * PAGE}\): .*checksum")
        result = run("verify", file, "--json")
        self.assertEqual(result.returncode, DAMAGED, text(result))
        report = json.loads(result.stdout)
        self.assertEqual(sorted(v["page"] for v in report["violations"]), sorted(pages.values()))
        self.assertEqual((report["commit"], report["pages"]), (whole["commit"], whole["pages"]))
        self.assertEqual(report["counts"]["slotted"], whole["counts"]["slotted"] - 1)
        self.assertEqual(report["counts"]["free"] + report["counts"]["punched"], 0)
        self.assertEqual(sum(report["counts"].values()), report["pages"])
        for page in pages.values():
            self.assertEqual(drawn_pages(file)[page], ("damaged", page))
        self.fails(DAMAGED, r"4 violations \(pagealloc verify lists them\)", "map", file, out=None)

    def test_without_any_superblock(self):
        file, _, _ = self.filled()
        whole = self.verified(file)
        for page in range(4):
            self.corrupt(file, page * PAGE + 2000)
        result = run("verify", file, "--json")
        self.assertEqual(result.returncode, DAMAGED, text(result))
        report = json.loads(result.stdout)
        self.assertIsNone(report["commit"])
        self.assertEqual([v["page"] for v in report["violations"]], [0, 1, 2, 3])
        self.assertEqual(report["counts"]["slotted"], whole["counts"]["slotted"])
        self.fails(DAMAGED, "no copy of its superblock is whole", "inspect", file, "--html",
                   self.dir / "out.html")


class OtherFormats(StructuredTest):
    """Superblocks made by the document's numbers, as another program would."""

    def refused(self, field, value, code, pattern, seal=True):
        file = self.formatted(name=f"{field}-{value}-{seal}.pa".replace(" ", "-"))
        document = format_doc.Document()
        offset, size = document.fields("Superblock")[field]
        behind = document.fields("Page header")["checksum"].bytes
        data = bytearray(file.read_bytes())
        for page in range(4):
            base = page * PAGE
            data[base + offset:base + offset + size] = value.to_bytes(size, "little")
            if seal:
                data[base:base + behind] = format_doc.crc32c(
                    data[base + behind:base + PAGE]).to_bytes(behind, "little")
        file.write_bytes(data)
        for command in (("inspect", file), ("load", file), ("compact", file)):
            self.fails(code, pattern, *command)
        verified = run("verify", file)
        self.assertEqual(verified.returncode, code)
        self.assertRegex((verified.stdout + verified.stderr).decode(), pattern)
        self.assertEqual(file.read_bytes(), bytes(data))

    def test_version(self):
        self.refused("version", 2, NOT_AVAILABLE, "format version 2, and only 1 is known")
        self.refused("version", 2, DAMAGED, "format version 2.*checksum", seal=False)

    def test_byte_order(self):
        self.refused("byte order", 0x0D0C0B0A, NOT_AVAILABLE, "in the other byte order")

    def test_features(self):
        bits = format_doc.Document().numbers("Superblock", "feature")
        self.refused("features", 1 << bits["encrypted"], NOT_AVAILABLE, "encrypted, which is not")
        self.refused("features", 1 << 63, NOT_AVAILABLE, "features 0x8000000000000000 are not known")

    def test_what_must_be_zero(self):
        self.refused("zero", 1, DAMAGED, "to be 0")
        self.refused("encryption", 1, DAMAGED, "to be 0")


class TheDocument(StructuredTest):
    def test_a_file_is_parsed_by_its_numbers(self):
        for page_bytes in SIZES:
            with self.subTest(page_bytes=page_bytes):
                file, lines, pairs = self.filled(page_bytes)
                found = format_doc.File(file.read_bytes(), format_doc.Document()).all()
                self.assertEqual(found[0], lines)
                self.assertEqual(found[1], sorted(pairs))
                counts = self.verified(file)["counts"]
                self.assertEqual(sum(state in ("used", "inside") for state in found[2]),
                                 sum(counts.values()) - counts["free"] - counts["punched"])

    def test_a_map_of_several_levels(self):
        file = self.formatted("--page-size", 512)
        self.ok("load", file, input=joined([b"x" * 512 * 4000]))  # more pages than two leaves have
        parsed = format_doc.File(file.read_bytes(), format_doc.Document())
        self.assertEqual(parsed.number("Superblock", "map levels", parsed.superblock), 2)
        records, _, states = parsed.all()
        self.assertEqual(records, [b"x" * 512 * 4000])
        self.assertEqual(states.count("inside"), 4000)

    def test_fields_are_what_inspect_shows(self):
        file, _, _ = self.filled()
        document = format_doc.Document()
        parsed = format_doc.File(file.read_bytes(), document)
        headings = {"superblock": "Superblock", "map": "Free map", "slotted": "Slotted page",
                    "node": "Node", "overflow": "Overflow run"}
        for condition, heading in headings.items():
            page = self.pages_of(file, condition)[0]
            shown = self.inspected(file, page)
            for structure in ("Page header", heading):
                for name, field in document.structures[structure]:
                    value = shown["fields"].get(name)
                    if value is None:  # zeros, and what has parts of its own
                        self.assertIn(name.split(",")[0], (
                            "zero", "header", "roots", "encryption", "slots", "states or entries",
                            "content"), f"{structure}: {name}")
                        continue
                    number = parsed.number(structure, name, page * PAGE)
                    if name == "identity":  # in two halves
                        continue
                    digits = (field.bytes or 0) * 2
                    self.assertIn(value.split()[0], (f"{number}", f"{number:0{digits}x}"),
                                  f"{structure}: {name}")

    def test_structures_have_no_gaps_and_are_drawn_as_they_are(self):
        document = format_doc.Document()
        self.assertGreater(len(document.structures), 10)
        for heading, fields in document.structures.items():
            with self.subTest(heading):
                at = fields[0][1].offset
                for name, field in fields:
                    self.assertEqual(field.offset, at, name)
                    at += field.bytes or 0
                drawn = [line[4:] for line in document.sections[heading]
                         if re.match(r"    +(\d|\+)", line)]
                if drawn:
                    self.assertEqual(drawn, format_doc.drawing(fields))
        whole = dict(document.structures["Superblock"])["encryption"]
        parts = [field for _, field in document.structures["Encryption in a superblock"]]
        self.assertEqual((parts[0].offset, sum(part.bytes for part in parts)), whole)

    def test_how_much_a_page_of_the_map_is_about(self):
        document = format_doc.Document()
        begin = document.fields("Free map")["states or entries"].offset
        entry = sum(field.bytes for field in document.fields("Entry of the free map").values())
        table = [row for table in format_doc.rows(document.sections["Entry of the free map"])
                 for row in table if row[0].isdigit() and len(row) == 3]
        self.assertEqual([[int(cell) for cell in row] for row in table],
                         [[size, (size - begin) * 4, (size - begin) // entry] for size in SIZES])

    def test_the_checksum_of_the_document(self):
        said = "\n".join(format_doc.Document().sections["Page header"])
        text_of, crc = re.search(r"`(\d+)` makes ([0-9a-f]{8})", said).groups()
        self.assertEqual(f"{format_doc.crc32c(text_of.encode()):08x}", crc)
