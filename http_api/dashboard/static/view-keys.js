// API keys: make one (its secret is shown once), see what each may do, delete.

import { del, get, part, post } from "./api.js";
import { el } from "./dom.js";
import { formDialog } from "./forms.js";
import { count, money, when } from "./format.js";
import { badge, button, card, code, confirmed, copyButton, dialog, notify, table } from "./parts.js";
import { loader } from "./places.js";

const SCOPES = [["chat", "chat"], ["models:read", "read models, usage, budgets"], ["models:write", "change models"], ["terminal", "terminals and commands"], ["metrics", "read /metrics"], ["admin", "administer: keys, providers, budgets, approvals, audit, settings"]];

const LIMITS = [["rateLimitPerMinute", "requests a minute"], ["rateLimitPerHour", "requests an hour"], ["tokensPerMinute", "tokens a minute"], ["maxStreams", "streams at once"], ["commandsPerDay", "commands a day"], ["commandSecondsPerDay", "seconds of commands a day"]];

export const keys = {
  id: "keys",
  title: "Keys",
  scope: "admin",
  render() {
    const reload = () => place.reload();
    const place = loader(async () => card(null, table(columns(reload), (await get("/v1/keys")).keys, { empty: "No API keys yet. Make one for each client.", label: "API keys" })));
    return [el("div", { class: "head" }, el("h1", {}, "API keys"), button("Make a key", () => make(reload), { kind: "primary" })), place];
  },
};

const columns = (reload) => [
  { title: "Name", wide: true, cell: (key) => [key.name, el("small", {}, code(`${key.prefix}…`))] },
  { title: "May", cell: (key) => el("span", { class: "badges" }, key.scopes.map((scope) => badge(scope))) },
  { title: "Models", cell: (key) => [key.models?.join(", ") ?? "all", key.maxLayer && ` up to ${key.maxLayer}`] },
  { title: "Budget", cell: (key) => (key.budgetUsd === null ? "none" : `${money(key.budgetUsd)} ${{ day: "a day", month: "a month", total: "in total" }[key.budgetPeriod]}`) },
  { title: "Limits", cell: limits },
  { title: "Last used", cell: (key) => (key.lastUsedAt ? when(key.lastUsedAt) : "never") },
  { title: "Made", cell: (key) => when(key.createdAt) },
  { title: "Ends", cell: (key) => (key.expiresAt ? when(key.expiresAt) : "never") },
  { title: "", cell: (key) => button("Delete", () => remove(key, reload), { small: true, kind: "danger", name: `Delete ${key.name}` }) },
];

/** What counts besides the gateway's own limits. */
function limits(key) {
  const shown = LIMITS.filter(([name]) => key[name] !== null && key[name] !== undefined);
  if (!shown.length) return "the usual ones";
  return shown.map(([name, text]) => el("div", {}, key[name] === 0 ? `no limit of ${text}` : `${count(key[name])} ${text}`));
}

async function remove(key, reload) {
  if (!(await confirmed(`Delete the key ${key.name}?`, "It stops working at once, for every client that has it.", "Delete"))) return;
  await del(`/v1/keys/${part(key.id)}`);
  notify(`${key.name} no longer works.`);
  await reload();
}

function make(reload) {
  formDialog("Make an API key", [
    { name: "name", label: "Name", required: true, placeholder: "the client it is for" },
    { name: "scopes", label: "What it may do", type: "checks", options: SCOPES, value: ["chat", "models:read"] },
    { name: "expiresAt", label: "Ends on", type: "date", hint: "Empty: never." },
    ...LIMITS.map(([name, text]) => ({ name, label: `At most: ${text}`, type: "number", min: 0, step: 1, hint: name === "rateLimitPerHour" ? "Empty: the gateway's own limit. 0: no limit." : "Empty or 0: no limit." })),
    { name: "budgetUsd", label: "Budget in dollars", type: "number", min: 0, step: "any", hint: "Empty: none. 0: free models only." },
    { name: "budgetPeriod", label: "The budget is", type: "select", options: [["month", "a month"], ["day", "a day"], ["total", "in total"]], when: (given) => given.budgetUsd !== undefined },
    { name: "models", label: "Only these models or providers", type: "area", rows: 2, hint: "One a line. Empty: all." },
    { name: "maxLayer", label: "Highest layer", type: "select", options: [["", "no limit"], ["L0", "L0"], ["L1", "L1"], ["L2", "L2"], ["L3", "L3"]] },
  ], {
    action: "Make", wide: true,
    submit: async ({ models, ...given }) => {
      const names = (models ?? "").split(/[\s,]+/).filter(Boolean);
      const made = await post("/v1/keys", names.length ? { ...given, models: names } : given);
      await reload();
      show(made);
    },
  });
}

function show({ key, secret }) {
  dialog(`The key ${key.name}`, (close) => [
    el("p", {}, "This is the only time that it is shown. Keep it where the client reads its secrets from."),
    el("p", { class: "secret" }, el("code", { data: { secret: "" } }, secret), copyButton(secret)),
    el("div", { class: "actions end" }, button("I have kept it", close, { kind: "primary" })),
  ]);
}
