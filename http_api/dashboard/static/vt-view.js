// Shows a terminal's screen: a line for each row, a span for each run of one pen, text nodes in them and nothing else.

import { el } from "./dom.js";
import { BLANK } from "./vt-cells.js";
import { sentBy } from "./vt-keys.js";
import { Parser } from "./vt-parser.js";
import { Screen } from "./vt-screen.js";

const SMALLEST = { columns: 20, rows: 6 };
const LARGEST = { columns: 500, rows: 300 };

/** A terminal to look at and type into. `onInput(text)`, `onPaste(text)` and `onResize(columns, rows)` are told what the reader does. */
export class TerminalView {
  constructor({ onInput, onPaste, onResize }) {
    this.onInput = onInput;
    this.onPaste = onPaste;
    this.onResize = onResize;
    this.screen = new Screen(80, 24);
    this.parser = new Parser(this.screen);
    this.past = el("div", { class: "vt-past" });
    this.lines = el("div", { class: "vt-lines" });
    this.typed = el("textarea", { class: "vt-typed", "aria-label": "Terminal input", spellcheck: "false", autocomplete: "off", autocapitalize: "off", rows: 1 });
    this.node = el("div", { class: "vt", tabindex: "-1" }, this.past, this.lines, this.typed);
    this.shownPast = 0;
    this.drawn = [];
    this.waiting = 0;
    this.listen();
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(this.node);
  }

  write(text) {
    this.parser.feed(text);
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.draw());
  }

  focus() {
    this.typed.focus({ preventScroll: true });
  }

  /** What is typed goes to a program again. */
  begin() {
    this.node.classList.remove("ended");
  }

  /** The program has ended: what came of it is drawn now. */
  end() {
    if (this.waiting) {
      cancelAnimationFrame(this.waiting);
      this.draw();
    }
    this.node.classList.add("ended");
  }

  /** Nothing can be typed any more. */
  close() {
    this.end();
    this.watcher.disconnect();
    this.typed.disabled = true;
  }

  /** As many columns and rows as there is room for. */
  fit() {
    const probe = el("span", { class: "vt-probe" }, "M".repeat(20));
    this.node.append(probe);
    const box = probe.getBoundingClientRect();
    probe.remove();
    if (!box.width || !this.node.clientWidth) return;
    const room = (length, size, name) => Math.max(SMALLEST[name], Math.min(LARGEST[name], Math.floor(length / size)));
    const columns = room(this.node.clientWidth - 20, box.width / 20, "columns");
    const rows = room(this.node.clientHeight - 16, box.height, "rows");
    if (columns === this.screen.columns && rows === this.screen.rows) return;
    this.screen.resize(columns, rows);
    this.draw();
    this.onResize(columns, rows);
  }

  draw() {
    this.waiting = 0;
    const { screen, node } = this;
    const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    this.drawPast();
    while (this.lines.childElementCount > screen.rows) this.lines.lastElementChild.remove();
    while (this.lines.childElementCount < screen.rows) this.lines.append(el("div", { class: "vt-line" }));
    screen.grid.forEach((row, y) => this.drawLine(row, y));
    if (atEnd) node.scrollTop = node.scrollHeight;
  }

  drawPast() {
    const { history, scrolledOff, alternate } = this.screen;
    this.past.hidden = alternate;
    const fresh = Math.min(history.length, scrolledOff - this.shownPast);
    this.shownPast = scrolledOff;
    for (const row of history.slice(history.length - fresh)) this.past.append(el("div", { class: "vt-line" }, spans(row, -1)));
    while (this.past.childElementCount > history.length) this.past.firstElementChild.remove();
  }

  drawLine(row, y) {
    const cursor = y === this.screen.y && this.screen.modes.cursor ? this.screen.x : -1;
    const key = row.map((cell) => cell.text).join("");
    const before = this.drawn[y];
    if (before && before.cursor === cursor && before.key === key && before.cells.length === row.length && row.every((cell, at) => cell === before.cells[at])) return;
    this.drawn[y] = { cursor, key, cells: [...row] };
    this.lines.children[y].replaceChildren(...spans(row, cursor));
  }

  listen() {
    const { node, typed } = this;
    node.addEventListener("mouseup", () => { if (getSelection().isCollapsed) this.focus(); });
    node.addEventListener("keydown", (event) => this.key(event));
    typed.addEventListener("input", (event) => { if (!event.isComposing) this.flush(); });
    typed.addEventListener("compositionend", () => this.flush());
    node.addEventListener("paste", (event) => {
      event.preventDefault();
      const text = event.clipboardData.getData("text/plain");
      if (text) this.onPaste(text);
    });
  }

  flush() {
    const text = this.typed.value;
    this.typed.value = "";
    if (text) this.onInput(text.replace(/\n/g, "\r"));
  }

  key(event) {
    if (event.key === "F6" && event.shiftKey) return this.leave(event);
    if (event.ctrlKey && event.shiftKey) return undefined;
    if (event.ctrlKey && event.key.toLowerCase() === "c" && !getSelection().isCollapsed) return undefined;
    if (event.ctrlKey && event.key.toLowerCase() === "v") return this.focus();
    if (document.activeElement !== this.typed) this.focus();
    const sent = sentBy(event, this.screen.modes);
    if (sent === null) return undefined;
    event.preventDefault();
    this.onInput(sent);
    return undefined;
  }

  leave(event) {
    event.preventDefault();
    this.node.dispatchEvent(new CustomEvent("leave", { bubbles: true }));
  }
}

/** The spans of a row; the cell under the cursor is one of its own. Blanks at the end are left away. */
function spans(row, cursor) {
  let end = row.length;
  while (end > 0 && row[end - 1] === BLANK && end - 1 !== cursor) end--;
  const made = [];
  for (let at = 0; at < end;) {
    const first = row[at];
    let text = first.text;
    let next = at + 1;
    while (next < end && at !== cursor && next !== cursor && (row[next].pen === first.pen || row[next].width === 0)) text += row[next++].text;
    while (next < end && row[next].width === 0) next++;
    made.push(span(text || " ", first.pen, at === cursor));
    at = next;
  }
  return made;
}

function span(text, pen, cursor) {
  const [fg, bg] = pen.inverse ? [pen.bg ?? "back", pen.fg ?? "fore"] : [pen.fg, pen.bg];
  const names = ["bold", "dim", "italic", "underline", "strike", "hidden"].filter((name) => pen[name]).map((name) => `vt-${name}`);
  const numbered = (kind, colour) => (typeof colour === "number" ? `vt-${kind}-${colour}` : colour === "back" || colour === "fore" ? `vt-${kind}-${colour}` : null);
  const node = el("span", { class: [...names, numbered("fg", fg), numbered("bg", bg), cursor && "vt-cursor"].filter(Boolean).join(" ") || null }, text);
  if (exact(fg)) node.style.color = `rgb(${fg})`;
  if (exact(bg)) node.style.backgroundColor = `rgb(${bg})`;
  return node;
}

const exact = (colour) => typeof colour === "string" && /^\d+, \d+, \d+$/.test(colour);
