// The map: a cell a page, in rows.

const cellSizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48];
const letters = { superblock: "B", map: "M", slotted: "S", node: "N", overflow: "O", unknown: "?" };
const darkInk = "#10151a";
const roomForCross = 12;
const inkOn = { superblock: darkInk, map: darkInk, slotted: "#ffffff", node: darkInk,
  overflow: darkInk, unknown: "#6b7580" };

const margin = 3;  // above the first row, for the frame around its cells
const canvas = byId("cells");
const scroller = byId("scroll");
const map = { cell: 0, columns: 1, rows: 1, gutter: 0, width: 0, height: 0, fitted: true,
  selected: 0, hovered: -1, colours: [], words: [], theme: {}, waiting: false, turned: 0 };

const byteWords = (colour) => {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  map.colours = file.conditions.map(colour);
  map.words = map.colours.map(byteWords);
  map.theme = Object.fromEntries(["paper", "ink", "quiet", "line", "chosen"].map((name) =>
    [name, colour(name)]));
}

function columnsFor(cell, width) {
  const fit = Math.max(1, Math.floor(width / cell));
  return fit >= 20 ? fit - (fit % 10) : fit;  // rows that begin with a round number are easier
}
const gutterFor = () => 10 + 7 * String(pages - 1).length;

function largestThatFits() {
  const width = scroller.clientWidth - gutterFor();
  const room = map.height - 2 * margin;
  const fits = (cell) => Math.ceil(pages / columnsFor(cell, width)) * cell <= room;
  return cellSizes.filter(fits).pop() ?? cellSizes[0];
}

/** Gives the cells a size; the page `keep` stays at `y` pixels from the top. */
function layOut(cell, keep = 0, y = 0) {
  scroller.style.height = "";
  map.width = scroller.clientWidth;
  map.height = scroller.clientHeight;
  map.gutter = gutterFor();
  map.cell = cell ?? largestThatFits();
  map.columns = Math.min(columnsFor(map.cell, map.width - map.gutter), Math.max(pages, 1));
  map.rows = Math.ceil(pages / map.columns);
  const height = map.rows * map.cell + 2 * margin;
  map.height = Math.min(map.height, height);
  scroller.style.height = `${map.height}px`;
  byId("height").style.height = `${height - map.height}px`;
  scroller.scrollTop = Math.floor(keep / map.columns) * map.cell - y;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(map.width * scale);
  canvas.height = Math.round(map.height * scale);
  Object.assign(canvas.dataset, { cell: map.cell, columns: map.columns, gutter: map.gutter, margin });
  byId("smaller").disabled = map.cell === cellSizes[0];
  byId("larger").disabled = map.cell === cellSizes.at(-1);
  drawMap();
}

function zoom(steps, y = map.height / 2, page = map.selected) {
  const at = cellSizes.indexOf(map.cell) + steps;
  const cell = cellSizes[Math.min(Math.max(at, 0), cellSizes.length - 1)];
  if (cell === map.cell) return false;
  map.fitted = false;
  layOut(cell, page, y);
  return true;
}
function fit() {
  map.fitted = true;
  layOut();
  show(map.selected);
}

const placeOf = (page) => ({
  x: map.gutter + (page % map.columns) * map.cell,
  y: Math.floor(page / map.columns) * map.cell - scroller.scrollTop + margin,
});

/** The page at a place of the canvas; -1: none is there. */
function pageAt(x, y) {
  const column = Math.floor((x - map.gutter) / map.cell);
  if (column < 0 || column >= map.columns) return -1;
  const page = Math.floor((y + scroller.scrollTop - margin) / map.cell) * map.columns + column;
  return page >= 0 && page < pages ? page : -1;
}

/** A cell's look; the legend is drawn with it too. Cells of a run have no seam between them. */
function drawCell(pen, state, x, y, size) {
  const name = file.conditions[state & ~inside];
  const seam = size < 6 ? 0 : 1;
  const joined = state & inside ? seam : 0;
  pen.fillStyle = map.colours[state & ~inside];
  pen.fillRect(x - joined, y, size - seam + joined, size - seam);
  const middle = (size - seam) / 2;
  if (name === "punched" && size >= 6) {
    pen.fillStyle = map.theme.paper;
    pen.beginPath();
    pen.arc(x + middle, y + middle, size / 4.5, 0, 2 * Math.PI);
    pen.fill();
  }
  if (letters[name] && size >= 14 && !joined) {
    pen.fillStyle = inkOn[name];
    pen.font = `600 ${Math.min(size * 0.6, 15)}px system-ui, sans-serif`;
    pen.fillText(letters[name], x + middle, y + middle + 0.5);
  }
  if (name === "damaged" && size >= roomForCross) drawCross(pen, x + middle, y + middle, size * 0.26);
}
function drawCross(pen, x, y, arm) {
  pen.beginPath();
  pen.moveTo(x - arm, y - arm);
  pen.lineTo(x + arm, y + arm);
  pen.moveTo(x + arm, y - arm);
  pen.lineTo(x - arm, y + arm);
  pen.lineWidth = Math.max(arm * 0.45, 1);
  pen.strokeStyle = "#000000";
  pen.stroke();
}

