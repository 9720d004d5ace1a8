// The forms that add a model and change one.

import { part, post, put } from "./api.js";
import { formDialog } from "./forms.js";
import { notify } from "./parts.js";

const LAYERS = ["L0", "L1", "L2", "L3"].map((name) => [name, name]);
const ABILITIES = ["code", "reasoning", "vision", "tools"].map((name) => [name, name]);

export function addModel(providers, done) {
  formDialog("Add a model", [
    { name: "id", label: "Id", required: true, placeholder: "provider/model", hint: "Letters, digits and . : / + - _ @ ~; it cannot be changed later." },
    ...fields({ layer: "L0", priority: 0, enabled: true, capabilities: {} }, providers),
  ], {
    action: "Add", wide: true,
    submit: async (given) => {
      await post("/v1/models", sent(given));
      notify(`${given.id} is added.`);
      await done();
    },
  });
}

export function changeModel(model, providers, done) {
  formDialog(`Edit ${model.id}`, fields(model, providers), {
    wide: true,
    submit: async (given) => {
      const empty = { pricePer1kInputTokens: null, pricePer1kOutputTokens: null, contextWindow: null };
      await put(`/v1/models/${part(model.id)}`, { ...empty, ...sent(given, model.capabilities) });
      notify(`${model.id} is changed.`);
      await done();
    },
  });
}

function fields(model, providers) {
  return [
    { name: "provider", label: "Provider", type: "select", options: providers.map((name) => [name, name]), value: model.provider ?? providers[0] },
    { name: "apiModelName", label: "Name at the provider", required: true, value: model.apiModelName },
    { name: "layer", label: "Layer", type: "select", options: LAYERS, value: model.layer },
    { name: "priority", label: "Priority", type: "number", min: 0, step: 1, value: model.priority, hint: "0 is asked first." },
    { name: "contextWindow", label: "Context window (tokens)", type: "number", min: 1, step: 1, value: model.contextWindow ?? "" },
    { name: "inPrice", label: "Dollars for 1M input tokens", type: "number", min: 0, step: "any", value: perMillion(model.pricePer1kInputTokens), hint: "Empty: the gateway's price list decides." },
    { name: "outPrice", label: "Dollars for 1M output tokens", type: "number", min: 0, step: "any", value: perMillion(model.pricePer1kOutputTokens) },
    { name: "can", label: "What it can do besides chat", type: "checks", options: ABILITIES, value: ABILITIES.map(([name]) => name).filter((name) => model.capabilities[name]) },
    { name: "enabled", label: "On", type: "check", value: model.enabled },
  ];
}

function sent({ inPrice, outPrice, can, ...rest }, before = {}) {
  const capabilities = { ...before, ...Object.fromEntries(ABILITIES.map(([name]) => [name, can.includes(name)])) };
  return {
    ...rest, capabilities,
    ...(inPrice === undefined ? {} : { pricePer1kInputTokens: perThousand(inPrice) }),
    ...(outPrice === undefined ? {} : { pricePer1kOutputTokens: perThousand(outPrice) }),
  };
}

const perMillion = (price) => (price === null || price === undefined ? "" : Number((price * 1000).toPrecision(12)));
const perThousand = (price) => Number((price / 1000).toPrecision(12));
