/** Numbers, money and times as people read them. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const SECOND: readonly [Intl.RelativeTimeFormatUnit, number, string] = ["second", 1, "s"];
const UNITS = [["day", 86_400, "d"], ["hour", 3600, "h"], ["minute", 60, "min"], SECOND] as const;
type Maybe = number | null | undefined;

export const count = (value: Maybe): string => (value === null || value === undefined ? "–" : whole.format(value));
export const compact = (value: Maybe): string => (value === null || value === undefined ? "–" : value < 10_000 ? whole.format(value) : short.format(value));

/** Dollars, with as many digits as a small amount needs; null is not known. */
export function money(value: Maybe): string {
  if (value === null || value === undefined) return "unknown";
  if (value === 0) return "$0";
  const size = Math.abs(value);
  if (size < 0.000001) return "<$0.000001";
  const digits = size >= 100 ? 2 : size >= 0.1 ? 4 : 6;
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** A length of time in its two largest units. */
export function duration(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [, size, unit] of UNITS) {
    const amount = Math.floor(rest / size);
    if (amount) parts.push(`${amount} ${unit}`);
    rest -= amount * size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const power = Math.min(3, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(1)} ${["", "KiB", "MiB", "GiB"][power]}`;
}

/** How long ago a time was, or how soon it will be. */
export function ago(text: string, now = Date.now()): string {
  const seconds = (new Date(text).getTime() - now) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? SECOND;
  return relative.format(Math.trunc(seconds / size), unit);
}

/** A date in UTC, `days` from today. */
export const today = (days = 0, now = Date.now()): string => new Date(now + days * 86_400_000).toISOString().slice(0, 10);
