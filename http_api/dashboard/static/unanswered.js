// Why nobody could answer a chat, and where to do something about it.

import { get } from "./api.js";
import { el } from "./dom.js";
import { code, errorBox } from "./parts.js";
import { keyless } from "./readiness.js";

/** The error of a chat. Where providers of the models that it could go to have no key, it says so, and where to set one. */
export async function unanswered(error, context) {
  const dropped = Array.isArray(error.details?.dropped) ? error.details.dropped : [];
  if (!["no_model_available", "no_suitable_model"].includes(error.code) || !dropped.length || !context.may("models:read")) return errorBox(error);
  const without = await keylessOf(dropped.map((each) => each.model)).catch(() => []);
  return without.length ? told(error, without, dropped) : errorBox(error);
}

/** The names of those providers of these models that lack a key. */
async function keylessOf(ids) {
  const [{ data }, { providers }] = await Promise.all([get("/v1/models"), get("/v1/providers")]);
  const names = new Set(data.filter((model) => ids.includes(model.id)).map((model) => model.provider));
  return providers.filter((provider) => names.has(provider.name) && keyless(provider)).map((provider) => provider.name);
}

function told(error, without, dropped) {
  const several = dropped.length > 1;
  const place = el("a", { href: "#/providers" }, "Providers");
  return el("div", { class: "error", role: "alert" },
    el("p", {}, several ? "Nobody can answer: none of the models that this may go to can be asked." : error.message),
    el("p", {}, `${listed(without)} ${without.length === 1 ? "has" : "have"} no API key. Set ${without.length === 1 ? "it" : "one"} in the view `, place, ", or choose another model."),
    several && el("details", {}, el("summary", {}, `Why, for each of ${dropped.length} models`), el("ul", {}, dropped.map(({ model, reason }) => el("li", {}, code(model), `: ${reason}`)))),
    error.requestId && el("p", { class: "hint" }, `Request id ${error.requestId}.`));
}

const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);
