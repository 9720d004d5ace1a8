/** Text that grows, cut into parts that no longer change. */

/** The parts of a text that no longer change while more is added: each ends before a blank line outside of a fence. */
export function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let lines: string[] = [];
  let fence = "";
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark && !fence) fence = mark;
    else if (mark && fence && mark.startsWith(fence)) fence = "";
    lines.push(line);
    if (!fence && line.trim() === "" && lines.some((one) => one.trim())) {
      blocks.push(lines.join("\n"));
      lines = [];
    }
  }
  if (lines.length) blocks.push(lines.join("\n"));
  return blocks;
}
