import { expect, test } from "vitest";
import type { UsageGroup } from "../api/types";
import { rangeOf, remainder, secondOf, stacked, stepsBetween, zeroFilled } from "./series";

const group = (name: string, requests: number) => ({ group: name, requests, promptTokens: 3, completionTokens: 4 }) as UsageGroup;
const at = (text: string) => Date.parse(text) / 1000;

test("hours without usage are zero", () => {
  const steps = stepsBetween(at("2026-12-01T10:00:00Z"), at("2026-12-01T14:00:00Z"), "hour");
  expect(zeroFilled([group("2026-12-01T11:00:00.000Z", 5)], steps, "requests")).toEqual([0, 5, 0, 0]);
  expect(zeroFilled([group("2026-12-01T11:00:00.000Z", 5)], steps, "tokens")).toEqual([0, 7, 0, 0]);
});

test("days without usage are zero", () => {
  const steps = stepsBetween(at("2026-11-29T00:00:00Z"), at("2026-12-02T00:00:00Z"), "day");
  expect(zeroFilled([group("2026-11-30", 2)], steps, "requests")).toEqual([0, 2, 0]);
});

test("times of groups are UTC, however they are written", () => {
  expect(secondOf("2026-12-01")).toBe(at("2026-12-01T00:00:00Z"));
  expect(secondOf("2026-12-01T05:00")).toBe(at("2026-12-01T05:00:00Z"));
});

test("series are stacked, and the rest of the total is what none of them has", () => {
  expect(stacked([[1, 2], [3, 4]])).toEqual([[1, 2], [4, 6]]);
  expect(remainder([5, 1], [[1, 2], [3, 0]])).toEqual([1, 0]);
});

test("a preset ends with the present hour or day, and dates include the last one", () => {
  const now = at("2026-12-03T14:20:00Z");
  expect(rangeOf(new URLSearchParams("range=24h"), now)).toEqual({ from: at("2026-12-02T15:00:00Z"), to: at("2026-12-03T15:00:00Z"), step: "hour" });
  expect(rangeOf(new URLSearchParams("range=month"), now)).toEqual({ from: at("2026-12-01T00:00:00Z"), to: at("2026-12-04T00:00:00Z"), step: "day" });
  expect(rangeOf(new URLSearchParams("from=2026-12-01&to=2026-12-02"), now)).toEqual({ from: at("2026-12-01T00:00:00Z"), to: at("2026-12-03T00:00:00Z"), step: "hour" });
});
