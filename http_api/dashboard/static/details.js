// What the gateway says in structures, for people to read: lists and names instead of brackets.

import { el } from "./dom.js";

const CAPITAL = /[A-Z]/g;
const plain = (value) => value === null || typeof value !== "object";
const words = (name) => name.replace(CAPITAL, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");

/** Any value as text, lists and named rows; null where there is nothing in it. */
export function readable(value) {
  if (value === "" || value === null || value === undefined) return null;
  if (plain(value)) return el("p", {}, String(value));
  if (Array.isArray(value)) return value.length ? el("ul", {}, value.map((item) => el("li", {}, inList(item)))) : null;
  const rows = Object.entries(value).filter(([, inner]) => inner !== null && !(typeof inner === "object" && !Object.keys(inner).length));
  return rows.length ? el("dl", {}, rows.map(([name, inner]) => [el("dt", {}, words(name)), el("dd", {}, plain(inner) ? String(inner) : readable(inner))])) : null;
}

/** An item whose values are all plain, such as a model and a reason, is one line. */
function inList(item) {
  if (plain(item)) return String(item);
  const values = Object.values(item);
  return !Array.isArray(item) && values.every(plain) ? values.filter((value) => value !== null && value !== "").join(": ") : readable(item);
}
