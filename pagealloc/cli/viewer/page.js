// A page to scale, with what is known of it.

const section = byId("page");
const drawing = byId("drawing");
const shown = { details: null, chosen: -1, width: 0 };

const fillOf = { header: "header", fields: "fields", slot: "slot", "erased slot": "erased",
  gap: "gap", record: "record", reference: "reference", fragment: "fragment", prefix: "prefix",
  states: "states", entries: "states", content: "content", zeros: "gap" };
const hatched = { fragment: "hatch", "erased slot": "hatch-erased" };
const meaning = { gap: "gap (free)" };

function draw(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Lines over what is in no record; the ground of each is the kind's colour. */
function patterns() {
  return draw("defs", {}, ...Object.entries(hatched).map(([kind, id]) =>
    draw("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)" },
    draw("rect", { width: 6, height: 6, style: `fill: var(--k-${fillOf[kind]})` }),
    draw("line", { y2: 6, class: kind === "fragment" ? "hatch" : "hatch erased" }))));
}
function fillFor(kind, odd) {
  if (hatched[kind]) return `fill: url(#${hatched[kind]})`;
  return `fill: var(--k-${fillOf[kind]}${kind === "record" && odd ? "2" : ""})`;
}

/** How many bytes a row has, and how high it is: a whole page is to be seen at once. */
function scaleOf(bytes, width) {
  const rows = width < 560 ? 64 : 32;
  const rowBytes = Math.max(16, 2 ** Math.ceil(Math.log2(bytes / rows)));
  const gutter = 12 + 6 * String(bytes).length;
  return { rowBytes, gutter, rowHeight: width < 560 ? 13 : 18,
    byteWidth: (width - gutter - 2) / rowBytes };
}

/** An area's rows: where it begins in the first, where it ends in the last. */
function extentOf(area, scale) {
  const { rowBytes } = scale;
  const last = area.offset + area.bytes - 1;
  return { firstRow: Math.floor(area.offset / rowBytes), lastRow: Math.floor(last / rowBytes),
    begin: area.offset % rowBytes, end: (last % rowBytes) + 1 };
}

function outlineOf(area, scale) {
  const { firstRow, lastRow, begin, end } = extentOf(area, scale);
  const x = (byte) => (scale.gutter + byte * scale.byteWidth).toFixed(2);
  const y = (row) => row * scale.rowHeight + 1;
  const box = (from, to, row) => `M${x(from)} ${y(row)}H${x(to)}V${y(row + 1)}H${x(from)}Z`;
  if (firstRow === lastRow) return box(begin, end, firstRow);
  if (lastRow === firstRow + 1 && end <= begin) {
    return box(begin, scale.rowBytes, firstRow) + box(0, end, lastRow);
  }
  return `M${x(begin)} ${y(firstRow)}H${x(scale.rowBytes)}V${y(lastRow)}H${x(end)}` +
    `V${y(lastRow + 1)}H${x(0)}V${y(firstRow + 1)}H${x(begin)}Z`;
}

/** The widest row of an area: { x, y, width }. */
function widestOf(area, scale) {
  const { firstRow, lastRow, begin, end } = extentOf(area, scale);
  const all = scale.rowBytes;
  let [row, from, to] = [firstRow, begin, firstRow === lastRow ? end : all];
  if (lastRow > firstRow + 1) [row, from, to] = [Math.floor((firstRow + lastRow) / 2), 0, all];
  else if (lastRow > firstRow && end > to - from) [row, from, to] = [lastRow, 0, end];
  return { x: scale.gutter + ((from + to) / 2) * scale.byteWidth,
    y: (row + 0.5) * scale.rowHeight + 1, width: (to - from) * scale.byteWidth };
}

