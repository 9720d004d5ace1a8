// Commands and host keys that wait for somebody's leave, and what the command policy makes of a command.

import { closedFor, part, post } from "./api.js";
import { el, replace } from "./dom.js";
import { form } from "./forms.js";
import { when } from "./format.js";
import { policyCard } from "./policy-card.js";
import { badge, button, card, code, notify, quiet } from "./parts.js";
import { fill, place, trouble } from "./places.js";

const EVERY = 5000;
const SETTLE = 700;

export const approvals = {
  id: "approvals",
  title: "Approvals",
  scope: "admin",
  render(context) {
    const list = place({ class: "approvals" });
    const feed = context.approvalsFeed;
    let shown = "";
    context.watch(feed, EVERY, (found) => {
      const now = JSON.stringify(found);
      if (now === shown) return;
      if (shown) settle(list);
      shown = now;
      fill(list, queue(found, () => feed.now()));
    }, (error) => {
      trouble(list, error, () => feed.now(), { polled: true });
      if (!error.limited && error.status) shown = "";
    });
    if (feed.value === undefined && !closedFor()) feed.now();
    return [el("h1", {}, "Approvals"), list, tryOut(), policyCard()];
  },
};

/** Whoever was about to press a button must not hit the one that has just moved to its place. */
function settle(list) {
  list.classList.add("settling");
  setTimeout(() => list.classList.remove("settling"), SETTLE);
}

function queue(found, load) {
  const by = (status) => found.filter((item) => item.status === status);
  return [
    found.some((item) => item.status === "pending")
      ? by("pending").map((item) => (item.kind === "host_key" ? hostKey(item, load) : command(item, load)))
      : card(null, quiet("No command waits. Those that the policy wants confirmed, and the keys of new SSH hosts, appear here by themselves.")),
    decided("Approved, not yet used", by("approved"), "good"),
    decided("Denied", by("denied"), "bad"),
  ];
}

const decided = (title, items, kind) => items.length > 0 && card(title, items.map((item) => el("p", {},
  item.kind === "host_key" ? ["the host key of ", code(trusted(item).host)] : code(item.command),
  " ", badge(item.status, kind),
  quiet(`Asked by ${item.callerName} for ${where(item)}; ${item.status} by ${item.decidedBy ?? "nobody"}; ends `, when(item.expiresAt)))));

function command(item, load) {
  const facts = [
    fact("Why it waits", item.reason || "The policy wants it confirmed."),
    fact("Where", where(item)),
    fact("Directory", item.cwd && code(item.cwd)),
    fact("Session", item.sessionId && code(item.sessionId)),
    fact("Host", item.host && code(item.host)),
    fact("Shell", item.shell && code(item.shell)),
    fact("Sandbox", item.sandbox === "none" ? badge("none", "bad") : item.sandbox),
    fact("Umask", item.umask),
    fact("Programs", item.programs.length > 0 && code(item.programs.join("; "))),
    fact("PATH", item.path && code(item.path)),
    fact("Session variables", item.variables.length > 0 && item.variables.join(", ")),
    fact("Variables", item.env.length > 0 && item.env.join(", ")),
    fact("Caller", [item.callerName, " (", code(item.caller), ")"]),
    fact("Policy", `${item.policy}${item.rule === null ? "" : `, rule ${item.rule}`}`),
  ];
  const session = item.kind === "session";
  return waiting(item, load, {
    title: session ? `${item.callerName} asks for a session without the sandbox` : `${item.callerName} asks`, what: item.command,
    approved: session ? "Approved: it opens when the same request is sent again." : "Approved: it may run once, as it stands here.",
  },
    el("pre", { class: "command", tabindex: "0", "aria-label": "Command" }, item.command),
    el("dl", {}, facts),
    item.stdin && el("details", { open: true }, el("summary", {}, "Its input"), el("pre", { tabindex: "0" }, item.stdin)));
}

/** What the gateway writes as "trust TYPE FINGERPRINT as the host key of HOST". */
function trusted(item) {
  const [, type, fingerprint] = item.command.split(" ");
  const [, before] = item.command.split(" in the place of ");
  return { type, fingerprint, before, host: item.place.replace(/^ssh /, "") };
}

function hostKey(item, load) {
  const { type, fingerprint, before, host } = trusted(item);
  return waiting(item, load, { title: before ? `Trust the changed host key of ${host}?` : `Trust the host key of ${host}?`, what: `the host key of ${host}`, approved: "Approved: the next connection to it remembers the key." },
    el("pre", { class: "command", tabindex: "0", "aria-label": "Fingerprint" }, fingerprint),
    el("dl", {},
      fact("Key until now", before && code(before)),
      fact("Kind of key", type),
      fact("Host", code(host)),
      fact("Why it waits", item.reason),
      fact("Caller", [item.callerName, " (", code(item.caller), ")"]),
      fact("Set by", item.policy)));
}

function waiting(item, load, { title, what, approved }, ...content) {
  const decide = (decision) => async () => {
    await post(`/v1/approvals/${part(item.id)}`, { decision });
    notify(decision === "approve" ? approved : "Denied.");
    await load();
  };
  return card({ text: title, actions: el("span", { class: "quiet" }, "asked ", when(item.createdAt), ", ends ", when(item.expiresAt)) },
    content,
    el("div", { class: "actions end" },
      button("Deny", decide("deny"), { kind: "danger", name: `Deny ${what}, asked by ${item.callerName}` }),
      button("Approve", decide("approve"), { kind: "primary", name: `Approve ${what}, asked by ${item.callerName}` })));
}

const where = ({ place }) => (place === "type:local" ? "this machine" : place);
const fact = (name, value) => value && [el("dt", {}, name), el("dd", {}, value)];

function tryOut() {
  const said = el("div", { "aria-live": "polite" });
  return card("Try the policy on a command",
    form([{ name: "command", label: "Command", required: true, placeholder: "rm -rf build", hint: "It is judged, not run." }], {
      action: "Judge",
      submit: async ({ command }) => {
        replace(said, judged(await post("/v1/terminal/policy/check", { command })));
      },
    }), said);
}

function judged({ action, policy, rule, reason }) {
  const shown = badge(action, { allow: "good", deny: "bad" }[action] ?? "");
  if (policy === null) return el("p", {}, shown, " ", reason || "No policy says anything about it: without one, every command is allowed.");
  const by = rule === null ? `By the default of the policy “${policy}”.` : `By rule ${rule} of the policy “${policy}”.`;
  return [el("p", {}, shown, " ", reason), quiet(by)];
}
