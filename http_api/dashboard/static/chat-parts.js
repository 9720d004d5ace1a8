// What the playground shows: messages, who gave them, the plan of a route.

import { el, replace } from "./dom.js";
import { count, duration, money } from "./format.js";
import { badge, button, card, code, notify, quiet, table } from "./parts.js";

/** A message that grows. `decide(requestId)` shows how it was routed, `score(requestId, value)` says how good it is. */
export function answerBox(message, actions) {
  const text = el("div", { class: "text" });
  const thought = el("pre", { class: "thought" });
  const thinking = el("details", { hidden: true }, el("summary", {}, "Reasoning"), thought);
  const foot = el("footer", {});
  const problem = el("div");
  const node = el("article", { class: `message ${message.role}`, "aria-label": message.role === "user" ? "You" : "Answer" }, thinking, text, problem, foot);
  const show = () => replace(text, paragraphs(message.content));
  const finish = () => message.facts && replace(foot, facts(message.facts), actions && message.facts.requestId && buttons(message.facts.requestId, actions));
  show();
  finish();
  return {
    node, finish,
    add(more) { message.content += more; show(); node.scrollIntoView({ block: "nearest" }); },
    think(more) { thinking.hidden = false; thought.append(more); },
    fail(shown) { node.classList.add("failed"); replace(problem, shown); },
  };
}

function buttons(requestId, { decide, score }) {
  const said = (value, answer) => async () => {
    await score(requestId, value);
    notify(answer);
  };
  return el("span", { class: "actions" },
    button("How it was routed", () => decide(requestId), { small: true }),
    button("Good", said(1, "Thank you: the router learns from it."), { small: true, name: "A good answer" }),
    button("Bad", said(0, "Noted: the router learns from it."), { small: true, name: "A bad answer" }));
}

/** Text with its fenced parts set apart; nothing else in it means anything here. */
function paragraphs(content) {
  return content.split(/^```/m).map((piece, index) => {
    if (index % 2 === 0) return el("p", {}, piece.trim());
    const [language, ...lines] = piece.split("\n");
    return el("pre", { "aria-label": language.trim() || "code", tabindex: "0" }, lines.join("\n").trimEnd());
  });
}

function facts(found) {
  const usage = found.usage;
  const cost = usage && "cost" in usage ? usage.cost : found["cost-usd"] === null || found["cost-usd"] === undefined ? undefined : Number(found["cost-usd"]);
  return [
    found.model && code(found.model),
    found.layer && badge(found.layer),
    found.attempts && quietly(`${found.attempts} ${found.attempts === "1" ? "attempt" : "attempts"}`),
    cost !== undefined && quietly(cost === null ? "cost unknown" : money(cost)),
    found.cache && found.cache !== "off" && quietly(`cache: ${found.cache}`),
    usage && quietly(`${count(usage.prompt_tokens)} → ${count(usage.completion_tokens)} tokens`),
    found.seconds !== undefined && quietly(`${found.seconds.toFixed(1)} s`),
    found.finish && found.finish !== "stop" && badge(found.finish, "bad"),
  ];
}

const quietly = (text) => el("span", { class: "quiet" }, text);

/** Where a chat would go. */
export function planBox(plan) {
  const { facts: known, policy } = plan;
  return card("Where this would go",
    el("p", {}, plan.summary),
    el("dl", {},
      entry("Asked for", code(plan.model)),
      entry("Layers", `${policy.lowestLayer} to ${policy.highestLayer}`),
      entry("Prompt", `about ${count(known.promptTokens)} tokens`),
      entry("Needs", known.needs.join(", ") || "nothing special"),
      entry("Complexity", `${known.complexity.hardness ?? "not known"}${known.complexity.counts ? "" : " (does not count here)"}`),
      plan.leftUsd !== null && entry("Budgets leave", money(plan.leftUsd))),
    el("h3", {}, "In this order"),
    table([
      { title: "#", cell: (row) => plan.attempts.indexOf(row) + 1, number: true },
      { title: "Model", cell: (row) => code(row.id), wide: true },
      { title: "Layer", cell: (row) => badge(row.layer) },
      { title: "Expected", cell: (row) => money(row.expectedCostUsd), number: true },
      { title: "At most", cell: (row) => money(row.mostCostUsd), number: true },
      { title: "State", cell: (row) => (row.coolingSeconds ? `rests ${duration(row.coolingSeconds)}: ${row.coolingReason}` : row.inTroubleLately ? "failed lately" : "well") },
    ], plan.attempts, { empty: "Nobody would be asked.", label: "Attempts" }),
    el("h3", {}, "Left out"),
    table([
      { title: "Model", cell: (row) => code(row.id), wide: true },
      { title: "Layer", cell: (row) => badge(row.layer) },
      { title: "Why", cell: (row) => row.reason, wide: true },
    ], plan.dropped, { empty: "Nobody.", label: "Left out" }));
}

const entry = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
