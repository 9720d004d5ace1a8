/** Names for the things that the API names by their ids. */

import { get } from "../api/client";
import type { Known } from "../app/context";

/** The names of API keys by id, for callers who may see them; else an empty map. */
export async function keyNames(known: Known): Promise<Map<string, string>> {
  if (!known.may("admin")) return new Map();
  const { keys } = await get("/v1/keys");
  return new Map(keys.map((key) => [key.id, key.name]));
}
