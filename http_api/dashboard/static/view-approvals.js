// Commands that wait for somebody's leave, and what the command policy makes of a command.

import { get, part, post } from "./api.js";
import { el, replace } from "./dom.js";
import { form } from "./forms.js";
import { when } from "./format.js";
import { policyCard } from "./policy-card.js";
import { badge, button, card, code, errorBox, notify, quiet } from "./parts.js";

const EVERY = 4000;
const SETTLE = 700;

export const approvals = {
  id: "approvals",
  title: "Approvals",
  scope: "admin",
  render(context) {
    const place = el("div", { class: "approvals" }, quiet("Loading …"));
    let shown = "";
    const load = async () => {
      try {
        const found = (await get("/v1/approvals")).approvals;
        context.waiting(found.filter((item) => item.status === "pending").length);
        const now = JSON.stringify(found);
        if (now === shown) return;
        if (shown) settle(place);
        shown = now;
        replace(place, queue(found, load));
      } catch (error) {
        shown = "";
        replace(place, errorBox(error, load));
      }
    };
    context.every(EVERY, load);
    return [el("h1", {}, "Approvals"), place, tryOut(), policyCard()];
  },
};

/** Whoever was about to press a button must not hit the one that has just moved to its place. */
function settle(place) {
  place.classList.add("settling");
  setTimeout(() => place.classList.remove("settling"), SETTLE);
}

function queue(found, load) {
  const pending = found.filter((item) => item.status === "pending");
  const decided = found.filter((item) => item.status !== "pending");
  return [
    pending.length ? pending.map((item) => waiting(item, load)) : card(null, quiet("No command waits. Those that the policy wants confirmed appear here by themselves.")),
    decided.length > 0 && card("Decided, not yet run", decided.map((item) => el("p", {}, badge(item.status, item.status === "approved" ? "good" : "bad"), " ", code(item.command), quiet(`${item.callerName} in ${item.place}; by ${item.decidedBy ?? "nobody"}; until `, when(item.expiresAt))))),
  ];
}

function waiting(item, load) {
  const decide = (decision) => async () => {
    await post(`/v1/approvals/${part(item.id)}`, { decision });
    notify(decision === "approve" ? "Approved: it may run once, as it stands here." : "Denied.");
    await load();
  };
  return card({ text: `${item.callerName} asks`, actions: el("span", { class: "quiet" }, "asked ", when(item.createdAt), ", ends ", when(item.expiresAt)) },
    el("pre", { class: "command", tabindex: "0", "aria-label": "Command" }, item.command),
    el("dl", {},
      fact("Why it waits", item.reason || "The policy wants it confirmed."),
      fact("Where", item.place),
      fact("Directory", item.cwd && code(item.cwd)),
      fact("Session", item.sessionId && code(item.sessionId)),
      fact("Variables", item.env.length > 0 && item.env.join(", ")),
      fact("Caller", [item.callerName, " (", code(item.caller), ")"]),
      fact("Policy", `${item.policy}${item.rule === null ? "" : `, rule ${item.rule}`}`)),
    item.stdin && el("details", { open: true }, el("summary", {}, "Its input"), el("pre", { tabindex: "0" }, item.stdin)),
    el("div", { class: "actions end" },
      button("Deny", decide("deny"), { kind: "danger", name: `Deny ${item.command}, asked by ${item.callerName}` }),
      button("Approve", decide("approve"), { kind: "primary", name: `Approve ${item.command}, asked by ${item.callerName}` })));
}

const fact = (name, value) => value && [el("dt", {}, name), el("dd", {}, value)];

function tryOut() {
  const said = el("div", { "aria-live": "polite" });
  return card("Try the policy on a command",
    form([{ name: "command", label: "Command", required: true, placeholder: "rm -rf build", hint: "It is judged, not run." }], {
      action: "Judge",
      submit: async ({ command }) => {
        const verdict = await post("/v1/terminal/policy/check", { command });
        replace(said, el("p", {}, badge(verdict.action, { allow: "good", deny: "bad" }[verdict.action] ?? ""), " ", verdict.reason || "No rule says otherwise.",
          quiet(`Policy ${verdict.policy}${verdict.rule === null ? "" : `, rule ${verdict.rule}`}.`)));
      },
    }), said);
}
