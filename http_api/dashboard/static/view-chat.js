// A playground: chat with a route, a layer or a model, and see who answered, why, and for how much.

import { ApiError, call, get, part, post } from "./api.js";
import { answerBox, planBox } from "./chat-parts.js";
import { decisionBox } from "./decision-box.js";
import { el, replace } from "./dom.js";
import { eventsOf } from "./events.js";
import { button, dialog, working } from "./parts.js";
import { unanswered } from "./unanswered.js";

const kept = { messages: [] };

export const chat = {
  id: "chat",
  title: "Chat",
  scope: "chat",
  render(context, [model]) {
    const view = new Chat(context);
    if (model) view.model.value = model;
    context.onLeave(() => view.stop());
    return [el("h1", {}, "Chat"), el("div", { class: "chat" }, view.log, view.options, view.entry, view.plan)];
  },
};

class Chat {
  constructor(context) {
    this.context = context;
    this.running = null;
    this.log = el("div", { class: "log", "aria-live": "polite", "aria-label": "Conversation" });
    this.plan = el("div", { class: "plan" });
    this.model = picker(context);
    this.options = optionFields(this.model);
    this.text = el("textarea", { rows: 3, placeholder: "Say something. Enter sends, Shift+Enter makes a new line.", "aria-label": "Message", on: { keydown: (event) => this.key(event) } });
    this.sendButton = button("Send", () => this.send(), { kind: "primary" });
    this.stopButton = button("Stop", () => this.stop(), { kind: "danger" });
    this.stopButton.hidden = true;
    this.entry = el("div", { class: "entry" }, this.text,
      el("div", { class: "actions" }, this.sendButton, this.stopButton, button("Explain the route", () => this.explain()), button("Clear", () => this.clear())));
    replace(this.log, kept.messages.map((message) => answerBox(message).node));
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    working(this.sendButton, () => this.send());
  }

  body(text) {
    const value = (name) => this.options.querySelector(`[name="${name}"]`).value.trim();
    const checked = (name) => this.options.querySelector(`[name="${name}"]`).checked;
    const system = value("system");
    const gateway = { quality: value("quality") };
    if (value("maxLayer")) gateway.maxLayer = value("maxLayer");
    if (checked("crossCheck")) gateway.crossCheck = true;
    if (checked("escalate")) gateway.escalate = true;
    return {
      model: this.model.value.trim() || "auto",
      messages: [
        ...(system ? [{ role: "system", content: system }] : []),
        ...kept.messages.filter((message) => !message.error).map(({ role, content }) => ({ role, content })),
        ...(text ? [{ role: "user", content: text }] : []),
      ],
      ...(value("temperature") ? { temperature: Number(value("temperature")) } : {}),
      ...(value("maxTokens") ? { max_tokens: Number(value("maxTokens")) } : {}),
      gateway,
    };
  }

  async send() {
    const text = this.text.value.trim();
    if (!text) return this.text.focus();
    const body = { ...this.body(text), stream: true, stream_options: { include_usage: true } };
    const question = { role: "user", content: text };
    kept.messages.push(question);
    this.log.append(answerBox(question).node);
    this.text.value = "";
    if (!(await this.ask(body)) && !this.text.value) this.text.value = text;
  }

  /** Stream an answer; whether there is one. */
  async ask(body) {
    this.running = new AbortController();
    this.stopButton.hidden = false;
    const message = { role: "assistant", content: "", facts: {}, began: performance.now() };
    const box = answerBox(message, { decide: (id) => this.decision(id), score: (id, score) => post("/v1/feedback", { requestId: id, score }) });
    this.log.append(box.node);
    try {
      await this.stream(body, message, box);
    } catch (error) {
      message.error = true;
      box.fail(error.name === "AbortError" ? "Stopped." : await unanswered(error, this.context));
    } finally {
      this.running = null;
      this.stopButton.hidden = true;
      if (!message.error) message.facts.seconds = (performance.now() - message.began) / 1000;
      box.finish();
      kept.messages.push(message);
      if (message.error && !message.content) kept.messages.splice(-2, 2);
    }
    return !message.error || message.content !== "";
  }

