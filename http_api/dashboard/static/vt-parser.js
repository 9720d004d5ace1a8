// Reads a terminal's output: text, control characters and escape sequences, cut anywhere. It never answers, so output cannot type.

const MOST = 4096;
const LINES = Object.fromEntries([..."`abcdefghijklmnopqrstuvwxyz{|}~"].map((from, at) => [from, "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"[at]]));

export class Parser {
  constructor(screen) {
    this.screen = screen;
    this.state = "text";
    this.kept = "";
    this.sets = [false, false];
    this.shifted = 0;
  }

  feed(text) {
    for (const character of text) this.step(character);
  }

  step(character) {
    if (this.state === "text") return this.text(character);
    if (this.state === "string") return this.string(character);
    if (character === "\x18" || character === "\x1a") return this.to("text");
    if (character === "\x1b") return this.to("escape");
    if (character < " ") return this.control(character);
    if (this.state === "escape") return this.escape(character);
    if (this.state === "charset") return this.charset(character);
    return this.sequence(character);
  }

  to(state) {
    this.state = state;
    this.kept = "";
  }

  text(character) {
    if (character === "\x1b") this.to("escape");
    else if (character === "\x9b") this.to("csi");
    else if (character < " " || character === "\x7f") this.control(character);
    else if (character >= "\x80" && character < "\xa0") return;
    else this.screen.print(this.sets[this.shifted] ? LINES[character] ?? character : character);
  }

  control(character) {
    const { screen } = this;
    if (character === "\r") screen.carriageReturn();
    else if (character === "\n" || character === "\v" || character === "\f") {
      screen.lineFeed();
      if (screen.modes.newline) screen.carriageReturn();
    } else if (character === "\b") screen.backspace();
    else if (character === "\t") screen.tab();
    else if (character === "\x0e") this.shifted = 1;
    else if (character === "\x0f") this.shifted = 0;
  }

  escape(character) {
    if (character === "[") return this.to("csi");
    if (character === "]" || character === "P" || character === "X" || character === "^" || character === "_") {
      this.to("string");
      this.kept = character;
      return undefined;
    }
    if ("()*+-./#% ".includes(character)) {
      this.to("charset");
      this.kept = character;
      return undefined;
    }
    this.to("text");
    return ESCAPES[character]?.(this.screen, this);
  }

  charset(character) {
    const which = "()".indexOf(this.kept);
    if (which >= 0) this.sets[which] = character === "0";
    this.to("text");
  }

  string(character) {
    if (character === "\x07" || character === "\x9c" || (character === "\\" && this.kept.endsWith("\x1b"))) {
      const [, number, title] = /^\](\d+);([^\x1b]*)/.exec(this.kept) ?? [];
      if (number === "0" || number === "2") this.screen.title = title.slice(0, 200);
      return this.to("text");
    }
    if (this.kept.endsWith("\x1b")) {
      this.to("escape");
      return this.step(character);
    }
    if (character === "\x18" || character === "\x1a") return this.to("text");
    if (this.kept.length < MOST || character === "\x1b") this.kept += character;
    return undefined;
  }

  sequence(character) {
    if (character < "@") {
      if (this.kept.length < MOST) this.kept += character;
      return;
    }
    const [, mark, numbers, between] = /^([<=>?]?)([0-9;:]*)([ -/]*)/.exec(this.kept);
    this.to("text");
    const parameters = numbers === "" ? [] : numbers.split(/[;:]/).map((part) => Math.min(Number(part || 0), 9999));
    if (mark === "?" && (character === "h" || character === "l")) parameters.forEach((mode) => privateMode(this.screen, mode, character === "h"));
    else if (mark === "" && between === "" && !(character === "m" && numbers.includes(":"))) SEQUENCES[character]?.(this.screen, parameters);
    else if (mark === "" && character === "m") this.screen.style(colons(numbers));
    else if (between === "!" && character === "p") this.screen.reset();
  }
}

