// The cells of a terminal's screen: their pens, and how wide characters are.

export const PLAIN = Object.freeze({ fg: null, bg: null, bold: false, dim: false, italic: false, underline: false, inverse: false, strike: false, hidden: false });
export const BLANK = Object.freeze({ text: " ", pen: PLAIN, width: 1 });
const SECOND_HALF = Object.freeze({ text: "", pen: PLAIN, width: 0 });

const ZERO = /^[\p{Mn}\p{Me}\u200b-\u200f\u2060\ufe00-\ufe0f\u{e0100}-\u{e01ef}]$/u;
const WIDE = /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{1fa70}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/** How many columns a character takes: 0, 1 or 2. */
export function widthOf(character) {
  if (character < "\u0300") return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

export const cell = (text, pen, width) => Object.freeze({ text, pen, width });
export const secondHalf = () => SECOND_HALF;

/** What erasing leaves: blanks on the pen's background. */
export const erased = (pen) => (pen.bg === null ? BLANK : cell(" ", { ...PLAIN, bg: pen.bg }, 1));

export const blankRow = (columns, filler = BLANK) => new Array(columns).fill(filler);

/** The pen after SGR parameters (ECMA-48 8.3.117, with 256 colours and true colour). */
export function penAfter(pen, parameters) {
  let now = { ...pen };
  const list = parameters.length ? parameters : [0];
  for (let at = 0; at < list.length; at++) {
    const value = list[at];
    if (value === 0) now = { ...PLAIN };
    else if (value in ON) now[ON[value]] = true;
    else if (value in OFF) for (const name of OFF[value]) now[name] = false;
    else if (value >= 30 && value <= 37) now.fg = value - 30;
    else if (value >= 40 && value <= 47) now.bg = value - 40;
    else if (value >= 90 && value <= 97) now.fg = value - 82;
    else if (value >= 100 && value <= 107) now.bg = value - 92;
    else if (value === 39) now.fg = null;
    else if (value === 49) now.bg = null;
    else if (value === 38 || value === 48) {
      const [colour, used] = extended(list.slice(at + 1));
      if (colour !== null) now[value === 38 ? "fg" : "bg"] = colour;
      at += used;
    }
  }
  return Object.freeze(now);
}

const ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 8: "hidden", 9: "strike" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 28: ["hidden"], 29: ["strike"] };

/** A colour is a number of the first 16, or "r, g, b". */
function extended([kind, ...rest]) {
  const byte = (value) => Math.max(0, Math.min(255, value | 0));
  if (kind === 5) return [indexed(byte(rest[0] ?? 0)), 2];
  if (kind === 2) return [[rest[0], rest[1], rest[2]].map((value) => byte(value ?? 0)).join(", "), 4];
  return [null, 0];
}

function indexed(index) {
  if (index < 16) return index;
  if (index >= 232) return [8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10].join(", ");
  const level = (value) => (value ? 55 + value * 40 : 0);
  const at = index - 16;
  return [level(Math.floor(at / 36)), level(Math.floor(at / 6) % 6), level(at % 6)].join(", ");
}
