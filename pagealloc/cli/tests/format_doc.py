"""docs/format.md, read by a program: its tables, and a parser that knows nothing else.

The parser takes every offset, size and number from the page, so that a wrong one there is a test
that fails here. Only the lists of what is where (a superblock leads to the map, a slot to a record)
are its own.
"""

import collections
import pathlib
import re

DOC = pathlib.Path(__file__).resolve().parents[3] / "docs" / "format.md"

Field = collections.namedtuple("Field", "offset bytes")  # bytes is None: to the end


def sections(text):
    """Heading -> the lines under it."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            lines = found[line.lstrip("# ")] = []
        elif found:
            lines.append(line)
    return found


def rows(lines):
    """Each table of a section as a list of rows; the first has the columns' names."""
    tables = [[]]
    for line in lines:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not set(cells[0]) <= set("-"):
                tables[-1].append(cells)
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


class Document:
    def __init__(self, text=None):
        self.sections = sections(text if text is not None else DOC.read_text(encoding="utf-8"))
        self.structures = {}  # heading -> list of (name, Field)
        for heading, lines in self.sections.items():
            for table in rows(lines):
                if table[0][:3] == ["offset", "bytes", "field"]:
                    self.structures[heading] = [
                        (name, Field(int(offset), None if size == "rest" else int(size)))
                        for offset, size, name, _ in table[1:]]

    def fields(self, heading):
        return dict(self.structures[heading])

    def numbers(self, heading, column):
        """{name: number} of a table whose columns are number or bit, and name."""
        for table in rows(self.sections[heading]):
            if table[0][1] == column:
                return {name: int(number) for number, name, *_ in table[1:]}
        raise KeyError(column)

    def said(self, heading, field):
        """What the table says of a field."""
        for table in rows(self.sections[heading]):
            for row in table[1:]:
                if row[2:3] == [field]:
                    return row[3]
        raise KeyError(field)


WIDTH = 8  # characters of a byte in a drawing


def lines_of(fields):
    """The fields that share a line of eight bytes; a longer one has a line of its own."""
    lines = []
    for name, field in fields:
        full = not lines or sum(other.bytes or 8 for _, other in lines[-1]) >= 8
        if full or field.bytes is None or field.bytes >= 8:
            lines.append([])
        lines[-1].append((name, field))
    return lines


def drawing(fields):
    """Eight bytes a line, drawn to scale but for what is longer."""
    text = [" " * 7 + "".join(f"{i:<{WIDTH}}" for i in range(8)).rstrip()]
    before = ""
    for line in lines_of(fields):
        cells = ""
        for name, field in line:
            size = 8 if field.bytes is None else min(field.bytes, 8)
            more = {None: ", to the end"}.get(
                field.bytes, f", {field.bytes} bytes" if (field.bytes or 0) > 8 else "")
            cells += "|" + (name + more).center(size * WIDTH - 1)
        rule = "+" + "-" * (len(cells) - 1) + "+"
        text.append(" " * 6 + max(before, rule, key=len))
        text.append(f"{line[0][1].offset:>5} {cells}|")
        before = rule
    return text + [" " * 6 + before]


def crc32c(data, table=[]):
    if not table:
        for value in range(256):
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
            table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Wrong(Exception):
    """The file is not as the document says."""