  async stream(body, message, box) {
    const answer = await call("POST", "/v1/chat/completions", { body, signal: this.running.signal, accept: "text/event-stream" });
    for (const name of ["model", "provider", "layer", "attempts", "cost-usd", "cache"]) message.facts[name] = answer.headers.get(`x-gateway-${name}`);
    message.facts.requestId = answer.headers.get("x-request-id");
    for await (const data of eventsOf(answer)) {
      if (data === "[DONE]") break;
      const event = JSON.parse(data);
      if (event.error) throw new ApiError(502, event.error.message, { code: event.error.code, details: event.error.details, requestId: message.facts.requestId });
      if (event.usage) message.facts.usage = event.usage;
      const delta = event.choices?.[0]?.delta;
      if (delta?.reasoning_content) box.think(delta.reasoning_content);
      if (delta?.content) box.add(delta.content);
      if (event.choices?.[0]?.finish_reason) message.facts.finish = event.choices[0].finish_reason;
    }
  }

  async explain() {
    const body = this.body(this.text.value.trim() || (kept.messages.length ? "" : "Hello."));
    try {
      replace(this.plan, planBox(await post("/v1/route/explain", body)));
    } catch (error) {
      replace(this.plan, await unanswered(error, this.context));
    }
    this.plan.scrollIntoView({ block: "nearest" });
  }

  async decision(requestId) {
    const here = location.hash;
    const found = await get(`/v1/decisions/${part(requestId)}`);
    if (location.hash === here) dialog("How it was routed", () => decisionBox(found), { wide: true });
  }

  stop() {
    this.running?.abort();
  }

  clear() {
    this.stop();
    kept.messages = [];
    replace(this.log);
    replace(this.plan);
    this.text.focus();
  }
}

function picker(context) {
  const list = el("datalist", { id: "chat-models" }, ["auto", "L0", "L1", "L2", "L3"].map((value) => el("option", { value })));
  const input = el("input", { value: "auto", list: "chat-models", "aria-label": "Model", name: "model", spellcheck: "false", autocomplete: "off" });
  queueMicrotask(async () => {
    input.after(list);
    if (!context.may("models:read")) return;
    const [found, { providers }] = await Promise.all([get("/v1/models", { enabled: true }), get("/health")]).catch(() => [{ data: [] }, {}]);
    const first = (model) => (providers[model.provider] ? 0 : 1);
    list.append(...found.data.filter((model) => !model.virtual).sort((one, other) => first(one) - first(other))
      .map((model) => el("option", { value: model.id }, first(model) ? `${model.layer}, cannot answer now` : model.layer)));
  });
  return input;
}

function optionFields(model) {
  const named = (text, input, hint) => el("label", { class: "field" }, el("span", { class: "label" }, text), input, hint && el("small", { class: "hint" }, hint));
  const select = (name, options) => el("select", { name }, options.map(([value, text]) => el("option", { value }, text)));
  const check = (name, text) => el("label", { class: "field check" }, el("span", { class: "label" }, text), el("input", { type: "checkbox", role: "switch", class: "switch", name }));
  return el("section", { class: "card options", "aria-label": "Options" },
    named("Model", model, "auto, a layer, or a model's id"),
    named("System message", el("textarea", { name: "system", rows: 2 })),
    el("div", { class: "pair" },
      named("Temperature", el("input", { name: "temperature", type: "number", min: 0, max: 2, step: "0.1", placeholder: "default" })),
      named("Most tokens", el("input", { name: "maxTokens", type: "number", min: 1, step: 1, placeholder: "default" }))),
    el("div", { class: "pair" },
      named("Quality", select("quality", [["normal", "normal"], ["high", "high"], ["critical", "critical"]])),
      named("Highest layer", select("maxLayer", [["", "default"], ["L0", "L0"], ["L1", "L1"], ["L2", "L2"], ["L3", "L3"]]))),
    check("crossCheck", "Check with a second model"),
    check("escalate", "Ask a stronger model when in doubt"));
}
