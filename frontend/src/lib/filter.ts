/** Filters of tables as people type them: words, and name:value pairs. */

export interface Filter {
  words: string[];
  fields: Map<string, string>;
}

export function parseFilter(text: string, names: readonly string[]): Filter {
  const filter: Filter = { words: [], fields: new Map() };
  for (const piece of text.trim().toLowerCase().split(/\s+/).filter(Boolean)) {
    const cut = piece.indexOf(":");
    const name = piece.slice(0, cut);
    if (cut > 0 && names.includes(name)) filter.fields.set(name, piece.slice(cut + 1));
    else filter.words.push(piece);
  }
  return filter;
}

/** Whether a row fits: all words are in its text, and each field begins with the value asked for. */
export function fits(filter: Filter, text: string, fields: Record<string, string>): boolean {
  return filter.words.every((word) => text.includes(word)) && [...filter.fields].every(([name, value]) => (fields[name] ?? "").toLowerCase().startsWith(value));
}
