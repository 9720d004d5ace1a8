import { expect, test } from "vitest";
import { visible } from "./visible";

test("characters that nobody sees are written as codes, and others stay", () => {
  expect(visible("a\u202eb\u200b\u009f\n\t日本 é 👍")).toBe("a\\u202eb\\u200b\\u009f\n\t日本 é 👍");
});
