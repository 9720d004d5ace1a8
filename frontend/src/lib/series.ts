/** Usage as series over time: empty hours and days are zero, groups are stacked. */

import type { UsageGroup } from "../api/types";

export type Step = "hour" | "day";
export type Measure = "costUsd" | "requests" | "attempts" | "failed" | "tokens";
const SIZE: Record<Step, number> = { hour: 3600, day: 86_400 };
export const MOST_SERIES = 7;

export function valueOf(group: UsageGroup, measure: Measure): number {
  return measure === "tokens" ? group.promptTokens + group.completionTokens : (group[measure] ?? 0);
}

/** Epoch seconds of every step in [from, to), both rounded down to whole steps in UTC. */
export function stepsBetween(from: number, to: number, step: Step): number[] {
  const size = SIZE[step];
  const first = Math.floor(from / size) * size;
  const found: number[] = [];
  for (let at = first; at < to; at += size) found.push(at);
  return found;
}

/** The epoch second of a group's name: "2026-12-01" or "2026-12-01T14:00:00.000Z". */
export const secondOf = (group: string): number => Date.parse(group.length === 10 ? `${group}T00:00:00Z` : /Z|[+-]\d\d:\d\d$/.test(group) ? group : `${group}Z`) / 1000;

/** One value for each step; steps without usage are zero. */
export function zeroFilled(groups: UsageGroup[], steps: number[], measure: Measure): number[] {
  const known = new Map(groups.map((group) => [secondOf(group.group), valueOf(group, measure)]));
  return steps.map((at) => known.get(at) ?? 0);
}

/** Sums of each series with those below it, so that areas lie on top of each other. */
export function stacked(series: number[][]): number[][] {
  const sums: number[][] = [];
  for (const values of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, at) => value + (below?.[at] ?? 0)));
  }
  return sums;
}

/** What remains of a total after the named series; never below zero. */
export function remainder(total: number[], series: number[][]): number[] {
  return total.map((value, at) => Math.max(0, value - series.reduce((sum, values) => sum + (values[at] ?? 0), 0)));
}

export interface Range {
  from: number;
  to: number;
  step: Step;
}

/** The time range that an address names: a preset, or two dates with the second included. */
export function rangeOf(query: URLSearchParams, now = Date.now() / 1000): Range {
  const from = Date.parse(query.get("from") ?? "") / 1000;
  const to = Date.parse(query.get("to") ?? "") / 1000;
  if (from && to && from <= to) {
    const exact = (query.get("to") ?? "").length > 10;
    const end = exact ? to : to + SIZE.day;
    return { from, to: end, step: end - from <= 4 * SIZE.day ? "hour" : "day" };
  }
  const hour = Math.floor(now / SIZE.hour) * SIZE.hour;
  const day = Math.floor(now / SIZE.day) * SIZE.day;
  const date = new Date(now * 1000);
  const end = hour + SIZE.hour;
  switch (query.get("range")) {
    case "1h": return { from: hour - SIZE.hour, to: end, step: "hour" };
    case "24h": return { from: end - SIZE.day, to: end, step: "hour" };
    case "7d": return { from: day - 6 * SIZE.day, to: day + SIZE.day, step: "day" };
    case "month": return { from: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / 1000, to: day + SIZE.day, step: "day" };
    default: return { from: day - 29 * SIZE.day, to: day + SIZE.day, step: "day" };
  }
}
