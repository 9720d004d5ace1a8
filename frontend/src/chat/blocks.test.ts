import { expect, test } from "vitest";
import { blocksOf } from "./blocks";

test("a growing text changes its last block alone, and a fence stays whole", () => {
  const text = "one\n\n```py\na\n\nb\n```\n\nend";
  const blocks = blocksOf(text);
  expect(blocks).toEqual(["one\n", "```py\na\n\nb\n```\n", "end"]);
  expect(blocksOf(`${text} more`).slice(0, 2)).toEqual(blocks.slice(0, 2));
});
