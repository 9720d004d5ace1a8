// How a request was routed, from its stored decision: what was asked, who was asked and who was not, and what it cost.

import { el } from "./dom.js";
import { count, money, when } from "./format.js";
import { badge, code, quiet, table } from "./parts.js";

const GOOD = "ok";
const NOTES = { crossCheck: "A second model said", selfCheck: "Its own check said", agreement: "The models agreed", escalation: "Went higher because" };

/** A decision of GET /v1/decisions. What it says besides stands as JSON below. */
export function decisionBox(found) {
  const { decision } = found;
  return [
    quiet("Request ", code(found.requestId), " by ", found.caller, ", ", when(found.at)),
    summary(decision),
    el("h3", {}, "Asked"),
    calls(decision.calls ?? []),
    el("h3", {}, "Next in line"),
    inLine(decision),
    el("h3", {}, "Left out"),
    leftOut(decision.plan ?? {}),
    el("details", {}, el("summary", {}, "All of it, as JSON"), el("pre", { class: "details tall", tabindex: "0" }, JSON.stringify(decision, null, 2))),
  ];
}

function summary({ facts = {}, plan = {}, permit = {}, usage, outcome, model, notes = {}, calls: made = [] }) {
  const costs = made.map((call) => call.cost);
  const total = costs.some((cost) => cost === null) ? null : costs.reduce((sum, cost) => sum + Number(cost), 0);
  return el("dl", {},
    fact("Came of it", [badge(outcome, outcome === GOOD ? "good" : "bad"), model && [" answered by ", code(model)]]),
    fact("Asked for", facts.model && [code(facts.alias || facts.model), facts.alias && [", an alias of ", code(facts.model)]]),
    fact("Layers", plan.low && (plan.low === plan.high ? plan.low : `${plan.low} to ${plan.high}`)),
    fact("Prompt", facts.prompt_tokens !== undefined && `about ${count(facts.prompt_tokens)} tokens`),
    fact("Complexity", typeof facts.complexity === "number" && facts.complexity.toFixed(2)),
    fact("Used", usage && Object.entries(usage).map(([name, number]) => `${name.replaceAll("_", " ")} ${count(number)}`).join(", ")),
    fact("Cost", made.length > 0 && money(total)),
    fact("Only these", permit.models?.join(", ")),
    fact("Highest layer allowed", permit.maxLayer),
    fact("Budgets left", permit.left && money(Number(permit.left))),
    fact("Stayed", permit.stay),
    Object.entries(notes).map(([name, value]) => fact(NOTES[name] ?? name, [value].flat().join(", ") || "–")));
}

const calls = (made) => table([
  { title: "Model", wide: true, cell: (call) => code(call.model) },
  { title: "Layer", cell: (call) => badge(call.layer) },
  { title: "For", cell: (call) => call.purpose },
  { title: "Outcome", cell: (call) => badge(call.outcome, call.outcome === GOOD ? "good" : "bad") },
  { title: "Cost", number: true, cell: (call) => money(call.cost === null ? null : Number(call.cost)) },
  { title: "Took", number: true, cell: (call) => `${count(call.ms)} ms` },
], made, { empty: "No provider was called.", label: "Calls" });

/** The models that would have been next, and those that rested after failures. */
function inLine({ plan = {}, calls: made = [] }) {
  const asked = new Set(made.map((call) => call.model));
  const rest = (plan.attempts ?? []).filter((id) => !asked.has(id));
  const cooling = new Set(plan.cooling ?? []);
  if (!rest.length && !cooling.size) return quiet("Nobody.");
  return el("ol", {}, [...new Set([...rest, ...cooling])].map((id) => el("li", {}, code(id), cooling.has(id) && [" ", badge("rests after failures")])));
}

/** Why models were left out, how often each reason was given, and the first of the models. */
function leftOut({ dropped = {}, firstDropped = [] }) {
  const reasons = Object.entries(dropped);
  return table([
    { title: "Why", wide: true, cell: ([reason]) => reason },
    { title: "Models", number: true, cell: ([, number]) => count(number) },
    { title: "Among them", wide: true, cell: ([reason]) => firstDropped.filter((each) => each.reason === reason).map((each) => el("div", {}, code(each.model))) },
  ], reasons, { empty: "Nobody.", label: "Left out" });
}

const fact = (name, value) => value && [el("dt", {}, name), el("dd", {}, value)];
