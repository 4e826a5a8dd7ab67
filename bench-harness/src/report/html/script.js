"use strict";
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);

  // Theme: system, light, dark. Storage may be refused for a local file; the button then works without memory.
  const themes = ["system", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("strata-theme"); } catch { return null; } };
  const setTheme = (name) => {
    if (name === "system") delete root.dataset.theme; else root.dataset.theme = name;
    $("theme").textContent = "Theme: " + name;
  };
  setTheme(themes.includes(stored()) ? stored() : "system");
  $("theme").hidden = false;
  $("theme").addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
    setTheme(next);
    try { localStorage.setItem("strata-theme", next); } catch { /* not kept */ }
  });

  // Tooltip, kept inside the window.
  const tip = $("tip");
  const show = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - width - 6)) + "px";
    tip.style.top = (y + 18 + height > innerHeight ? Math.max(6, y - height - 12) : y + 18) + "px";
  };
  const hide = () => { tip.hidden = true; for (const line of document.querySelectorAll(".cross")) line.remove(); };

  // Resident set of every strategy at one moment, out of the data that the page carries.
  const matrix = JSON.parse($("matrix").textContent);
  const cells = new Map();
  for (const cell of matrix.cells) {
    const key = cell.workload + "\n" + cell.threads;
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(cell);
  }
  const size = (kib) => kib < 1024 ? kib + " KiB" : kib < 1048576 ? (kib / 1024).toPrecision(3) + " MiB" : (kib / 1048576).toPrecision(3) + " GiB";
  const moment = (plot, event) => {
    const { left, right, top, bottom, ms, workload, threads } = plot.dataset;
    const matrixOfScreen = plot.getScreenCTM();
    if (!matrixOfScreen || !(ms > 0)) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrixOfScreen.inverse());
    const x = Math.min(Math.max(at.x, +left), +right);
    const time = (x - left) / (right - left) * ms;
    const rows = [];
    for (const cell of cells.get(workload + "\n" + threads) || []) {
      if (cell.status !== "ok" || !cell.timeline.length) continue;
      const last = cell.timeline[cell.timeline.length - 1];
      if (time > last.ms) { rows.push([-1, cell.strategy + ": ended after " + last.ms.toPrecision(3) + " ms"]); continue; }
      let sample = cell.timeline[0];
      for (const next of cell.timeline) { if (next.ms > time) break; sample = next; }
      rows.push([sample.rss_kib, cell.strategy + ": " + size(sample.rss_kib)]);
    }
    rows.sort((a, b) => b[0] - a[0]);
    for (const line of document.querySelectorAll(".cross")) line.remove();
    const cross = document.createElementNS(plot.namespaceURI, "line");
    for (const [name, value] of Object.entries({ class: "cross", x1: x, x2: x, y1: top, y2: bottom })) cross.setAttribute(name, value);
    plot.append(cross);
    show("at " + (time < 2000 ? time.toFixed(0) + " ms" : (time / 1000).toPrecision(3) + " s") + "\n" + rows.map((row) => row[1]).join("\n"), event.clientX, event.clientY);
  };
  const point = (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const plot = target && target.closest(".time");
    if (plot) return moment(plot, event);
    const told = target && target.closest("[data-tip]");
    hide();
    if (told && told.dataset.tip) show(told.dataset.tip, event.clientX, event.clientY);
  };
  addEventListener("pointermove", point);
  addEventListener("pointerdown", point);
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("pointerleave", hide);

  // A pressed key of the legend sets its strategy off from the others, in every plot.
  const keys = [...document.querySelectorAll(".key")];
  const focus = (chosen) => {
    document.body.classList.toggle("dim", chosen.size > 0);
    for (const mark of document.querySelectorAll(".plot .s")) mark.classList.toggle("on", chosen.has(mark.dataset.s));
  };
  const chosen = new Set();
  for (const key of keys) {
    key.addEventListener("click", () => {
      const on = !chosen.has(key.dataset.s);
      if (on) chosen.add(key.dataset.s); else chosen.delete(key.dataset.s);
      key.setAttribute("aria-pressed", String(on));
      focus(chosen);
    });
  }

  // Sorting and filtering the table of all cells. Cells without a figure stay last in both directions.
  const body = $("cells").tBodies[0];
  const rows = [...body.rows];
  const heads = [...$("cells").tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    return cell.classList.contains("num") ? Number(cell.textContent) : cell.textContent;
  };
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "number" ? x - y : x.localeCompare(y);
      return up ? order : -order;
    });
    body.append(...rows);
  }));
  const filter = $("filter");
  document.querySelector(".tools").hidden = false;
  const sift = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    $("shown").textContent = shown + " of " + rows.length + " cells";
  };
  filter.addEventListener("input", sift);
  sift();
})();
