// What was used and what it cost, by day, model, layer, key and more.

import { download, get } from "./api.js";
import { bars, meter } from "./chart.js";
import { el } from "./dom.js";
import { compact, count, money, today } from "./format.js";
import { keyNames } from "./names.js";
import { button, card, table, tile } from "./parts.js";
import { fill, trouble } from "./places.js";

const GROUPS = [["day", "Day"], ["hour", "Hour"], ["model", "Model"], ["layer", "Layer"], ["provider", "Provider"], ["key", "Key or user"], ["purpose", "Purpose"], ["outcome", "Outcome"]];
const MEASURES = [["costUsd", "Cost", money], ["requests", "Requests", count], ["tokens", "Tokens", compact]];

export const usage = {
  id: "usage",
  title: "Usage",
  scope: "models:read",
  render(context) {
    const place = el("div");
    const from = date("From", today(-29));
    const to = date("Up to and including", today());
    const by = select("By", GROUPS);
    const tag = el("input", { placeholder: "name of a tag", "aria-label": "Or by the tag", spellcheck: "false" });
    const measure = select("Show", MEASURES.map(([name, text]) => [name, text]));
    const query = () => ({ from: from.value, to: dayAfter(to.value), groupBy: tag.value.trim() ? `tag:${tag.value.trim()}` : by.value });
    let report = null;
    let names = new Map();
    let asked = 0;
    let chosen = false;
    const draw = () => {
      if (!report) return;
      if (!chosen) measure.value = report.total.costUsd ? "costUsd" : "requests";
      fill(place, shown(report, measure.value, names));
    };
    const load = async () => {
      const turn = ++asked;
      place.setAttribute("aria-busy", "true");
      try {
        const found = await get("/v1/usage", query());
        if (turn !== asked) return;
        if (found.groupBy === "key") names = await keyNames(context);
        report = found;
        draw();
      } catch (error) {
        if (turn !== asked) return;
        if (!error.limited) report = null;
        trouble(place, error, load);
      }
      place.removeAttribute("aria-busy");
    };
    for (const input of [from, to, by, tag]) input.addEventListener("change", load);
    measure.addEventListener("change", () => { chosen = true; draw(); });
    load();
    const filters = [["From", from], ["To", to], ["By", by], ["Or by tag", tag], ["Bars", measure]];
    return [
      el("div", { class: "head" }, el("h1", {}, "Usage"), button("Download CSV", () => download(`/v1/usage?${new URLSearchParams({ ...query(), format: "csv" })}`, "usage.csv"))),
      el("div", { class: "filters" }, filters.map(([text, input]) => el("label", {}, el("span", {}, text), input))),
      place,
    ];
  },
};

function shown(report, measure, names) {
  const { groups, total, groupBy } = report;
  const [, name, text] = MEASURES.find(([key]) => key === measure);
  const value = (group) => (measure === "tokens" ? group.promptTokens + group.completionTokens : group[measure]);
  const inTime = groupBy === "day" || groupBy === "hour";
  const rows = inTime ? [...groups].reverse() : [...groups].sort((one, other) => (value(other) ?? 0) - (value(one) ?? 0));
  const most = Math.max(0, ...groups.map((group) => value(group) ?? 0));
  return [
    el("div", { class: "tiles" },
      tile("Requests", count(total.requests), `${count(total.attempts)} calls of providers, ${count(total.failed)} failed`),
      tile("Cost", money(total.costUsd), total.unpriced ? `and ${count(total.unpriced)} calls of unknown price` : total.overheadUsd ? `${money(total.overheadUsd)} of it overhead` : null),
      tile("Tokens in", compact(total.promptTokens), `${compact(total.cachedTokens)} from caches`),
      tile("Tokens out", compact(total.completionTokens), `${compact(total.reasoningTokens)} of reasoning`)),
    inTime && groups.length > 1 && card(null, bars(groups.map((group) => [label(group.group, groupBy), value(group)]), text, `${name} by ${groupBy}`)),
    card(null, table([
      { title: groupBy.startsWith("tag:") ? `Tag ${groupBy.slice(4)}` : GROUPS.find(([key]) => key === groupBy)?.[1] ?? groupBy, cell: (group) => (groupBy === "key" && names.get(group.group)) || (groupBy === "hour" ? group.group.slice(0, 16).replace("T", " ") : group.group) || "(none)", wide: true },
      { title: "", cell: (group) => meter(value(group), most) },
      { title: "Requests", number: true, cell: (group) => count(group.requests) },
      { title: "Calls", number: true, cell: (group) => count(group.attempts) },
      { title: "Failed", number: true, cell: (group) => count(group.failed) },
      { title: "Tokens in", number: true, cell: (group) => count(group.promptTokens) },
      { title: "Tokens out", number: true, cell: (group) => count(group.completionTokens) },
      { title: "Cost", number: true, cell: (group) => money(group.costUsd) },
      { title: "Unpriced", number: true, cell: (group) => count(group.unpriced) },
    ], rows, { empty: "Nothing was used in this time.", label: "Usage" })),
  ];
}

const label = (group, groupBy) => (groupBy === "hour" ? group.slice(5, 16).replace("T", " ") : group.slice(5));
const date = (name, value) => el("input", { type: "date", value, "aria-label": name });
const select = (name, options) => el("select", { "aria-label": name }, options.map(([value, text]) => el("option", { value }, text)));
const dayAfter = (day) => (day ? new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10) : "");