/** A pixel a page, enlarged: for cells too small to have an inside. Returns how many there are. */
function drawTiny(pen, firstRow, lastRow) {
  const image = new ImageData(map.columns, lastRow - firstRow);
  const pixels = new Uint32Array(image.data.buffer);
  const begin = firstRow * map.columns;
  const count = Math.min(pages - begin, pixels.length);
  for (let i = 0; i < count; ++i) pixels[i] = map.words[conditionAt(begin + i)];
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, map.gutter, firstRow * map.cell - scroller.scrollTop + margin,
    image.width * map.cell, image.height * map.cell);
  return count;
}

function drawCells(pen, firstRow, lastRow) {
  if (map.cell < 6) return drawTiny(pen, firstRow, lastRow);
  const begin = firstRow * map.columns;
  const end = Math.min(lastRow * map.columns, pages);
  for (let page = begin; page < end; ++page) {
    const { x, y } = placeOf(page);
    drawCell(pen, states[page], x, y, map.cell);
  }
  return end - begin;
}

function drawRowNumbers(pen, firstRow, lastRow) {
  const every = Math.ceil(22 / map.cell);
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.fillStyle = map.theme.quiet;
  for (let row = Math.ceil(firstRow / every) * every; row < lastRow; row += every) {
    const y = row * map.cell - scroller.scrollTop + margin + Math.max(map.cell / 2, 6);
    pen.fillText(row * map.columns, map.gutter - 6, y);
  }
  pen.textAlign = "center";
}

/** What must be found in a map of any size: a mark larger than its cell. */
function drawMarks(pen) {
  const begin = Math.floor(scroller.scrollTop / map.cell) * map.columns;
  const end = begin + (Math.ceil(map.height / map.cell) + 1) * map.columns;
  for (const page of marked) {
    if (page < begin || page >= end) continue;
    const { x, y } = placeOf(page);
    const damaged = conditionAt(page) === conditionOf.damaged;
    if (damaged && map.cell >= roomForCross) continue;
    const middle = (map.cell - (map.cell < 6 ? 0 : 1)) / 2;
    const arm = Math.max(map.cell / 4, 3.2);
    if (damaged) {
      const box = (colour, half) => {
        pen.fillStyle = colour;
        pen.fillRect(x + middle - half, y + middle - half, 2 * half, 2 * half);
      };
      box(map.theme.paper, arm + 2.5);
      box(map.colours[conditionOf.damaged], arm + 1.5);
      drawCross(pen, x + middle, y + middle, arm);
    } else {
      drawDiamond(pen, x + middle, y + middle, arm + 1);
    }
  }
}
function drawDiamond(pen, x, y, arm) {
  pen.beginPath();
  pen.moveTo(x, y - arm);
  pen.lineTo(x + arm, y);
  pen.lineTo(x, y + arm);
  pen.lineTo(x - arm, y);
  pen.closePath();
  pen.fillStyle = map.theme.paper;
  pen.fill();
  pen.lineWidth = 2;
  pen.strokeStyle = map.colours[conditionOf.damaged];
  pen.stroke();
}

function drawFrame(pen, page, width, colour) {
  const { x, y } = placeOf(page);
  const size = Math.max(map.cell - 1, 5);
  pen.lineWidth = width + 2;
  pen.strokeStyle = map.theme.paper;
  pen.strokeRect(x - 1.5, y - 1.5, size + 3, size + 3);
  pen.lineWidth = width;
  pen.strokeStyle = colour;
  pen.strokeRect(x - 1.5, y - 1.5, size + 3, size + 3);
}

function drawMap() {
  map.waiting = false;
  const pen = canvas.getContext("2d");
  const scale = canvas.width / map.width;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, map.width, map.height);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const firstRow = Math.floor(scroller.scrollTop / map.cell);
  const lastRow = Math.min(map.rows, Math.ceil((scroller.scrollTop + map.height) / map.cell));
  canvas.dataset.drawn = drawCells(pen, firstRow, lastRow);
  drawRowNumbers(pen, firstRow, lastRow);
  drawMarks(pen);
  if (map.hovered >= 0) drawFrame(pen, map.hovered, 1, map.theme.quiet);
  drawFrame(pen, map.selected, 2.5, map.theme.chosen);
}
function drawSoon() {
  if (map.waiting) return;
  map.waiting = true;
  requestAnimationFrame(drawMap);
}