function labelsOf({ kind, slot, bytes }) {
  if (kind === "gap") return [`gap: ${plural(bytes, "byte")} free`, "gap"];
  if (kind === "slot") return [`slot ${slot}`, `${slot}`];
  if (kind === "erased slot") return [`erased ${slot}`, "×"];
  if (slot !== undefined) return [`${kind} of slot ${slot}`, `${kind} ${slot}`, `${slot}`];
  return [`${kind}: ${plural(bytes, "byte")}`, kind];
}
function labelFor(area, scale) {
  const { x, y, width } = widestOf(area, scale);
  const label = labelsOf(area).find((words) => words.length * 6.3 + 4 <= width);
  return label && draw("text", { x, y: y + 0.5, "text-anchor": "middle",
    "dominant-baseline": "central" }, label);
}

const isSlot = (area) => area.kind.endsWith("slot");
/** Where the area of each slot is, and that of its record: a page may have thousands. */
function findPairs(areas) {
  const slots = new Map();
  const records = new Map();
  areas.forEach((area, index) => {
    if (area.slot !== undefined) (isSlot(area) ? slots : records).set(area.slot, index);
  });
  return { slots, records };
}
/** A slot's record, or a record's slot; -1: there is none. */
function partnerOf(index) {
  const area = shown.details.areas[index];
  const { slots, records } = shown.pairs;
  return (isSlot(area) ? records : slots).get(area.slot) ?? -1;
}

function describe(index) {
  const { areas, first } = shown.details;
  const { kind, slot, offset, bytes } = areas[index];
  const whose = slot === undefined ? "" : isSlot(areas[index]) ? ` ${slot}` : ` of slot ${slot}`;
  const partner = partnerOf(index);
  const record = areas[partner];
  let about = "";
  if (kind === "slot") {
    about = record
      ? `; its ${record.kind} is ${plural(record.bytes, "byte")} at ${grouped(record.offset)}`
      : "; no bytes belong to it";
  }
  return `${kind}${whose}: ${plural(bytes, "byte")} at ${grouped(offset)}, ` +
    `${grouped(first * file.page_bytes + offset)} in the file${about}`;
}

function drawOffsets(scale, rows) {
  const every = rows > 8 ? 4 : 1;
  const labels = [];
  for (let row = 0; row < rows; row += every) {
    labels.push(draw("text", { class: "offset", x: scale.gutter - 6, "text-anchor": "end",
      y: (row + 0.5) * scale.rowHeight + 1.5, "dominant-baseline": "central" },
    row * scale.rowBytes));
  }
  return labels;
}

function drawPage() {
  const { areas } = shown.details;
  const bytes = areas.at(-1).offset + areas.at(-1).bytes;
  shown.width = byId("drawn").clientWidth;
  const scale = scaleOf(bytes, shown.width);
  shown.scale = scale;
  const rows = Math.ceil(bytes / scale.rowBytes);
  const height = rows * scale.rowHeight + 2;
  drawing.setAttribute("viewBox", `0 0 ${shown.width} ${height}`);
  drawing.setAttribute("height", height);
  const nameOfClass = (area) => (widestOf(area, scale).width < 6 ? "area thin" : "area");
  const shapes = areas.map((area, index) => draw("path", { class: nameOfClass(area),
    "data-area": index, d: outlineOf(area, scale), style: fillFor(area.kind, index % 2) }));
  const labels = areas.map((area) => labelFor(area, scale)).filter(Boolean);
  drawing.replaceChildren(patterns(), ...drawOffsets(scale, rows), ...shapes, ...labels,
    draw("g", { id: "chosen" }));
  byId("scale").textContent = `To scale: a row is ${plural(scale.rowBytes, "byte")}, ` +
    "the number before it the byte that it begins with.";
  drawChosen();
}

function drawChosen() {
  const group = byId("chosen");
  group.replaceChildren();
  if (shown.chosen < 0) return;
  const { areas } = shown.details;
  const frame = (index, name) => draw("path", { class: name, "data-area": index,
    d: outlineOf(areas[index], shown.scale) });
  group.append(frame(shown.chosen, "current"));
  const partner = partnerOf(shown.chosen);
  if (partner < 0) return;
  const [from, to] = [shown.chosen, partner].map((index) => widestOf(areas[index], shown.scale));
  group.append(frame(partner, "linked"),
    draw("line", { class: "wire", x1: from.x, y1: from.y, x2: to.x, y2: to.y }));
}

