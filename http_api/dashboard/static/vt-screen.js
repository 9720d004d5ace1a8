// A terminal's screen: a grid of cells, a cursor, and what moves and erases on it. Pure; it knows neither sequences nor elements.

import { BLANK, PLAIN, blankRow, cell, erased, penAfter, secondHalf, widthOf } from "./vt-cells.js";

const HISTORY = 3000;

export class Screen {
  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.history = [];
    this.scrolledOff = 0;
    this.title = "";
    this.reset();
  }

  reset() {
    this.grid = Array.from({ length: this.rows }, () => blankRow(this.columns));
    this.other = null;
    this.x = 0;
    this.y = 0;
    this.pen = PLAIN;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.saved = null;
    this.modes = { wrap: true, origin: false, insert: false, cursor: true, arrows: false, newline: false };
    this.pending = false;
    this.tabs = new Set();
    for (let at = 8; at < 500; at += 8) this.tabs.add(at);
    this.last = " ";
  }

  get alternate() {
    return this.other !== null;
  }

  print(character) {
    const width = widthOf(character);
    if (width === 0) return this.combine(character);
    if (this.pending || (width === 2 && this.x === this.columns - 1)) this.wrap();
    if (this.modes.insert) this.insertCells(width);
    this.put(this.x, cell(character, this.pen, width));
    if (width === 2) this.put(this.x + 1, secondHalf());
    this.last = character;
    if (this.x + width >= this.columns) {
      this.x = this.columns - 1;
      this.pending = this.modes.wrap;
    } else this.x += width;
  }

  put(x, made) {
    if (x >= this.columns) return;
    const row = this.grid[this.y];
    if (row[x].width === 0 && made.width !== 0 && x > 0) row[x - 1] = BLANK;
    if (row[x].width === 2 && x + 1 < this.columns) row[x + 1] = BLANK;
    row[x] = made;
  }

  combine(mark) {
    const row = this.grid[this.y];
    const at = this.pending ? this.x : Math.max(0, this.x - 1);
    const base = row[at].width === 0 && at > 0 ? at - 1 : at;
    if (row[base].text.length < 16) row[base] = cell(row[base].text + mark, row[base].pen, row[base].width);
  }

  wrap() {
    if (!this.modes.wrap) return;
    this.x = 0;
    this.lineFeed();
  }

  repeat(times) {
    for (let count = Math.min(times, this.columns * this.rows); count > 0; count--) this.print(this.last);
  }

  carriageReturn() { this.x = 0; this.pending = false; }
  backspace() { this.x = Math.max(0, this.x - 1); this.pending = false; }

  lineFeed() {
    this.pending = false;
    if (this.y === this.bottom) this.scrollUp(1);
    else if (this.y < this.rows - 1) this.y++;
  }

  reverseLineFeed() {
    this.pending = false;
    if (this.y === this.top) this.scrollDown(1);
    else if (this.y > 0) this.y--;
  }

  tab(times = 1) {
    for (let count = Math.min(times, this.columns); count > 0; count--) {
      do this.x++; while (this.x < this.columns - 1 && !this.tabs.has(this.x));
      this.x = Math.min(this.x, this.columns - 1);
    }
  }

  backTab(times = 1) {
    for (let count = Math.min(times, this.columns); count > 0; count--) {
      do this.x--; while (this.x > 0 && !this.tabs.has(this.x));
      this.x = Math.max(this.x, 0);
    }
  }

  /** Go to a place that counts from 0, inside the margins where they are the origin. */
  moveTo(x, y) {
    const [first, last] = this.modes.origin ? [this.top, this.bottom] : [0, this.rows - 1];
    this.x = clamp(x, 0, this.columns - 1);
    this.y = clamp(y + (this.modes.origin ? this.top : 0), first, last);
    this.pending = false;
  }

  moveBy(dx, dy) {
    const top = this.y >= this.top ? this.top : 0;
    const bottom = this.y <= this.bottom ? this.bottom : this.rows - 1;
    this.x = clamp(this.x + dx, 0, this.columns - 1);
    this.y = clamp(this.y + dy, top, bottom);
    this.pending = false;
  }

  margins(top, bottom) {
    if (top >= bottom || bottom >= this.rows) return;
    this.top = top;
    this.bottom = bottom;
    this.moveTo(0, 0);
  }

  scrollUp(times) {
    for (let count = Math.min(times, this.rows); count > 0; count--) {
      const [gone] = this.grid.splice(this.top, 1);
      if (this.top === 0 && !this.alternate) this.remember(gone);
      this.grid.splice(this.bottom, 0, blankRow(this.columns, erased(this.pen)));
    }
  }

  remember(row) {
    this.history.push(row);
    this.scrolledOff++;
    if (this.history.length > HISTORY) this.history.shift();
  }

  scrollDown(times) {
    for (let count = Math.min(times, this.rows); count > 0; count--) {
      this.grid.splice(this.bottom, 1);
      this.grid.splice(this.top, 0, blankRow(this.columns, erased(this.pen)));
    }
  }

  insertLines(times) { this.within(() => this.scrollDown(times)); }
  deleteLines(times) { this.within(() => this.scrollUp(times)); }

  /** Scroll from the cursor's row on; what goes there is not kept. */
  within(scroll) {
    if (this.y < this.top || this.y > this.bottom) return;
    const { top, history, scrolledOff } = this;
    this.top = this.y;
    this.history = [];
    scroll();
    Object.assign(this, { top, history, scrolledOff, x: 0, pending: false });
  }

  insertCells(times) {
    const row = this.grid[this.y];
    row.splice(this.x, 0, ...blankRow(Math.min(times, this.columns), erased(this.pen)));
    row.length = this.columns;
  }

  deleteCells(times) {
    const row = this.grid[this.y];
    const gone = row.splice(this.x, Math.min(times, this.columns - this.x));
    row.push(...blankRow(gone.length, erased(this.pen)));
    this.pending = false;
  }

  eraseCells(times) { this.erase(this.y, this.x, Math.min(this.columns, this.x + times)); }

  eraseLine(how) {
    const [from, to] = [[this.x, this.columns], [0, this.x + 1], [0, this.columns]][how] ?? [0, 0];
    this.erase(this.y, from, to);
  }

  eraseScreen(how) {
    if (how === 3) { this.history = []; return; }
    if (how === 0 || how === 1) this.eraseLine(how);
    const [from, to] = [[this.y + 1, this.rows], [0, this.y], [0, this.rows]][how] ?? [0, 0];
    for (let y = from; y < to; y++) this.grid[y] = blankRow(this.columns, erased(this.pen));
  }

  erase(y, from, to) {
    this.grid[y].fill(erased(this.pen), from, to);
    this.pending = false;
  }

  style(parameters) { this.pen = penAfter(this.pen, parameters); }

  save() { this.saved = { x: this.x, y: this.y, pen: this.pen, origin: this.modes.origin }; }

  restore() {
    const { x, y, pen, origin } = this.saved ?? { x: 0, y: 0, pen: PLAIN, origin: false };
    this.modes.origin = origin;
    Object.assign(this, { x: clamp(x, 0, this.columns - 1), y: clamp(y, 0, this.rows - 1), pen, pending: false });
  }

  /** To the screen of full-screen programs, or back. */
  alternateScreen(on) {
    if (on === this.alternate) return;
    if (on) {
      this.other = this.grid;
      this.grid = Array.from({ length: this.rows }, () => blankRow(this.columns));
    } else {
      this.grid = this.other.map((row) => fit(row, this.columns));
      this.other = null;
      while (this.grid.length < this.rows) this.grid.push(blankRow(this.columns));
      while (this.grid.length > this.rows) this.remember(this.grid.shift());
    }
  }

  resize(columns, rows) {
    this.grid = this.grid.map((row) => fit(row, columns));
    while (this.grid.length > rows) {
      if (this.y < rows) this.grid.pop();
      else {
        const gone = this.grid.shift();
        if (!this.alternate) this.remember(gone);
        this.y--;
      }
    }
    while (this.grid.length < rows) this.grid.push(blankRow(columns));
    Object.assign(this, { columns, rows, top: 0, bottom: rows - 1, x: Math.min(this.x, columns - 1), pending: false });
    this.y = clamp(this.y, 0, rows - 1);
  }
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const fit = (row, columns) => [...row.slice(0, columns), ...blankRow(Math.max(0, columns - row.length))];
