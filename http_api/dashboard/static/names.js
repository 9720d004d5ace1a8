// Names for what the API names by its id.

import { get } from "./api.js";

/** From the ids of API keys to their names, for those who may see them; else nothing is known. */
export async function keyNames(context) {
  if (!context.may("admin")) return new Map();
  const { keys } = await get("/v1/keys");
  return new Map(keys.map((key) => [key.id, key.name]));
}
