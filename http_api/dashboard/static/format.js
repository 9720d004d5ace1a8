// Numbers, money and times as people read them.

import { el } from "./dom.js";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const compact = (value) => (value === null || value === undefined ? "–" : value < 10_000 ? whole.format(value) : short.format(value));

/** Dollars, with as many digits as a small amount needs; null is not known. */
export function money(value) {
  if (value === null || value === undefined) return "unknown";
  if (value === 0) return "$0";
  const size = Math.abs(value);
  if (size < 0.000001) return "<$0.000001";
  const digits = size >= 100 ? 2 : size >= 0.1 ? 4 : 6;
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** A length of time in its two largest units. */
export function duration(seconds) {
  const parts = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [unit, size] of UNITS) {
    const amount = Math.floor(rest / size);
    if (amount) parts.push(`${amount} ${unit === "second" ? "s" : unit === "minute" ? "min" : unit === "hour" ? "h" : "d"}`);
    rest -= amount * size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  const power = Math.min(3, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(1)} ${["", "KiB", "MiB", "GiB"][power]}`;
}

/** How long ago something was, or how soon it will be. */
export function ago(text, now = Date.now()) {
  const seconds = (new Date(text) - now) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  return relative.format(Math.trunc(seconds / size), unit);
}

/** A time element: relative to read, exact on hover. */
export function when(text, { exact = false } = {}) {
  if (!text) return "–";
  const full = new Date(text).toLocaleString();
  return el("time", { datetime: text, title: `${full} (${text})` }, exact ? full : ago(text));
}

/** The date of today in UTC, which is what days are in. */
export const today = (days = 0) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
