// How the gateway is right now: health, layers, today's use, what rests, alerts.

import { get } from "./api.js";
import { bars } from "./chart.js";
import { el, replace } from "./dom.js";
import { compact, count, duration, money, today, when } from "./format.js";
import { badge, card, code, errorBox, quiet, table, tile } from "./parts.js";

const LIVE_EVERY = 8000;
const TODAY_EVERY = 60_000;

export const overview = {
  id: "overview",
  title: "Overview",
  scope: "models:read",
  render(context) {
    const [health, live, day, layers] = ["health", "live", "day", "layers"].map((name) => el("div", { data: { part: name } }));
    context.every(LIVE_EVERY, () => into(health, async () => {
      const report = await get("/health");
      replace(layers, layerCards(report.layers));
      return healthCards(report);
    }));
    context.every(LIVE_EVERY, () => into(live, async () => liveCards(await get("/v1/stats"))));
    context.every(TODAY_EVERY, () => into(day, async () => dayCard(await get("/v1/usage", { from: today(), groupBy: "hour" }))));
    return [el("h1", {}, "Overview"), health, day, layers, live];
  },
};

async function into(place, load) {
  try {
    replace(place, await load());
  } catch (error) {
    replace(place, errorBox(error));
  }
}

function healthCards(report) {
  const providers = Object.entries(report.providers);
  const well = report.healthyProviders.length;
  return [
    report.status !== "ok" && el("div", { class: "error", role: "status" }, el("p", {}, unwell(report))),
    el("div", { class: "tiles" },
      tile("Status", report.status, `version ${report.version}`, report.status),
      tile("Up", duration(report.uptimeSeconds), `since ${new Date(Date.now() - report.uptimeSeconds * 1000).toLocaleString()}`),
      tile("Providers", `${well} of ${providers.length}`, well ? report.healthyProviders.join(", ") : "none answers", well ? "" : "degraded"),
      tile("Database", report.database ? "ok" : "away", report.database ? "answers" : "see DATABASE_URL and the log", report.database ? "" : "error"),
      tile("Redis", report.redis ? "ok" : "off", report.redis ? "shared with other processes" : "not set up, or away; counts are in memory"),
      tile("Sandbox", report.sandbox, report.sandbox === "none" ? "commands run without one" : "holds local commands", report.sandbox === "none" ? "degraded" : "")),
  ];
}

function unwell(report) {
  if (!report.database) return "The database does not answer. See whether it runs and whether DATABASE_URL is right; the log says more.";
  if (!report.healthyProviders.length) return "No provider answers. Set a key under Providers, or start a local model server such as Ollama.";
  return "Something in the background is not well: Redis is away or a job has ended. The log and `mcp-gateway doctor` say more.";
}

function layerCards(layers) {
  return el("div", { class: "columns" }, Object.entries(layers).map(([name, layer]) =>
    card({ text: name, actions: badge(layer.enabled ? "on" : "off", layer.enabled ? "good" : "bad") },
      layer.models.length
        ? el("ol", { class: "plain" }, layer.models.slice(0, 8).map((model) =>
          el("li", { class: model.enabled ? "" : "off" }, code(model.id), !model.enabled && badge("off"))))
        : quiet("No models."),
      layer.models.length > 8 && el("p", { class: "quiet" }, el("a", { href: "#/models" }, `and ${layer.models.length - 8} more`)),
      layer.providers.length > 0 && quiet(layer.providers.join(", ")))));
}

function dayCard(report) {
  const { total, groups } = report;
  return card("Today (UTC)",
    el("div", { class: "tiles" },
      tile("Requests", count(total.requests), `${count(total.attempts)} calls of providers`),
      tile("Failed calls", count(total.failed), total.attempts ? `${((100 * total.failed) / total.attempts).toFixed(1)} %` : null, total.failed ? "degraded" : ""),
      tile("Spent", money(total.costUsd), total.unpriced ? `and ${count(total.unpriced)} calls of unknown price` : null),
      tile("Tokens in", compact(total.promptTokens), `${compact(total.cachedTokens)} from caches`),
      tile("Tokens out", compact(total.completionTokens))),
    groups.length > 1 && bars(groups.map((group) => [group.group.slice(11, 16) || group.group, group.requests]), count, "Requests by hour"));
}

function liveCards(stats) {
  const resting = Object.entries(stats.coolingSeconds);
  const models = Object.entries(stats.byModel).sort((one, other) => other[1] - one[1]);
  return el("div", { class: "columns" },
    card("Alerts", alerts(stats.alerts)),
    card("This process since its start",
      el("dl", {},
        fact("Calls of providers", `${count(stats.attempts)}, ${count(stats.failed)} failed`),
        fact("Spent", money(stats.costUsd)),
        fact("Open terminals", count(stats.terminalSessions)),
        fact("Cache", `${count(stats.cacheHits)} hits, ${count(stats.cacheMisses)} misses, ${money(stats.cacheSavedUsd)} saved`),
        fact("Rows lost", `${count(stats.usageRowsLost)} of usage, ${count(stats.decisionsLost)} decisions`))),
    card("Models asked", table([
      { title: "Model", cell: ([name]) => code(name), wide: true },
      { title: "Calls", cell: ([, number]) => count(number), number: true },
    ], models.slice(0, 10), { empty: "No model was asked since the start.", label: "Calls by model" })),
    card("Resting", table([
      { title: "Model and key", cell: ([name]) => code(name), wide: true },
      { title: "For another", cell: ([, seconds]) => duration(seconds), number: true },
    ], resting, { empty: "No model rests after failures.", label: "Models that rest" })));
}

const alerts = (found) => (found.length
  ? el("ul", { class: "plain" }, found.map((alert) => el("li", {}, badge(alert.kind, "bad"), " ", alert.message, " ", when(alert.at))))
  : quiet("No limit on spending was reached."));

const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