class File:
    """A structured file, read by the document's numbers."""

    def __init__(self, data, document):
        self.data, self.document = data, document
        self.types = document.numbers("Types of pages", "type")
        self.states = document.numbers("Free map", "state")
        self.page_bytes = self.number("Superblock", "page bytes", 0)
        self.superblock = self.newest_superblock()

    def number(self, structure, field, base):
        offset, size = self.document.fields(structure)[field]
        return int.from_bytes(self.data[base + offset:base + offset + size], "little")

    def offset(self, structure, field):
        return self.document.fields(structure)[field].offset

    def content(self, structure, field, page):
        begin = page * self.page_bytes + self.offset(structure, field)
        end = (page + self.number("Page header", "run", page * self.page_bytes)) * self.page_bytes
        return self.data[begin:end]

    def check_header(self, page, kind):
        base = page * self.page_bytes
        run = self.number("Page header", "run", base)
        end = base + run * self.page_bytes
        behind = base + self.document.fields("Page header")["checksum"].bytes
        for wrong, what in (
                (self.number("Page header", "checksum", base) != crc32c(self.data[behind:end]),
                 "checksum"),
                (self.number("Page header", "type", base) != self.types[kind], "type"),
                (self.number("Page header", "page", base) != page, "page")):
            if wrong:
                raise Wrong(f"page {page}, {kind}: {what}")

    def newest_superblock(self):
        """The page of the copy with the highest commit."""
        said = self.document.said("Superblock", "magic")
        magic = bytes.fromhex(re.match(r"the bytes ((?:[0-9a-f]{2} ?)+)", said)[1])
        for page in range(4):
            self.check_header(page, "superblock")
            begin = page * self.page_bytes + self.offset("Superblock", "magic")
            order = self.number("Superblock", "byte order", page * self.page_bytes)
            if (self.data[begin:begin + len(magic)] != magic
                    or f"{order:08x}" != self.document.said("Superblock", "byte order")):
                raise Wrong(f"page {page}: magic, or byte order")
        return max(range(4), key=lambda page: self.commit_of(page)) * self.page_bytes

    def commit_of(self, page):
        return self.number("Superblock", "commit", page * self.page_bytes)

    def states_of_pages(self):
        """The name of each page's state."""
        names = {number: name for name, number in self.states.items()}
        pages = self.number("Superblock", "pages", self.superblock)
        root = self.number("Superblock", "map root", self.superblock)
        checksum = self.number("Superblock", "map checksum", self.superblock)
        levels = self.number("Superblock", "map levels", self.superblock)
        packed = b"".join(self.leaves(root, checksum, levels - 1))
        return [names[packed[page // 4] >> page % 4 * 2 & 3] for page in range(pages)]

    def leaves(self, page, checksum, level):
        base = page * self.page_bytes
        self.check_header(page, "map")
        if (self.number("Page header", "checksum", base) != checksum
                or self.number("Free map", "level", base) != level):
            raise Wrong(f"page {page}: not the part of the map that was expected")
        content = self.content("Free map", "states or entries", page)
        if level == 0:
            yield content
            return
        entry = self.document.fields("Entry of the free map")
        size = sum(field.bytes for field in entry.values())
        for index in range(len(content) // size):
            at = base + self.offset("Free map", "states or entries") + index * size
            child = self.number("Entry of the free map", "page", at)
            if child == 0:
                return
            yield from self.leaves(
                child, self.number("Entry of the free map", "checksum", at), level - 1)

    def records(self, page):
        """{slot: record} of a slotted page."""
        self.check_header(page, "slotted")
        slot_bytes = sum(f.bytes for f in self.document.fields("Slot of a slotted page").values())
        base, found = page * self.page_bytes, {}
        for slot in range(self.number("Slotted page", "slots", base)):
            at = base + self.offset("Slotted page", "slots, gap, heap") + slot * slot_bytes
            offset = self.number("Slot of a slotted page", "offset", at)
            if offset != 0:
                length = self.number("Slot of a slotted page", "length", at)
                found[slot] = self.value(base + offset, length)
        if len(found) != self.number("Slotted page", "records", base):
            raise Wrong(f"page {page}: records")
        return found

    def pairs(self, page):
        """(key, value) of a node, as they stand."""
        self.check_header(page, "node")
        slot_bytes = sum(f.bytes for f in self.document.fields("Slot of a node").values())
        base, found = page * self.page_bytes, []
        end = base + self.page_bytes
        prefix = self.data[end - self.number("Node", "prefix bytes", base):end]
        suffix_at = self.offset("Record of a node", "suffix and value")
        for slot in range(self.number("Node", "slots", base)):
            at = base + self.offset("Node", "slots, gap, heap, prefix") + slot * slot_bytes
            record = base + self.number("Slot of a node", "offset", at)
            suffix_end = record + suffix_at + self.number("Slot of a node", "suffix bytes", at)
            suffix = self.data[record + suffix_at:suffix_end]
            head = self.number("Slot of a node", "head", at)
            if head != int.from_bytes(suffix[:4].ljust(4, b"\0"), "big"):
                raise Wrong(f"page {page}, slot {slot}: head")
            length = self.number("Record of a node", "value length", record)
            found.append((prefix + suffix, self.value(suffix_end, length)))
        return found

    def value(self, begin, length):
        if length != 0xFFFF:
            return self.data[begin:begin + length]
        page = self.number("Reference", "page", begin)
        self.check_header(page, "overflow")
        length = self.number("Reference", "record bytes", begin)
        if length != self.number("Overflow run", "record bytes", page * self.page_bytes):
            raise Wrong(f"page {page}: record bytes")
        return self.content("Overflow run", "content", page)[:length]

    def all(self):
        """Records of all slotted pages and pairs of all nodes, and the states of all pages."""
        states = self.states_of_pages()
        records, pairs = [], []
        for page, state in enumerate(states):
            kind = self.number("Page header", "type", page * self.page_bytes)
            if state == "used" and kind == self.types["slotted"]:
                records += self.records(page).values()
            elif state == "used" and kind == self.types["node"]:
                pairs += self.pairs(page)
        return records, pairs, states
