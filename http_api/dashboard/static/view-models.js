// The registry: layers with their models, on and off, in order; add, change and delete.

import { aliasesCard } from "./aliases-card.js";
import { del, get, part, put } from "./api.js";
import { el, replace } from "./dom.js";
import { compact, count, money } from "./format.js";
import { addModel, changeModel } from "./model-forms.js";
import { badge, button, card, code, confirmed, notify, quiet, table, toggle } from "./parts.js";
import { into } from "./places.js";
import { able, notReady, reasonsOf } from "./readiness.js";

export const models = {
  id: "models",
  title: "Models",
  scope: "models:read",
  render(context) {
    const view = new Models(context);
    const loaded = view.load();
    return [
      el("div", { class: "head" }, el("h1", {}, "Models"), view.mayWrite && button("Add a model", async () => { await loaded; addModel(view.providers, () => view.load()); }, { kind: "primary" })),
      view.filters, view.place, aliasesCard(view.mayWrite),
    ];
  },
};

class Models {
  constructor(context) {
    this.mayWrite = context.may("models:write");
    this.mayChat = context.may("chat");
    this.place = el("div", {}, quiet("Loading …"));
    this.providers = [];
    this.words = el("input", { type: "search", placeholder: "Filter by id or name", "aria-label": "Filter models", on: { input: () => this.show() } });
    this.provider = el("select", { "aria-label": "Provider", on: { change: () => this.show() } });
    this.state = el("select", { "aria-label": "State", on: { change: () => this.show() } },
      [["", "Ready or not"], ["ready", "Ready"], ["not", "Cannot answer"]].map(([value, text]) => el("option", { value }, text)));
    this.filters = el("div", { class: "filters" }, this.words, this.provider, this.state);
  }

  /** The list, the state of the layers (/health counts against no limit), and the providers. */
  load() {
    return into(this.place, async () => {
      const [list, health, providers] = await Promise.all([get("/v1/models"), get("/health"), get("/v1/providers")]);
      this.all = list.data.filter((model) => !model.virtual);
      this.layers = health.layers;
      this.ready = health.providers;
      this.why = reasonsOf(providers.providers);
      this.providers = providers.providers.map((provider) => provider.name);
      const chosen = this.provider.value;
      replace(this.provider, el("option", { value: "" }, "Every provider"), this.providers.map((name) => el("option", { value: name }, name)));
      this.provider.value = chosen;
      return this.cards();
    });
  }

  show() {
    if (this.layers) replace(this.place, this.cards());
  }

  cards() {
    return Object.entries(this.layers).map(([name, layer]) => this.layer(name, layer));
  }

  layer(name, layer) {
    const all = this.all.filter((model) => model.layer === name).sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1));
    const order = all.map((model) => model.id);
    const ready = all.filter((model) => this.able(model)).length;
    const rows = all.filter((model) => this.wanted(model));
    const turn = (enabled) => this.change(() => put(`/v1/layers/${name}/toggle`, { enabled }), `${name} is ${enabled ? "on" : "off"}.`);
    return card({
      text: `${name} · ${PURPOSE[name]}`,
      actions: [rows.length < all.length && badge(`${rows.length} shown`), badge(`${ready} of ${all.length} ready`, ready ? "good" : ""), toggle(layer.enabled, `Layer ${name} on`, turn, { disabled: !this.mayWrite })],
    }, table(this.columns(name, order), rows, {
      empty: order.length ? "No model of this layer fits the filter." : "No models in this layer.",
      label: `Models of ${name}`, rowClass: (model) => (this.able(model) ? "" : "off"),
    }));
  }

  able(model) {
    return able(model, this.layers[model.layer], this.ready);
  }

  wanted(model) {
    const words = this.words.value.trim().toLowerCase();
    return (!words || `${model.id} ${model.apiModelName}`.toLowerCase().includes(words))
      && (!this.provider.value || model.provider === this.provider.value)
      && (!this.state.value || this.state.value === (this.able(model) ? "ready" : "not"));
  }

  columns(layer, order) {
    const shown = [
      { title: "On", cell: (model) => toggle(model.enabled, `${model.id} on`, (enabled) => this.update(model, { enabled }), { disabled: !this.mayWrite }) },
      { title: "Model", wide: true, cell: (model) => [code(model.id), el("small", {}, model.provider, own(model) && [" · ", model.apiModelName], this.reason(model))] },
      { title: "Can", cell: (model) => el("span", { class: "badges" }, Object.entries(model.capabilities).filter(([name, can]) => can === true && name !== "general").map(([name]) => badge(name))) },
      { title: "Context", number: true, cell: (model) => compact(model.contextWindow) },
      { title: "$ in / 1M", number: true, cell: (model) => perMillion(model.pricePer1kInputTokens) },
      { title: "$ out / 1M", number: true, cell: (model) => perMillion(model.pricePer1kOutputTokens) },
      { title: "Priority", number: true, cell: (model) => count(model.priority) },
    ];
    return this.mayWrite || this.mayChat ? [...shown, { title: "", cell: (model) => this.actions(model, layer, order) }] : shown;
  }

  /** Why it cannot answer, where it is not that it was turned off here. */
  reason(model) {
    return !this.able(model) && model.enabled && [" ", badge(notReady(model, this.layers[model.layer], this.why))];
  }

  actions(model, layer, order) {
    const chat = this.mayChat && this.able(model) && button("Chat", () => { location.hash = `#/chat/${encodeURIComponent(model.id)}`; }, { small: true, name: `Chat with ${model.id}` });
    return el("span", { class: "actions" }, chat, this.mayWrite && this.changes(model, layer, order));
  }

  changes(model, layer, order) {
    const at = order.indexOf(model.id);
    const move = (to) => async () => {
      const ids = order.filter((id) => id !== model.id);
      ids.splice(to, 0, model.id);
      await this.change(() => put(`/v1/layers/${layer}/reorder`, { modelIds: ids }));
    };
    return [
      button("↑", move(at - 1), { small: true, disabled: at <= 0, name: `Move ${model.id} up` }),
      button("↓", move(at + 1), { small: true, disabled: at < 0 || at >= order.length - 1, name: `Move ${model.id} down` }),
      button("Edit", () => changeModel(model, this.providers, () => this.load()), { small: true, name: `Edit ${model.id}` }),
      button("Delete", () => this.remove(model), { small: true, kind: "danger", name: `Delete ${model.id}` }),
    ];
  }

  update(model, fields) {
    return this.change(() => put(`/v1/models/${part(model.id)}`, fields));
  }

  async remove(model) {
    if (await confirmed(`Delete ${model.id}?`, "Nobody can be routed to it any more. It can be added again.", "Delete")) {
      await this.change(() => del(`/v1/models/${part(model.id)}`), `${model.id} is deleted.`);
    }
  }

  async change(request, told) {
    try {
      await request();
      if (told) notify(told);
    } finally {
      await this.load();
    }
  }
}

/** Whether its provider calls it by another name than its id says. */
const own = (model) => !model.id.endsWith(`/${model.apiModelName}`) && model.apiModelName !== model.id;
const PURPOSE = { L0: "free or local", L1: "low cost", L2: "standard", L3: "premium" };
const perMillion = (price) => (price === null || price === undefined ? el("span", { title: "No price is set here; the gateway's price list may know one." }, "–") : money(price * 1000).replace("$", ""));
