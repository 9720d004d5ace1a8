// Terminals: sessions, saved connections, recordings; and the live terminal of one session.

import { del, download, get, part, post } from "./api.js";
import { el } from "./dom.js";
import { bytes, when } from "./format.js";
import { waitingLogins, withCode } from "./login-codes.js";
import { keyNames } from "./names.js";
import { badge, button, card, code, confirmed, notify, quiet, table } from "./parts.js";
import { into, loader, place } from "./places.js";
import { changeConnection, openTerminal, saveConnection } from "./terminal-forms.js";
import { liveTerminal, name, watched } from "./terminal-live.js";

const EVERY = 20_000;
const WATCHED_EVERY = 20_000;

export const terminals = {
  id: "terminals",
  title: "Terminals",
  scope: "terminal",
  render(context, [id, how]) {
    return id ? one(context, id, how === "take-over") : all(context);
  },
};

const go = (session) => { location.hash = `#/terminals/${encodeURIComponent(session.id)}`; };

function one(context, id, takeOver) {
  const back = () => { location.hash = "#/terminals"; };
  let left = false;
  let leave = () => {};
  context.onLeave(() => { left = true; leave(); });
  return [el("a", { href: "#/terminals" }, "← All terminals"), loader(async () => {
    const { session } = await get(`/v1/terminal/${part(id)}`);
    if (left) return null;
    const live = liveTerminal(session, back, { takeOver });
    leave = live.leave;
    if (!session.owner && context.who.authMode === "required") context.every(WATCHED_EVERY, live.look);
    return live.node;
  }, { label: "Connecting …" })];
}

function all(context) {
  const sessions = place();
  const oversees = context.may("admin") && context.who.authMode === "required";
  let everyone = false;
  const whose = oversees && button("Show all callers' sessions", () => {
    everyone = !everyone;
    whose.textContent = everyone ? "Show my sessions" : "Show all callers' sessions";
    return showSessions();
  });
  const showSessions = () => into(sessions, async () => {
    const found = await get(`/v1/terminal/sessions${everyone ? "?all=true" : ""}`);
    const names = everyone ? await keyNames(context) : new Map();
    return [found.incomplete && quiet(`Incomplete: ${found.incomplete.join(", ")} did not answer in time.`), sessionList(found.sessions, names, showSessions)];
  }, { polled: true });
  context.every(EVERY, showSessions);
  const connections = loader(async () => connectionList((await get("/v1/terminal/connections")).connections, () => connections.reload()));
  const recordings = loader(async () => recordingList((await get("/v1/terminal/recordings")).recordings, () => recordings.reload()));
  return [
    el("div", { class: "head" }, el("h1", {}, "Terminals"), el("div", { class: "actions" },
      whose,
      button("Other host", () => openTerminal(go)),
      button("Open a local terminal", async () => go((await post("/v1/terminal/sessions", { type: "local" })).session), { kind: "primary" }))),
    waitingLogins(), sessions, connections, recordings,
  ];
}

const sessionList = (found, names, reload) => card("Open sessions", table([
  { title: "Session", wide: true, cell: (session) => [el("a", { href: `#/terminals/${encodeURIComponent(session.id)}` }, name(session)), el("small", {}, code(session.id)), session.owner && el("small", {}, "of ", names.get(session.owner) ?? "", " ", code(session.owner))] },
  { title: "Type", cell: (session) => badge(session.type) },
  { title: "State", cell: (session) => [session.connected ? badge("connected", "good") : badge("ended", "bad"), session.connected && session.login && session.login !== "done" && badge("not logged in", "bad"), session.recording && badge("recorded"), session.watchers && badge(watched(session), "bad"), session.busy && el("small", {}, "runs ", code(session.busy.command), " since ", when(session.busy.since)), session.reason && el("small", {}, session.reason)] },
  { title: "Last used", cell: (session) => when(session.lastActivity) },
  { title: "Opened", cell: (session) => when(session.createdAt) },
  {
    title: "", cell: (session) => el("span", { class: "actions" },
      button(session.owner ? "Watch" : "Attach", () => go(session), { small: true, name: `${session.owner ? "Watch" : "Attach to"} ${name(session)}` }),
      button("Close", async () => {
        await del(`/v1/terminal/${part(session.id)}`);
        notify("The session is closed.");
        await reload();
      }, { small: true, kind: "danger", name: `Close ${name(session)}` })),
  },
], found, { empty: "You have no open session. Other callers do not see yours; an administrator may, where callers log in.", label: "Sessions" }));

const connectionList = (found, reload) => card({ text: "Saved connections", actions: button("Save a connection", () => saveConnection(reload), { small: true }) }, table([
  { title: "Name", wide: true, cell: (saved) => saved.name },
  { title: "Type", cell: (saved) => badge(saved.type) },
  { title: "Where", wide: true, cell: (saved) => (saved.host ? code(`${saved.username ? `${saved.username}@` : ""}${saved.host}${saved.port ? `:${saved.port}` : ""}`) : code(saved.cwd ?? "~")) },
  { title: "Secrets kept", cell: (saved) => [saved.hasPassword && badge("password"), saved.hasPrivateKey && badge("key")] },
  {
    title: "", cell: (saved) => el("span", { class: "actions" },
      button("Connect", async () => {
        const opened = await withCode((more) => post(`/v1/terminal/connections/${part(saved.id)}/connect`, more));
        if (opened) go(opened.session);
      }, { small: true, name: `Connect to ${saved.name}` }),
      button("Edit", () => changeConnection(saved, reload), { small: true, name: `Edit ${saved.name}` }),
      button("Delete", async () => {
        if (!(await confirmed(`Delete the connection ${saved.name}?`, "Its secrets are gone then.", "Delete"))) return;
        await del(`/v1/terminal/connections/${part(saved.id)}`);
        notify(`${saved.name} is deleted.`);
        await reload();
      }, { small: true, kind: "danger", name: `Delete ${saved.name}` })),
  },
], found, { empty: "None yet. A saved connection keeps its secrets encrypted and opens with one click.", label: "Saved connections" }));

const recordingList = (found, reload) => card("Recordings", table([
  { title: "Session", wide: true, cell: (recording) => [recording.title || "–", el("small", {}, code(recording.sessionId))] },
  { title: "Whose", cell: (recording) => recording.owner },
  { title: "Begun", cell: (recording) => when(recording.startedAt) },
  { title: "Size", number: true, cell: (recording) => bytes(recording.bytes) },
  { title: "State", cell: (recording) => (recording.active ? badge("goes on", "good") : badge("ended")) },
  {
    title: "", cell: (recording) => el("span", { class: "actions" },
      button("Download", () => download(`/v1/terminal/${part(recording.sessionId)}/recording`, `${recording.sessionId}.cast`), { small: true, name: `Download ${recording.sessionId}` }),
      button("Delete", async () => {
        if (!(await confirmed("Delete this recording?", "It cannot be made again.", "Delete"))) return;
        await del(`/v1/terminal/${part(recording.sessionId)}/recording`);
        notify("The recording is deleted.");
        await reload();
      }, { small: true, kind: "danger", name: `Delete ${recording.sessionId}` })),
  },
], found, { empty: "None. Ask for one when you open a terminal; asciinema plays it.", label: "Recordings" }));
