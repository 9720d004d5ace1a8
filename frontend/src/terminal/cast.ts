/** Recordings in the form of asciinema (version 2): their parts, and where a text is. */

export interface Cast {
  cols: number;
  rows: number;
  duration: number;
  events: { at: number; kind: "o" | "r"; data: string }[];
}

/** Read a recording. Raises Error where it is not one. */
export function castOf(text: string): Cast {
  const [first = "", ...lines] = text.split("\n").filter(Boolean);
  const header = JSON.parse(first) as { version?: number; width?: number; height?: number };
  if (header.version !== 2 || !header.width || !header.height) throw new Error("This is not a recording of asciinema, version 2.");
  const events: Cast["events"] = [];
  for (const line of lines) {
    const [at, kind, data] = JSON.parse(line) as [number, string, string];
    if (kind === "o" || kind === "r") events.push({ at, kind, data });
  }
  return { cols: header.width, rows: header.height, duration: events.at(-1)?.at ?? 0, events };
}

const CONTROLS = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\^_])/g;

/** The times at which a text was written, also where it came in several parts. */
export function timesOf(cast: Cast, wanted: string): number[] {
  const needle = wanted.toLowerCase();
  if (!needle) return [];
  const starts: number[] = [];
  let plain = "";
  for (const { kind, data } of cast.events) {
    starts.push(plain.length);
    if (kind === "o") plain += data.replace(CONTROLS, "").toLowerCase();
  }
  const found: number[] = [];
  let event = 0;
  for (let place = plain.indexOf(needle); place >= 0; place = plain.indexOf(needle, place + needle.length)) {
    const end = place + needle.length;
    while (event + 1 < starts.length && (starts[event + 1] ?? 0) < end) event += 1;
    found.push(cast.events[event]?.at ?? 0);
  }
  return found;
}
