// Which models can answer now, and why the others cannot.

import { get } from "./api.js";

const REASONS_FOR = 120_000;

/** Whether a model can be asked. `providers` is from names to whether they are ready, as GET /health has it. */
export const able = (model, layer, providers) => layer.enabled && model.enabled && providers[model.provider] === true;

/** Why a provider cannot be asked, in a few words; nothing when it can. It is one of GET /v1/providers. */
export function withoutProvider(provider) {
  if (!provider) return "no such provider";
  if (!provider.enabled) return "provider is off";
  if (provider.healthy) return "";
  return keyless(provider) ? "no API key" : provider.detail || "provider is not ready";
}

/** Whether a key is all that a provider lacks. */
export const keyless = (provider) => !provider.configured && !provider.hasKey && provider.dialect !== "local";

/** From the names of providers to why each cannot be asked. */
export const reasonsOf = (providers) => new Map(providers.map((provider) => [provider.name, withoutProvider(provider)]));

/** Why a model cannot answer; nothing when it can. `why` is what `reasonsOf` gives. */
export function notReady(model, layer, why) {
  if (!model.enabled) return "off";
  if (!layer.enabled) return "layer is off";
  return why.get(model.provider) ?? "not ready";
}

/** Why some models cannot answer, each reason once with the providers that it is true of. */
export function summed(models, layer, why) {
  const found = new Map();
  for (const model of models) {
    const reason = notReady(model, layer, why);
    found.set(reason, new Set([...(found.get(reason) ?? []), model.provider]));
  }
  return [...found].map(([reason, providers]) => `${reason} (${[...providers].join(", ")})`).join("; ");
}

/** Asks for the reasons, when other providers are ready than before and now and then; without the scope there are none. */
export function reasons() {
  let key = "";
  let asked = 0;
  let found = new Map();
  return async (ready) => {
    const now = JSON.stringify(ready);
    if (now === key && Date.now() - asked < REASONS_FOR) return found;
    try {
      found = reasonsOf((await get("/v1/providers")).providers);
      [key, asked] = [now, Date.now()];
    } catch {
      // they are asked for again with the next look
    }
    return found;
  };
}
