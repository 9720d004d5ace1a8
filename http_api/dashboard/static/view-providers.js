// Providers: how they are, their addresses, their keys (which go in and never come out).

import { del, get, part, post, put } from "./api.js";
import { el } from "./dom.js";
import { formDialog } from "./forms.js";
import { count } from "./format.js";
import { badge, button, card, code, confirmed, notify, table, toggle } from "./parts.js";
import { loader } from "./places.js";

const DIALECTS = [["openai", "OpenAI"], ["anthropic", "Anthropic"], ["ollama", "Ollama"]];

export const providers = {
  id: "providers",
  title: "Providers",
  scope: "models:read",
  render(context) {
    const admin = context.may("admin");
    const reload = () => place.reload();
    const place = loader(async () => card(null, table(columns(admin, reload), (await get("/v1/providers")).providers, { label: "Providers" })));
    return [el("div", { class: "head" }, el("h1", {}, "Providers"), admin && button("Add a provider", () => add(reload), { kind: "primary" })), place];
  },
};

function columns(admin, reload) {
  const turn = (provider) => async (enabled) => {
    try {
      await put(`/v1/providers/${part(provider.name)}`, { enabled });
    } finally {
      await reload();
    }
  };
  const shown = [
    { title: "On", cell: (provider) => toggle(provider.enabled, `${provider.name} on`, turn(provider), { disabled: !admin }) },
    { title: "Provider", wide: true, cell: (provider) => [provider.name, el("small", {}, code(provider.baseUrl))] },
    { title: "Speaks", cell: (provider) => provider.dialect },
    { title: "Key", cell: (provider) => (provider.hasKey ? badge(provider.keys > 1 ? `${provider.keys} keys` : "set", "good") : badge("none")) },
    { title: "Models", number: true, cell: (provider) => count(provider.models) },
    { title: "Health", wide: true, cell: (provider) => [state(provider), provider.detail && el("small", {}, provider.detail)] },
  ];
  return admin ? [...shown, { title: "", cell: (provider) => actions(provider, reload) }] : shown;
}

function state(provider) {
  if (!provider.enabled) return badge("off");
  if (!provider.configured) return badge("not set up");
  return provider.healthy ? badge("well", "good") : badge("not well", "bad");
}

const actions = (provider, reload) => el("span", { class: "actions" },
  button("Set key", () => setKey(provider, reload), { small: true, name: `Set the key of ${provider.name}` }),
  button("Edit", () => edit(provider, reload), { small: true, name: `Edit ${provider.name}` }),
  button("Reset", async () => {
    if (!(await confirmed(`Reset ${provider.name}?`, "A provider that was added here is gone then; a built-in one is as the settings say again.", "Reset"))) return;
    await del(`/v1/providers/${part(provider.name)}`);
    notify(`${provider.name} is reset.`);
    await reload();
  }, { small: true, kind: "danger", name: `Reset ${provider.name}` }));

function setKey(provider, reload) {
  formDialog(`Key of ${provider.name}`, [
    { name: "apiKey", label: "API key", type: "password", hint: "It is kept encrypted and never shown again. Several keys, with commas between them, take turns. Empty: take the stored one away." },
  ], {
    submit: async ({ apiKey }) => {
      await put(`/v1/providers/${part(provider.name)}`, { apiKey: apiKey ?? "" });
      notify(`The key of ${provider.name} is ${apiKey ? "set" : "taken away"}.`);
      await reload();
    },
  });
}

function edit(provider, reload) {
  formDialog(`Edit ${provider.name}`, [
    { name: "baseUrl", label: "Base URL", required: true, value: provider.baseUrl },
  ], {
    submit: async (given) => {
      await put(`/v1/providers/${part(provider.name)}`, given);
      notify(`${provider.name} is changed.`);
      await reload();
    },
  });
}

function add(reload) {
  formDialog("Add a provider", [
    { name: "name", label: "Name", required: true, placeholder: "my-server", hint: "Small letters, digits, - and _." },
    { name: "baseUrl", label: "Base URL", required: true, placeholder: "http://127.0.0.1:8000/v1" },
    { name: "dialect", label: "It speaks", type: "select", options: DIALECTS },
    { name: "apiKey", label: "API key", type: "password", hint: "If it wants one." },
  ], {
    action: "Add",
    submit: async (given) => {
      await post("/v1/providers", given);
      notify(`${given.name} is added. Its models are added under Models.`);
      await reload();
    },
  });
}
