// The frame around all views: navigation, who is there, how the gateway is, what waits for approval.

import { get, post, signIn } from "./api.js";
import { el, replace } from "./dom.js";
import { limitNotice } from "./limits.js";
import { badge, button, closeDialogs, errorBox, quiet } from "./parts.js";
import { every, Feed } from "./polling.js";
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
const APPROVALS_EVERY = 15_000;
const APPROVALS_UNSEEN = 60_000;
const APPROVALS_FIRST = 1500;
const HEALTH_EVERY = 15_000;

/** The frame for whoever is there; `restart` asks again who that is. `leave` ends all that it does by itself. */
export function shell(who, restart) {
  const may = (scope) => scope === null || who.scopes.includes(scope);
  const waiting = el("span", { class: "count", hidden: true });
  const state = el("a", { href: "#/overview", class: "state", "aria-live": "polite" }, "…");
  const banner = el("div");
  const limit = limitNotice("What you see is from before. ");
  const approvalsFeed = new Feed(async () => (await get("/v1/approvals")).approvals, { hidden: APPROVALS_UNSEEN, first: APPROVALS_FIRST });
  const healthFeed = new Feed(() => get("/health"), { free: true });
  const main = el("main", { id: "view", tabindex: "-1" });
  const links = VIEWS.filter((view) => may(view.scope)).map((view) =>
    el("a", { href: `#/${view.id}`, data: { view: view.id } }, view.title, view.id === "approvals" && [" ", waiting]));
  const nav = el("nav", { "aria-label": "Views" }, links);
  const context = { may, who, approvalsFeed, healthFeed };
  const ends = [watchHealth(healthFeed, state, banner), routing(main, nav, context), limit.end, closeDialogs];
  if (may("admin")) ends.push(approvalsFeed.watch(APPROVALS_EVERY, (found) => showWaiting(waiting, found.filter((item) => item.status === "pending").length)));
  const node = el("div", { class: "frame" },
    el("a", { href: "#view", class: "skip", on: { click: (event) => { event.preventDefault(); main.focus(); } } }, "Skip to the content"),
    el("header", { class: "side" },
      el("div", { class: "brand" }, el("strong", {}, "AI MCP Gateway"), state),
      nav,
      el("div", { class: "who" }, person(who), themeButton(), who.authenticated && button("Log out", () => logOut(who, restart), { small: true }))),
    el("div", { class: "page" }, limit.node, banner, main));
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

function watchHealth(feed, state, banner) {
  const well = (report) => {
    state.dataset.state = report.status;
    replace(state, report.status);
    replace(banner);
  };
  return feed.watch(HEALTH_EVERY, well, (error) => {
    state.dataset.state = "error";
    replace(state, error.status === 503 ? "error" : "away");
    replace(banner, errorBox(error));
  });
}

/** Shows the view that the address names after its `#`; returns how to end it. */
function routing(main, nav, context) {
  let cleanup = [];
  const end = () => { closeDialogs(); cleanup.forEach((step) => step()); cleanup = []; };
  const go = () => {
    end();
    const [id, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    const view = id ? VIEWS.find((candidate) => candidate.id === id) : VIEWS.find((candidate) => context.may(candidate.scope));
    for (const link of nav.querySelectorAll("a")) {
      if (link.dataset.view === view?.id) current(link);
      else link.removeAttribute("aria-current");
    }
    entitle(`${view?.title ?? "Nothing here"} · AI MCP Gateway`, Number(/^\((\d+)\)/.exec(document.title)?.[1] ?? 0));
    const onLeave = (step) => cleanup.push(step);
    const own = { ...context, onLeave, every: (ms, ask) => onLeave(every(ms, ask)), watch: (feed, ...given) => onLeave(feed.watch(...given)) };
    replace(main, view ? shown(view, own, rest) : id ? unknown() : nothing(context.who));
  };
  addEventListener("hashchange", go);
  go();
  return () => { removeEventListener("hashchange", go); end(); };
}

/** Mark a link as the one of this view; where the list is wider than the page, it is brought into sight. */
function current(link) {
  link.setAttribute("aria-current", "page");
  requestAnimationFrame(() => link.scrollIntoView({ block: "nearest", inline: "nearest" }));
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
const unknown = () => [el("h1", {}, "Nothing here"), el("p", { role: "alert" }, "There is no view at this address. Choose one from the list, or go to the ", el("a", { href: "#/overview" }, "Overview"), ".")];
const nothing = (who) => quiet(`${who.name} may use none of these views: the scopes are ${who.scopes.join(", ") || "none"}. Ask an administrator for a key with more scopes.`);
