// What keys send to a terminal (PC-style function keys, as xterm does).

const LETTERS = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", End: "F", Home: "H" };
const NUMBERS = { Insert: 2, Delete: 3, PageUp: 5, PageDown: 6, F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24 };
const FUNCTIONS = { F1: "P", F2: "Q", F3: "R", F4: "S" };
const ASIDE = { "@": "\0", " ": "\0", "[": "\x1b", "\\": "\x1c", "]": "\x1d", "^": "\x1e", "_": "\x1f", "?": "\x7f" };

/** What a pressed key sends; null where the browser is to do with it what it does. */
export function sentBy(event, { arrows }) {
  if (event.isComposing || event.metaKey) return null;
  const modifiers = 1 + (event.shiftKey ? 1 : 0) + (event.altKey ? 2 : 0) + (event.ctrlKey ? 4 : 0);
  const { key } = event;
  if (key in LETTERS) return modifiers > 1 ? `\x1b[1;${modifiers}${LETTERS[key]}` : `\x1b${arrows ? "O" : "["}${LETTERS[key]}`;
  if (key in NUMBERS) return modifiers > 1 ? `\x1b[${NUMBERS[key]};${modifiers}~` : `\x1b[${NUMBERS[key]}~`;
  if (key in FUNCTIONS) return modifiers > 1 ? `\x1b[1;${modifiers}${FUNCTIONS[key]}` : `\x1bO${FUNCTIONS[key]}`;
  const escape = event.altKey ? "\x1b" : "";
  if (key === "Enter") return `${escape}\r`;
  if (key === "Backspace") return `${escape}${event.ctrlKey ? "\b" : "\x7f"}`;
  if (key === "Tab") return event.shiftKey ? "\x1b[Z" : "\t";
  if (key === "Escape") return "\x1b";
  if (event.ctrlKey && !event.altKey && key.length === 1) return control(key);
  if (event.altKey && !event.ctrlKey && key.length === 1 && key < "\x7f") return `\x1b${key}`;
  return null;
}

function control(key) {
  const letter = key.toLowerCase();
  if (letter >= "a" && letter <= "z") return String.fromCharCode(letter.charCodeAt(0) - 96);
  return ASIDE[key] ?? null;
}