function choose(index) {
  shown.chosen = index;
  drawChosen();
  byId("area").textContent = describe(index);
  announce(describe(index));
}

function drawingKey(event) {
  const last = shown.details.areas.length - 1;
  const { chosen } = shown;
  const targets = { ArrowRight: chosen + 1, ArrowDown: chosen + 1, ArrowLeft: chosen - 1,
    ArrowUp: chosen - 1, Home: 0, End: last };
  let to = targets[event.key];
  if (event.key === "Enter" || event.key === " ") to = chosen < 0 ? 0 : partnerOf(chosen);
  if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (to >= 0 && to <= last) choose(to);
}

const areaAt = (event) => Number(event.target.closest?.(".area")?.dataset.area ?? -1);
function pointArea(event) {
  const index = areaAt(event);
  const about = index >= 0 ? index : shown.chosen;
  byId("area").textContent = about >= 0 ? describe(about) : "Point at an area, or choose one.";
}

function row(name, ...values) {
  return make("tr", { "data-name": name }, make("th", { scope: "row" }, name),
    ...values.map((value) => make("td", {}, value)));
}

function checksumMark({ checksum, cause }) {
  const bad = cause.startsWith("checksum") || cause.startsWith("blank");
  const mark = make("span", { class: bad ? "bad" : "good" },
    bad ? `✗ damaged: ${cause}` : "✓ good");
  const cell = document.createDocumentFragment();
  cell.append(make("code", {}, checksum), " ", mark);
  return cell;
}

function factsOf(details) {
  const { page, first, run, condition, checksum } = details;
  const rows = [row("page", run > 1 ? `${page}, in the run ${first} to ${first + run - 1}` : page),
    row("offset", `${grouped(first * file.page_bytes)} in the file`),
    row("bytes", grouped(run * file.page_bytes)), row("condition", condition),
    row("run", plural(run, "page"))];
  if (checksum !== undefined) {
    rows.push(row("transaction", details.transaction), row("checksum", checksumMark(details)));
  }
  file.roots.forEach((root, index) => {
    if (root !== 0 && root === first) rows.push(row("used as", `root ${index} of the file`));
  });
  if (file.map_root === first) rows.push(row("used as", "root of the free map"));
  for (const [name, value] of details.fields) rows.push(row(name, value));
  return make("table", { id: "known" }, make("tbody", {}, ...rows));
}

function sumUp(areas) {
  const sums = new Map();
  for (const { kind, bytes } of areas) {
    const sum = sums.get(kind) ?? { kind, count: 0, bytes: 0 };
    ++sum.count;
    sum.bytes += bytes;
    sums.set(kind, sum);
  }
  return [...sums.values()];
}
const swatch = (kind) => draw("svg", { viewBox: "0 0 15 15", "aria-hidden": "true" },
  draw("rect", { x: 0.5, y: 0.5, width: 14, height: 14,
    style: `${fillFor(kind)}; stroke: var(--edge)` }));
const cells = (...values) => values.map((value) => make("td", { class: "number" }, value));
const heads = (...names) => make("thead", {}, make("tr", {}, ...names.map((name, index) =>
  make("th", { scope: "col", class: index ? "number" : "" }, name))));

function sumsOf(areas) {
  const all = areas.reduce((sum, { bytes }) => sum + bytes, 0);
  const percent = (bytes) => `${((bytes / all) * 100).toFixed(1)} %`;
  const rows = sumUp(areas).map(({ kind, count, bytes }) => make("tr", { "data-kind": kind },
    make("th", { scope: "row", class: "kind" }, swatch(kind), meaning[kind] ?? kind),
    ...cells(grouped(count), grouped(bytes), percent(bytes))));
  const total = make("tr", {}, make("th", { scope: "row" }, "all"),
    ...cells(grouped(areas.length), grouped(all), percent(all)));
  return make("table", { id: "sums" }, heads("kind", "areas", "bytes", "share"),
    make("tbody", {}, ...rows, total));
}

