import { expect, test } from "vitest";
import { fits, parseFilter } from "./filter";

test("words and fields are told apart, and colons in ids stay words", () => {
  const filter = parseFilter("GPT layer:L1 openrouter/x:free", ["layer"]);
  expect(filter.words).toEqual(["gpt", "openrouter/x:free"]);
  expect(fits(filter, "openrouter/x:free gpt", { layer: "L1" })).toBe(true);
  expect(fits(filter, "openrouter/x:free gpt", { layer: "L2" })).toBe(false);
});
