/** Server-sent events from the body of an answer. */

/** Yield the `data` of each event until the stream ends. */
export async function* eventsOf(answer: Response): AsyncGenerator<string> {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parser.feed(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Cuts text that comes in pieces into the `data` of events. */
export class EventParser {
  #rest = "";

  feed(text: string): string[] {
    const events = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = events.pop() ?? "";
    return events.map(dataOf).filter(Boolean);
  }
}

function dataOf(event: string): string {
  return event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
}