/** Colours with colons may have an empty place for a colour space, and underlines a style. */
function colons(numbers) {
  return numbers.split(";").flatMap((group) => {
    const parts = group.split(":").map((part) => (part === "" ? 0 : Number(part)));
    if ((parts[0] === 38 || parts[0] === 48) && parts[1] === 2 && parts.length > 5) parts.splice(2, 1);
    return parts[0] === 4 && parts.length > 1 ? [parts[1] ? 4 : 24] : parts[0] === 58 ? [] : parts;
  });
}

const ESCAPES = {
  7: (screen) => screen.save(),
  8: (screen) => screen.restore(),
  D: (screen) => screen.lineFeed(),
  E: (screen) => { screen.carriageReturn(); screen.lineFeed(); },
  H: (screen) => screen.tabs.add(screen.x),
  M: (screen) => screen.reverseLineFeed(),
  c: (screen, parser) => { screen.reset(); parser.sets = [false, false]; parser.shifted = 0; },
};

const one = (parameters) => Math.max(1, parameters[0] ?? 1);

const SEQUENCES = {
  "@": (screen, given) => screen.insertCells(one(given)),
  A: (screen, given) => screen.moveBy(0, -one(given)),
  B: (screen, given) => screen.moveBy(0, one(given)),
  C: (screen, given) => screen.moveBy(one(given), 0),
  D: (screen, given) => screen.moveBy(-one(given), 0),
  E: (screen, given) => { screen.moveBy(0, one(given)); screen.carriageReturn(); },
  F: (screen, given) => { screen.moveBy(0, -one(given)); screen.carriageReturn(); },
  G: (screen, given) => { screen.x = Math.min(one(given), screen.columns) - 1; screen.pending = false; },
  H: (screen, given) => screen.moveTo(Math.max(1, given[1] ?? 1) - 1, one(given) - 1),
  I: (screen, given) => screen.tab(one(given)),
  J: (screen, given) => screen.eraseScreen(given[0] ?? 0),
  K: (screen, given) => screen.eraseLine(given[0] ?? 0),
  L: (screen, given) => screen.insertLines(one(given)),
  M: (screen, given) => screen.deleteLines(one(given)),
  P: (screen, given) => screen.deleteCells(one(given)),
  S: (screen, given) => screen.scrollUp(one(given)),
  T: (screen, given) => screen.scrollDown(one(given)),
  X: (screen, given) => screen.eraseCells(one(given)),
  Z: (screen, given) => screen.backTab(one(given)),
  "`": (screen, given) => SEQUENCES.G(screen, given),
  a: (screen, given) => screen.moveBy(one(given), 0),
  b: (screen, given) => screen.repeat(one(given)),
  d: (screen, given) => screen.moveTo(screen.x, one(given) - 1),
  e: (screen, given) => screen.moveBy(0, one(given)),
  f: (screen, given) => SEQUENCES.H(screen, given),
  g: (screen, given) => { if ((given[0] ?? 0) === 3) screen.tabs.clear(); else screen.tabs.delete(screen.x); },
  h: (screen, given) => mode(screen, given, true),
  l: (screen, given) => mode(screen, given, false),
  m: (screen, given) => screen.style(given),
  r: (screen, given) => screen.margins(one(given) - 1, (given[1] || screen.rows) - 1),
  s: (screen) => screen.save(),
  u: (screen) => screen.restore(),
};

function mode(screen, numbers, on) {
  for (const number of numbers) {
    if (number === 4) screen.modes.insert = on;
    if (number === 20) screen.modes.newline = on;
  }
}

function privateMode(screen, number, on) {
  if (number === 1) screen.modes.arrows = on;
  else if (number === 6) { screen.modes.origin = on; screen.moveTo(0, 0); }
  else if (number === 7) screen.modes.wrap = on;
  else if (number === 25) screen.modes.cursor = on;
  else if (number === 47 || number === 1047) screen.alternateScreen(on);
  else if (number === 1048) on ? screen.save() : screen.restore();
  else if (number === 1049) {
    if (on) screen.save();
    screen.alternateScreen(on);
    if (!on) screen.restore();
  }
}