/** Scrolls the least that shows the page. */
function show(page) {
  const top = Math.floor(page / map.columns) * map.cell;
  const bottom = top + map.cell + 2 * margin;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + map.height) scroller.scrollTop = bottom - map.height;
  drawSoon();
}

const tell = (page) => { byId("told").textContent = nameOf(page); };
const announce = (said) => { byId("live").textContent = said; };

function select(page) {
  map.selected = Math.min(Math.max(page, 0), pages - 1);
  canvas.dataset.selected = map.selected;
  map.hovered = -1;
  tell(map.selected);
  announce(nameOf(map.selected));
  show(map.selected);
}

function mapKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const view = Math.max(1, Math.floor(map.height / map.cell) - 1) * map.columns;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -map.columns, ArrowDown: map.columns,
    PageUp: -view, PageDown: view, Home: -pages, End: pages };
  const step = steps[event.key];
  if (step) {
    const to = map.selected + step;
    // Up from the first row, or down from the last, stays in its column.
    if (Math.abs(step) !== map.columns || (to >= 0 && to < pages)) select(to);
  } else if (event.key === "Enter" || event.key === " ") {
    openPage(map.selected, true);
  } else {
    return;
  }
  event.preventDefault();
}

/** The cell's place on the screen at which the pointer is. */
function pointed(event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function hover(event) {
  const { x, y } = pointed(event);
  const page = pageAt(x, y);
  if (page === map.hovered) return;
  map.hovered = page;
  tell(page >= 0 ? page : map.selected);
  drawSoon();
}

function wheel(event) {
  const { x, y } = pointed(event);
  const page = pageAt(x, y);
  map.turned += event.deltaY * (event.deltaMode === 1 ? 30 : 1);
  const step = event.deltaY > 0 ? -1 : 1;
  const at = cellSizes.indexOf(map.cell) + step;
  if (at < 0 || at >= cellSizes.length) return;  // the document may scroll instead
  event.preventDefault();
  if (Math.abs(map.turned) < 60) return;
  map.turned = 0;
  zoom(step, y, page >= 0 ? page : map.selected);
}

// One finger or the mouse drags, two fingers pinch, and what moved nothing is a click.
const fingers = new Map();
let drag = null;
const spread = () => {
  const [a, b] = [...fingers.values()];
  return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
};
function press(event) {
  fingers.set(event.pointerId, event);
  const mouse = event.pointerType === "mouse";
  // Also what leaves the map before it moves on it.
  if (mouse) canvas.setPointerCapture(event.pointerId);
  drag = { y: event.clientY, x: event.clientX, top: scroller.scrollTop, mouse, moved: false };
  if (fingers.size === 2) drag.spread = spread();
}
function move(event) {
  if (!fingers.has(event.pointerId)) return hover(event);
  fingers.set(event.pointerId, event);
  if (drag.spread) return pinch();
  if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) drag.moved = true;
  if (drag.moved && drag.mouse) scroller.scrollTop = drag.top + drag.y - event.clientY;
}
function pinch() {
  const now = spread();
  const ratio = now / drag.spread;
  drag.moved = true;
  if (ratio > 0.77 && ratio < 1.3) return;
  drag.spread = now;
  const [a, b] = [...fingers.values()].map(pointed);
  const page = pageAt((a.x + b.x) / 2, (a.y + b.y) / 2);
  zoom(ratio > 1 ? 1 : -1, (a.y + b.y) / 2, page >= 0 ? page : map.selected);
}
function release(event) {
  const clicked = fingers.delete(event.pointerId) && event.type === "pointerup" && !drag.moved;
  if (!clicked) return;
  const { x, y } = pointed(event);
  const page = pageAt(x, y);
  if (page >= 0) openPage(page);
}

function startMap() {
  readColours();
  canvas.setAttribute("aria-label", `Map of ${plural(pages, "page")}, a cell each`);
  canvas.addEventListener("keydown", mapKey);
  canvas.addEventListener("wheel", wheel, { passive: false });
  canvas.addEventListener("pointerdown", press);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => {
    map.hovered = -1;
    tell(map.selected);
    drawSoon();
  });
  scroller.addEventListener("scroll", drawSoon, { passive: true });
  byId("smaller").addEventListener("click", () => zoom(-1));
  byId("larger").addEventListener("click", () => zoom(1));
  byId("fit").addEventListener("click", fit);
  layOut();
  select(0);
  const again = () => {
    layOut(map.fitted ? undefined : map.cell, map.selected, map.height / 2);
    show(map.selected);
  };
  window.addEventListener("resize", again);
  // The page opens beside the map, or is closed.
  new ResizeObserver(() => scroller.clientWidth === map.width || again()).observe(scroller);
}
