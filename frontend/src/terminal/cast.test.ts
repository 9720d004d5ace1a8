import { expect, test } from "vitest";
import { castOf, timesOf } from "./cast";

const CAST = ['{"version": 2, "width": 80, "height": 24}', '[0.5, "o", "he\\u001b[1mllo\\r\\n"]', '[1, "i", "x"]', '[2, "r", "100x30"]', '[3, "o", "wor"]', '[4, "o", "ld hello"]'].join("\n");

test("a recording is read, and texts are found across parts and colours", () => {
  const cast = castOf(CAST);
  expect([cast.cols, cast.rows, cast.duration, cast.events.length]).toEqual([80, 24, 4, 4]);
  expect(timesOf(cast, "Hello")).toEqual([0.5, 4]);
  expect(timesOf(cast, "world")).toEqual([4]);
  expect(timesOf(cast, "")).toEqual([]);
});

test("what is not a recording is refused", () => {
  expect(() => castOf('{"version": 1}')).toThrow();
  expect(() => castOf("<html>")).toThrow();
});