/** For those who read rather than look. Made when it is unfolded. */
function listOf(areas) {
  const list = make("details", {}, make("summary", {}, `All areas (${grouped(areas.length)})`));
  list.addEventListener("toggle", () => {
    const rows = areas.map(({ kind, slot, offset, bytes }) => make("tr", {},
      make("td", {}, kind), ...cells(slot ?? "", grouped(offset), grouped(bytes))));
    list.append(make("div", { class: "all", tabindex: "0" },
      make("table", {}, heads("kind", "slot", "at", "bytes"), make("tbody", {}, ...rows))));
  }, { once: true });
  return list;
}

const noDrawing = {
  free: "This page is free. What is left in it means nothing.",
  punched: "This page is free and was punched: the file system has its blocks back, and it reads " +
    "as zeros.",
  unknown: "Nobody can tell whether this page is in use, because the free map cannot be read; and it " +
    "is no page that is whole.",
  damaged: "This page could not be read.",
};

function showPage(page, focus) {
  const details = detailsOf(page);
  const drawn = details.areas.length > 0;
  Object.assign(shown, { details, pairs: findPairs(details.areas), chosen: -1 });
  section.hidden = false;
  section.parentElement.classList.add("open");
  section.dataset.page = page;
  byId("page-title").textContent = details.run > 1
    ? `Pages ${details.first} to ${details.first + details.run - 1}: ${details.condition}`
    : `Page ${page}: ${details.condition}`;
  byId("damage").replaceChildren(...details.causes.map((cause) => make("p", {}, `✗ ${cause}`)));
  byId("drawn").hidden = !drawn;
  section.querySelector(".columns").classList.toggle("alone", !drawn);
  const known = [make("h3", {}, "What is known of it"), factsOf(details)];
  byId("tables").replaceChildren(...(drawn
    ? [...known, make("h3", {}, "What its bytes are"), sumsOf(details.areas), listOf(details.areas)]
    : [make("p", { id: "no-drawing" }, noDrawing[details.condition] ?? ""), ...known]));
  byId("before").disabled = details.first === 0;
  byId("after").disabled = details.first + details.run >= pages;
  select(page);
  if (drawn) {
    drawPage();
    pointArea({ target: drawing });
  }
  reveal(focus, drawn);
}

function reveal(focus, drawn) {
  const beside = section.getBoundingClientRect().top < byId("map").getBoundingClientRect().bottom;
  if (!beside) section.scrollIntoView({ block: "start" });
  if (focus) (drawn ? drawing : byId("page-title")).focus({ preventScroll: true });
}

function hidePage() {
  if (section.hidden) return;
  section.hidden = true;
  section.parentElement.classList.remove("open");
  delete section.dataset.page;
  shown.details = null;
  canvas.focus({ preventScroll: true });
  byId("map").scrollIntoView({ block: "nearest" });
  announce(nameOf(map.selected));
}

function startPage() {
  drawing.addEventListener("keydown", drawingKey);
  drawing.addEventListener("click", (event) => {
    const index = areaAt(event);
    if (index >= 0) choose(index);
  });
  drawing.addEventListener("pointerover", pointArea);
  drawing.addEventListener("pointerleave", () => pointArea({ target: drawing }));
  byId("close").addEventListener("click", closePage);
  byId("before").addEventListener("click", () => openPage(firstOfRun(shown.details.first - 1)));
  byId("after").addEventListener("click", () => openPage(shown.details.first + shown.details.run));
  new ResizeObserver(() => {
    const drawn = shown.details?.areas.length > 0;
    if (drawn && byId("drawn").clientWidth !== shown.width) drawPage();
  }).observe(byId("drawn"));
}
