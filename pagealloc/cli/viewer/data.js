// What the file's pages are: the data as they stand in the document, read as late as possible.

const byId = (id) => document.getElementById(id);
const grouped = (number) => number.toLocaleString("en-US");
const plural = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") element.addEventListener("click", value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// A line for the file, and then one a page: of a million pages only those that somebody opens are
// taken apart.
const text = byId("data").textContent;
const headEnd = text.indexOf("\n");
const file = JSON.parse(`${text.slice(0, headEnd)}]}`);
const pages = file.pages;
const conditionOf = Object.fromEntries(file.conditions.map((name, index) => [name, index]));

let lineBegins = null;
function indexLines() {
  lineBegins = new Float64Array(pages + 1);
  let at = headEnd;
  for (let page = 0; page <= pages; ++page) {
    lineBegins[page] = at + 1;
    at = text.indexOf("\n", at + 1);
  }
}

function entryOf(page) {
  if (!lineBegins) indexLines();
  const line = text.slice(lineBegins[page], lineBegins[page + 1] - 1);
  return JSON.parse(line.endsWith(",") ? line.slice(0, -1) : line);
}

const inside = 0x80;
/** A byte a page: its condition, and whether it belongs to the run of the page before it. */
function readMap() {
  const states = new Uint8Array(pages);
  for (let page = 0, last = 0; page < pages; ++page) {
    const letter = file.map.charCodeAt(page);
    if (letter === 0x2b) {
      states[page] = last | inside;
    } else {
      last = letter - 0x30;
      states[page] = last;
    }
  }
  return states;
}
const states = readMap();
const conditionAt = (page) => states[page] & ~inside;

function countConditions() {
  const counts = file.conditions.map(() => 0);
  for (let page = 0; page < pages; ++page) ++counts[conditionAt(page)];
  return counts;
}
const counts = countConditions();

function firstOfRun(page) {
  while (states[page] & inside) --page;
  return page;
}
function runOf(first) {
  let end = first + 1;
  while (end < pages && states[end] & inside) ++end;
  return end - first;
}

const causesOf = new Map();
for (const { page, cause } of file.violations) {
  causesOf.set(page, [...(causesOf.get(page) ?? []), cause]);
}
/** Pages that deserve a mark on the map, in order. */
function markedPages() {
  const marked = new Set(causesOf.keys());
  if (counts[conditionOf.damaged] > 0) {
    for (let page = 0; page < pages; ++page) {
      if (states[page] === conditionOf.damaged) marked.add(page);
    }
  }
  return [...marked].sort((a, b) => a - b);
}
const marked = markedPages();

function nameOf(page) {
  const first = firstOfRun(page);
  const run = runOf(first);
  const place = run > 1 ? `, in the run of pages ${first} to ${first + run - 1}` : "";
  const causes = (causesOf.get(first) ?? []).map((cause) => `; ${cause}`).join("");
  return `Page ${page}: ${file.conditions[conditionAt(page)]}${place}${causes}`;
}

let decoded = 0;
const withSlot = new Set(["slot", "erased slot", "record", "reference"]);

/** The areas of a run, each with its place: { kind, offset, bytes, slot }. */
function decodeAreas(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const areas = [];
  let at = 0;
  const number = () => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128 || at >= bytes.length) return value;
      scale *= 128;
    }
  };
  for (let offset = 0; at < bytes.length; ) {
    const kind = file.kinds[bytes[at++]];
    const area = { kind, offset, bytes: number() };
    if (withSlot.has(kind)) area.slot = number();
    offset += area.bytes;
    areas.push(area);
  }
  return areas;
}

/** All that is known of the page, or of the run that it is inside of. */
function detailsOf(page) {
  const first = firstOfRun(page);
  const details = { page, first, run: runOf(first), condition: file.conditions[conditionAt(page)],
    causes: causesOf.get(first) ?? [], areas: [], fields: [] };
  const entry = entryOf(first);
  document.documentElement.dataset.decoded = ++decoded;
  if (entry === 0) return details;
  const [transaction, checksum, , cause, areas, fields] = entry;
  // What verify says may say more of the same.
  if (cause && !details.causes.some((told) => told.startsWith(cause))) details.causes.push(cause);
  return Object.assign(details,
    { transaction, checksum, cause, areas: decodeAreas(areas), fields });
}
