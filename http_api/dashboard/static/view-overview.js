// How the gateway is right now: health, layers, today's use, what rests, alerts.

import { get } from "./api.js";
import { bars } from "./chart.js";
import { el, replace } from "./dom.js";
import { compact, count, duration, money, today, when } from "./format.js";
import { badge, card, code, quiet, table, tile } from "./parts.js";
import { into, place } from "./places.js";
import { able, reasons, summed } from "./readiness.js";

const LIVE_EVERY = 15_000;
const TODAY_EVERY = 120_000;
const MOST_MODELS = 8;

export const overview = {
  id: "overview",
  title: "Overview",
  scope: "models:read",
  render(context) {
    const [health, layers] = [el("div"), el("div")];
    const [day, live] = [place(), place()];
    const polled = { polled: true };
    const why = reasons();
    let shown = "";
    context.watch(context.healthFeed, LIVE_EVERY, async (report) => {
      replace(health, healthCards(report));
      const known = await why(report.providers);
      const now = JSON.stringify([report.layers, report.providers, [...known]]);
      if (now !== shown) replace(layers, layerCards(report, known));
      shown = now;
    });
    context.every(LIVE_EVERY, () => into(live, async () => liveCards(await get("/v1/stats")), polled));
    context.every(TODAY_EVERY, () => into(day, async () => dayCard(await get("/v1/usage", { from: today(), groupBy: "hour" })), polled));
    return [el("h1", {}, "Overview"), health, day, layers, live];
  },
};

function healthCards(report) {
  const providers = Object.entries(report.providers);
  const well = report.healthyProviders.length;
  return [
    report.status !== "ok" && el("div", { class: "error", role: "status" }, el("p", {}, unwell(report))),
    el("div", { class: "tiles" },
      tile("Status", report.status, `version ${report.version}`, report.status),
      tile("Up", duration(report.uptimeSeconds), `since ${new Date(Date.now() - report.uptimeSeconds * 1000).toLocaleString()}`),
      tile("Providers", `${well} of ${providers.length}`, well ? report.healthyProviders.join(", ") : "none answers", well ? "" : "degraded"),
      tile("Database", report.database ? "ok" : "away", report.database ? "answers" : "see DATABASE_URL and the log", report.database ? "" : "degraded"),
      autoTile(report.auto),
      redisTile(report),
      tile("Sandbox", report.sandbox, report.sandbox === "none" ? "commands run without one" : "holds local commands", report.sandbox === "none" ? "degraded" : "")),
  ];
}

function autoTile({ simple, budgetUsdPerDay }) {
  const paid = budgetUsdPerDay ? `may spend $${budgetUsdPerDay} a day in paid layers` : "uses free models only";
  return tile("auto", simple ? simple.split("/").at(-1) : "no model", `${simple ?? "nothing can answer"}; ${paid}`, simple ? "" : "degraded");
}

function redisTile({ redis, redisConfigured }) {
  if (redis) return tile("Redis", "ok", "shared with other processes");
  if (redisConfigured) return tile("Redis", "away", "see REDIS_URL and the log", "degraded");
  return tile("Redis", "off", "not set up; counts are in memory");
}

function unwell(report) {
  if (!report.database) return "The database does not answer. See whether it runs and whether DATABASE_URL is right; the log says more.";
  if (!report.healthyProviders.length) return "No provider answers. Set a key under Providers, or start a local model server such as Ollama.";
  if (report.redisConfigured && !report.redis) return "Redis does not answer. See whether it runs and whether REDIS_URL is right; until then each process counts for itself.";
  if (!report.databaseWritable) return "The database takes no writes: it is read-only or full. Chats go on; changes and usage wait.";
  const unreadable = Object.entries(report.unreadableRows).map(([kind, number]) => `${number} ${kind}`);
  if (unreadable.length) return `Rows of another version cannot be read and are skipped: ${unreadable.join(", ")}. GET /v1/unreadable names them.`;
  return "A background job failed and is started again, or this process is behind the others. The log says why.";
}

/** The models of each layer, those that can answer first, and why the others cannot; `why` is from providers to reasons. */
function layerCards({ layers, providers }, why) {
  return el("div", { class: "columns narrow" }, Object.entries(layers).map(([name, layer]) => {
    const can = layer.models.filter((model) => able(model, layer, providers));
    const cannot = layer.models.filter((model) => !can.includes(model));
    return card({ text: name, actions: layer.enabled ? badge(`${can.length} of ${layer.models.length} ready`, can.length ? "good" : "") : badge("off", "bad") },
      layer.models.length === 0 && quiet("No models."),
      can.length > 0 && el("ol", { class: "plain" }, can.slice(0, MOST_MODELS).map((model) => el("li", {}, code(model.id)))),
      can.length > MOST_MODELS && quiet(el("a", { href: "#/models" }, `and ${can.length - MOST_MODELS} more`)),
      cannot.length > 0 && el("details", { class: "quiet" },
        el("summary", {}, `${cannot.length} cannot answer: ${summed(cannot, layer, why)}`),
        el("ul", { class: "plain" }, cannot.map((model) => el("li", {}, code(model.id)))),
        el("a", { href: "#/providers" }, "Set keys under Providers")));
  }));
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
