// The frame around all views: navigation, who is there, how the gateway is, what waits for approval.

import { get, post, signIn } from "./api.js";
import { el, replace } from "./dom.js";
import { badge, button, errorBox, quiet } from "./parts.js";
import { every } from "./polling.js";
import { applyTheme, nextTheme, theme } from "./theme.js";
import { approvals } from "./view-approvals.js";
import { audit } from "./view-audit.js";
import { budgets } from "./view-budgets.js";
import { chat } from "./view-chat.js";
import { keys } from "./view-keys.js";
import { models } from "./view-models.js";
import { overview } from "./view-overview.js";
import { providers } from "./view-providers.js";
import { settings } from "./view-settings.js";
import { terminals } from "./view-terminals.js";
import { usage } from "./view-usage.js";

const VIEWS = [overview, chat, models, terminals, approvals, usage, budgets, keys, providers, audit, settings];
const APPROVALS_EVERY = 6000;
const HEALTH_EVERY = 10_000;

/** The frame for whoever is there; `restart` asks again who that is. `leave` ends all that it does by itself. */
export function shell(who, restart) {
  const may = (scope) => scope === null || who.scopes.includes(scope);
  const waiting = el("span", { class: "count", hidden: true });
  const state = el("a", { href: "#/overview", class: "state", "aria-live": "polite" }, "…");
  const banner = el("div");
  const main = el("main", { id: "view", tabindex: "-1" });
  const links = VIEWS.filter((view) => may(view.scope)).map((view) =>
    el("a", { href: `#/${view.id}`, data: { view: view.id } }, view.title, view.id === "approvals" && [" ", waiting]));
  const nav = el("nav", { "aria-label": "Views" }, links);
  const context = { may, who, waiting: (number) => showWaiting(waiting, number) };
  const ends = [routing(main, nav, context), health(state, banner)];
  if (may("admin")) ends.push(every(APPROVALS_EVERY, async () => context.waiting((await get("/v1/approvals", { status: "pending" })).approvals.length)));
  const node = el("div", { class: "frame" },
    el("a", { href: "#view", class: "skip", on: { click: (event) => { event.preventDefault(); main.focus(); } } }, "Skip to the content"),
    el("header", { class: "side" },
      el("div", { class: "brand" }, el("strong", {}, "AI MCP Gateway"), state),
      nav,
      el("div", { class: "who" }, person(who), themeButton(), who.authenticated && button("Log out", () => logOut(who, restart), { small: true }))),
    el("div", { class: "page" }, banner, main));
  return { node, leave: () => ends.forEach((end) => end()) };
}

function person(who) {
  const role = who.user ? who.user.role : who.kind === "key" ? "API key" : "this machine";
  return el("p", {}, el("span", { class: "name" }, who.name), " ", badge(role));
}

function themeButton() {
  const label = () => `Theme: ${theme()}`;
  const node = button(label(), () => { applyTheme(nextTheme()); node.textContent = label(); }, { small: true });
  return node;
}

async function logOut(who, restart) {
  try {
    if (who.kind === "user") await post("/v1/auth/logout");
  } finally {
    signIn(null);
    await restart();
  }
}

function showWaiting(node, number) {
  node.hidden = !number;
  node.textContent = number || "";
  node.setAttribute("aria-label", `${number} waiting`);
  entitle(document.title.replace(/^\(\d+\) /, ""), number);
}

function entitle(title, number) {
  document.title = number ? `(${number}) ${title}` : title;
}

function health(state, banner) {
  return every(HEALTH_EVERY, async () => {
    try {
      const report = await get("/health");
      state.dataset.state = report.status;
      replace(state, report.status);
      replace(banner);
    } catch (error) {
      state.dataset.state = "error";
      replace(state, error.status === 503 ? "error" : "away");
      replace(banner, errorBox(error));
    }
  });
}

/** Shows the view that the address names after its `#`; returns how to end it. */
function routing(main, nav, context) {
  let cleanup = [];
  const end = () => { cleanup.forEach((step) => step()); cleanup = []; };
  const go = () => {
    end();
    const [id, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    const view = VIEWS.find((candidate) => candidate.id === id) ?? VIEWS.find((candidate) => context.may(candidate.scope));
    for (const link of nav.querySelectorAll("a")) {
      if (link.dataset.view === view?.id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    entitle(`${view?.title ?? "Nothing"} · AI MCP Gateway`, Number(/^\((\d+)\)/.exec(document.title)?.[1] ?? 0));
    const own = { ...context, onLeave: (step) => cleanup.push(step), every: (ms, ask) => cleanup.push(every(ms, ask)) };
    replace(main, view ? shown(view, own, rest) : nothing(context.who));
  };
  addEventListener("hashchange", go);
  go();
  return () => { removeEventListener("hashchange", go); end(); };
}

function shown(view, context, rest) {
  if (!context.may(view.scope)) return [el("h1", {}, view.title), lacking(view.scope)];
  try {
    return view.render(context, rest.map(decodeURIComponent));
  } catch (error) {
    return errorBox(error);
  }
}

const lacking = (scope) => quiet(`This needs the scope “${scope}”, which your login does not have. Log in as an administrator, or with a key that has it.`);
const nothing = (who) => quiet(`${who.name} may use none of these views: the scopes are ${who.scopes.join(", ") || "none"}. Ask an administrator for a key with more scopes.`);
