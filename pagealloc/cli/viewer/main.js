// What the document says of the file, and how the page in its address is opened.

function showFacts() {
  document.title = `${file.file}: ${plural(pages, "page")}`;
  byId("file").textContent = file.file;
  const punched = counts[conditionOf.punched];
  const free = file.mapped ? grouped(counts[conditionOf.free] + punched) : "unknown";
  const violations = file.violations.length;
  const facts = { "page size": plural(file.page_bytes, "byte"), pages: grouped(pages),
    "in use": grouped(file.used), free,
    punched: file.mapped ? `${grouped(punched)} of the free` : "unknown", commit: file.commit,
    violations: violations ? `✗ ${grouped(violations)}` : "✓ none", identity: file.identity };
  byId("facts").append(...Object.entries(facts).map(([name, value]) => {
    const kind = name === "violations" ? { class: violations ? "bad" : "good" } : {};
    return make("div", { "data-name": name }, make("dt", {}, name), make("dd", kind, value));
  }));
}

function showViolations() {
  const most = 1000;
  const all = file.violations;
  if (all.length === 0) return;
  byId("violations").hidden = false;
  byId("violations-title").textContent = plural(all.length, "violation");
  const list = byId("violations").querySelector("ul");
  for (const { page, offset, cause } of all.slice(0, most)) {
    const open = make("button", { class: "link", type: "button",
      onclick: () => openPage(page, true) }, `Page ${page}`);
    list.append(make("li", {}, open, `, byte ${grouped(offset)} of the file: ${cause}`));
  }
  if (all.length > most) list.append(make("li", {}, `and ${grouped(all.length - most)} more`));
}

function swatchOf(draw) {
  const swatch = make("canvas", { width: 36, height: 36, "aria-hidden": "true" });
  const pen = swatch.getContext("2d");
  pen.scale(2, 2);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  draw(pen);
  return swatch;
}

/** To the next page of a condition, behind the one that is selected; behind the last, the first. */
function selectNext(isOne) {
  for (let step = 1; step <= pages; ++step) {
    const page = (map.selected + step) % pages;
    if (isOne(page)) return select(page);
  }
}

const isWholeAndMarked = (page) => causesOf.has(page) && conditionAt(page) !== conditionOf.damaged;

function legendEntry(name, count, isOne, swatch, attributes) {
  const button = make("button", { type: "button", title: `To the next page that is ${name}`,
    onclick: () => selectNext(isOne), ...attributes },
  swatch, `${name} `, make("span", { class: "count" }, grouped(count)));
  button.disabled = count === 0;
  return make("li", {}, button);
}
function showLegend() {
  const entries = file.conditions.map((name, index) => legendEntry(name, counts[index],
    (page) => states[page] === index, swatchOf((pen) => drawCell(pen, index, 0, 0, 19)),
    { "data-condition": name }));
  const whole = marked.filter(isWholeAndMarked).length;
  if (whole > 0) {
    entries.push(legendEntry("whole, with a violation", whole, isWholeAndMarked,
      swatchOf((pen) => drawDiamond(pen, 9, 9, 7)), { class: "whole" }));
  }
  byId("legend").replaceChildren(...entries);
}

function openPage(page, focus = false) {
  const address = `#page=${page}`;
  if (location.hash !== address) location.hash = address;
  showPage(page, focus);
}
function closePage() {
  if (location.hash !== "#map") location.hash = "#map";
  hidePage();
}
function followAddress() {
  const found = /^#page=(\d+)$/.exec(location.hash);
  const page = found ? Number(found[1]) : -1;
  if (page < 0) hidePage();
  else if (page >= pages) complain(page);
  else if (section.dataset.page !== String(page)) showPage(page, false);
}

function complain(typed) {
  byId("told").textContent = `There is no page ${typed}: the last is ${pages - 1}.`;
  announce(byId("told").textContent);
}
function goToPage(event) {
  event.preventDefault();
  const input = byId("go-page");
  const typed = input.value.trim().replaceAll(",", "");
  const good = /^\d+$/.test(typed) && Number(typed) < pages;
  input.setAttribute("aria-invalid", !good);
  if (good) openPage(Number(typed), true);
  else complain(typed || "without a number");
}

function anyKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") {
    if (section.hidden) canvas.focus();
    else closePage();
    return;
  }
  if (event.target.tagName === "INPUT") return;
  const actions = { "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1), 0: fit,
    g: () => byId("go-page").select() };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

document.documentElement.dataset.decoded = 0;
showFacts();
showViolations();
startMap();
showLegend();
startPage();
byId("go").addEventListener("submit", goToPage);
document.addEventListener("keydown", anyKey);
window.addEventListener("hashchange", followAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  showLegend();
  drawMap();
});
performance.mark("map drawn");
document.documentElement.dataset.ready = Math.round(performance.now());
followAddress();
