// One open session: a live terminal over its WebSocket.

import { closedFor, del, get, part, post, subprotocols } from "./api.js";
import { el, replace } from "./dom.js";
import { count } from "./format.js";
import { badge, button, code, confirmed, failed, notify, quiet } from "./parts.js";
import { TerminalView } from "./vt-view.js";

const TRIES = [500, 1000, 2000, 4000, 8000];
const NORMAL = 1000;
const POLICY = 1008;

/** The terminal of a session. `leave` ends the view, not the session. */
export function liveTerminal(session, closed, { takeOver = false } = {}) {
  const live = new Live(session, takeOver);
  const take = live.watches && button("Take over", async () => {
    if (!(await confirmed("Type into another caller's session?", "Its owner sees that, and it is in the audit trail.", "Take over"))) return;
    location.hash = `#/terminals/${encodeURIComponent(session.id)}/take-over`;
  });
  const end = button("Close the session", async () => {
    if (!(await confirmed("Close this session?", "Everything that runs in it is ended.", "Close"))) return;
    await del(`/v1/terminal/${part(session.id)}`);
    notify("The session is closed.");
    closed();
  }, { kind: "danger" });
  const node = el("section", { class: "live", "aria-label": "Live terminal" },
    el("div", { class: "head" },
      el("div", {}, el("h2", {}, live.title), live.state, live.watchers),
      el("div", { class: "actions" }, take || button("Ctrl-C", () => live.type("\x03"), { small: true }), end)),
    session.owner && quiet(live.watches ? `You watch a session of ${session.owner}; it is read-only.` : `You type into a session of ${session.owner}.`),
    live.view.node,
    live.gap,
    quiet("Everything that you type goes to the terminal, Tab too; Shift+F6 leaves it. Ctrl+C copies while text is selected. When the shell has ended, typing starts another one."));
  node.addEventListener("leave", () => end.focus());
  live.connect();
  return { node, look: () => live.look(), leave: () => live.leave() };
}

class Live {
  constructor(session, takeOver) {
    this.session = session;
    this.watches = Boolean(session.owner) && !takeOver;
    this.cursor = 0;
    this.dropped = 0;
    this.tried = 0;
    this.left = false;
    this.again = false;
    this.starting = false;
    this.typedAhead = "";
    this.title = el("span", {}, name(session));
    this.state = el("span", { class: "live-state", role: "status" });
    this.watchers = el("div", { role: "status" });
    this.gap = el("div");
    this.view = new TerminalView({
      onInput: (data) => this.type(data),
      onPaste: (data) => this.paste(data),
      onResize: (cols, rows) => this.resize(cols, rows),
    });
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const address = `${scheme}//${location.host}/v1/terminal/${part(this.session.id)}/ws?cursor=${this.cursor}${this.session.owner && !this.watches ? "&takeOver=true" : ""}`;
    this.show("connecting …", "");
    this.socket = new WebSocket(address, subprotocols());
    this.socket.addEventListener("open", () => this.opened());
    this.socket.addEventListener("message", (event) => this.heard(JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.ended(event));
  }

  opened() {
    this.tried = 0;
    this.over = "";
    this.show("live", "good");
    this.view.begin();
    this.view.fit();
    this.view.focus();
    this.resize(this.view.screen.columns, this.view.screen.rows);
    this.starting = false;
    if (this.typedAhead) this.say({ type: "input", data: this.typedAhead });
    this.typedAhead = "";
  }

  heard(message) {
    if (message.type === "closed") {
      this.over = message.reason || "The session has ended.";
      return;
    }
    this.cursor = message.cursor;
    if (message.dropped) {
      this.dropped += message.dropped;
      replace(this.gap, quiet(`${count(this.dropped)} characters came too fast and are not shown.`));
    }
    this.view.write(message.data);
    replace(this.title, this.view.screen.title || name(this.session));
  }

  ended(event) {
    if (this.left) return;
    if (this.over || event.code === NORMAL || event.code === POLICY) {
      this.show(this.over || event.reason || "ended", "bad");
      if (event.code === POLICY) this.view.close();
      else this.offer();
      return;
    }
    const wait = TRIES[this.tried++];
    if (wait === undefined) {
      replace(this.state, badge("not connected", "bad"), " ", button("Connect again", () => { this.tried = 0; this.connect(); }, { small: true }));
      return;
    }
    this.show("connecting again …", "bad");
    this.timer = setTimeout(() => this.reconnect(), wait);
  }

  /** The shell has ended; where its session is still there, typing starts another one. */
  async offer() {
    this.view.end();
    const session = await this.found();
    if (!session || this.left) return;
    if (session.connected) {
      this.connect();
      return;
    }
    this.again = true;
    const gave = "exitCode" in session ? ` Its exit code was ${session.exitCode}.` : "";
    this.show(`${session.reason || "The shell has ended; typing starts a new one."}${gave}`, session.exitCode === 0 ? "quiet" : "bad");
  }

  /** Connect once more, unless the session is gone: of a refused handshake a browser does not say why. */
  async reconnect() {
    if ((await this.found()) && !this.left) this.connect();
  }

  /** The session as it is, or null when it is gone, which ends the view. */
  async found() {
    try {
      return (await get(`/v1/terminal/${part(this.session.id)}`)).session;
    } catch (error) {
      if (error.limited) {
        await new Promise((resolve) => { this.timer = setTimeout(resolve, closedFor()); });
        return this.left ? null : this.found();
      }
      if (error.status < 400 || error.status >= 500) return this.session;
      this.show(error.message, "bad");
      this.view.close();
      return null;
    }
  }

  /** Look who watches, and whether the session is still there. */
  async look() {
    const session = await this.found();
    if (session) replace(this.watchers, session.watchers && badge(watched(session), "bad"));
  }

  /** The screen of another caller's session keeps its size. */
  resize(cols, rows) {
    if (!this.session.owner) this.say({ type: "resize", cols, rows });
  }

  type(data) {
    if (this.watches) return;
    if (this.again) this.start({ data });
    else if (this.starting) this.typedAhead += data;
    else this.say({ type: "input", data });
  }

  /** Start another shell in the session with what was typed, and look at it. */
  async start(typed) {
    this.again = false;
    this.starting = true;
    this.show("starting another shell …", "");
    try {
      await post(`/v1/terminal/${part(this.session.id)}/send`, typed);
      if (!this.left) this.connect();
    } catch (error) {
      this.again = Boolean(error.limited);
      this.show(error.message, "bad");
      this.starting = false;
      if (!error.limited) this.view.close();
    }
  }

  /** Whole, and so that nothing of it runs by itself: the gateway knows whether the program there takes pastes in brackets. */
  paste(data) {
    if (this.watches) return;
    if (this.again) this.start({ data, paste: true });
    else post(`/v1/terminal/${part(this.session.id)}/send`, { data, paste: true }).catch(failed);
  }

  say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  show(text, kind) {
    replace(this.state, text.length > 30 ? el("span", { class: kind }, text) : badge(text, kind), " ", code(this.session.id));
  }

  leave() {
    this.left = true;
    clearTimeout(this.timer);
    this.view.close();
    this.socket?.close();
  }
}

export const name = (session) => session.title || (session.type === "local" ? "This machine" : `${session.username ? `${session.username}@` : ""}${session.host}${session.port ? `:${session.port}` : ""}`);

/** Which administrators are, or have been, at a session. */
export const watched = ({ watchers }) => watchers.map((one) => `${one.name} ${one.watching ? "watches" : "watched"}${one.tookOver ? " and typed" : ""}`).join(", ");
