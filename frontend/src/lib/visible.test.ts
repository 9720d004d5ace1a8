import { expect, test } from "vitest";
import { visible } from "./visible";

test("invisible characters are written as codes, visible ones are kept", () => {
  expect(visible("a\u202eb\u200b\u009f\n\t日本 é 👍")).toBe("a\\u202eb\\u200b\\u009f\n\t日本 é 👍");
});
