// The configuration that may change while the gateway runs; a change counts at once.

import { del, get, put } from "./api.js";
import { el } from "./dom.js";
import { button, card, notify, quiet, toggle, working } from "./parts.js";
import { into } from "./places.js";

const LAYERS = ["L0", "L1", "L2", "L3"];
const ROWS = [
  ["defaultLayer", "Default layer", "Where “auto” begins.", LAYERS],
  ["maxEscalationLayer", "Highest layer by itself", "The highest layer that “auto”, and an answer that escalates, may reach by itself.", LAYERS],
  ["enableAutoEscalate", "Escalate by itself", "Let “auto” go on to the next layers when none in its own can answer, or an answer is not good enough."],
  ["enableCrossCheck", "Cross-check", "Allow a second model to review an answer when a caller asks for it."],
  ["enableHedging", "Hedging", "Ask a second model too when the first takes longer than it usually does."],
  ["spendGuard", "Spend guard", "Keep models that bill from answering in the free layer L0 without leave."],
  ["autoBudgetUsdPerDay", "Budget of “auto” (dollars a day)", "What “auto” may spend in the cheapest paid layer where no free model can answer; 0 for nothing."],
  ["enableCache", "Cache of answers", "Answer the same request of the same caller from the cache."],
  ["enableCostTracking", "Cost tracking", "Keep what each request cost."],
  ["costAlertThreshold", "Spending alert (dollars a day)", "Raise an alert once when so much was spent in a day (UTC); 0 never does."],
  ["logLevel", "Log level", "How much the log says.", ["debug", "info", "warning", "error"]],
];

export const settings = {
  id: "settings",
  title: "Settings",
  scope: "models:read",
  render(context) {
    const place = el("div", {}, quiet("Loading …"));
    const admin = context.may("admin");
    const load = () => into(place, async () => {
      const { configuration } = await get("/v1/config");
      return card(null, el("div", { class: "settings" }, ROWS.map((row) => setting(row, configuration, admin, load))));
    });
    load();
    return [el("div", { class: "head" }, el("h1", {}, "Settings"), context.may("chat") && button("Empty the cache of answers", emptyCache)), quiet("A change counts at once, in every process of this gateway. Everything else is set where the gateway is started (see the README)."), place];
  },
};

async function emptyCache() {
  const { cleared } = await del("/v1/cache");
  notify(`${cleared} ${cleared === 1 ? "answer is" : "answers are"} gone from the cache.`);
}

function setting([name, title, text, options], configuration, admin, load) {
  const change = async (value) => {
    try {
      await put("/v1/config", { [name]: value });
      notify(value === null ? `${title} is as it was set at the start.` : `${title} is changed.`);
    } finally {
      await load();
    }
  };
  return el("div", { class: "setting" },
    el("div", {}, el("strong", {}, title), el("small", {}, text)),
    el("div", { class: "actions" },
      input(title, configuration[name], options, change, admin),
      admin && button("Reset", () => change(null), { small: true, kind: "plain", name: `Reset ${title}`, title: "Back to what the gateway was started with" })));
}

function input(title, value, options, change, admin) {
  if (options) {
    const node = el("select", { "aria-label": title, disabled: !admin, on: { change: () => working(node, () => change(node.value)) } }, options.map((option) => el("option", { value: option }, option)));
    node.value = value;
    return node;
  }
  if (typeof value === "boolean") return toggle(value, title, change, { disabled: !admin });
  const node = el("input", { type: "number", min: 0, step: "any", value, "aria-label": title, disabled: !admin, on: { change: () => working(node, () => change(node.value === "" ? null : Number(node.value))) } });
  return node;
}
