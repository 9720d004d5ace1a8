/** The WebSocket of a terminal session: connects again where it was, and starts another shell when the last one has ended. */

import { ApiError, closedFor, getAt, part, post, subprotocols } from "../api/client";
import type { Session } from "../api/types";
import { failed } from "../ui/kit";
import { m } from "../messages";

const TRIES = [500, 1000, 2000, 4000, 8000];
const NORMAL = 1000;
const POLICY = 1008;

export interface Shown {
  text: string;
  kind: "" | "good" | "bad";
  /** The person may ask to connect again. */
  lost?: boolean;
  /** Nothing can be typed any more. */
  closed?: boolean;
}

interface Handlers {
  show: (state: Shown) => void;
  opened: () => void;
  output: (data: string) => void;
  dropped: (characters: number) => void;
}

export class Connection {
  readonly watches: boolean;
  #socket: WebSocket | null = null;
  #cursor = 0;
  #dropped = 0;
  #tried = 0;
  #over = "";
  #left = false;
  #again = false;
  #starting = false;
  #ahead = "";
  #timer = 0;

  constructor(readonly session: Session, takeOver: boolean, private readonly handlers: Handlers) {
    this.watches = Boolean(session.owner) && !takeOver;
  }

  connect(): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const taken = this.session.owner && !this.watches ? "&takeOver=true" : "";
    this.#say({ text: m.terminals.connecting, kind: "" });
    const socket = new WebSocket(`${scheme}//${location.host}/v1/terminal/${part(this.session.id)}/ws?cursor=${this.#cursor}${taken}`, subprotocols());
    this.#socket = socket;
    socket.addEventListener("open", () => this.#opened());
    socket.addEventListener("message", (event) => this.#heard(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => void this.#ended(event));
  }

  /** Connect after the tries of its own were used up. */
  retry(): void {
    this.#tried = 0;
    this.connect();
  }

  type(data: string): void {
    if (this.watches) return;
    if (this.#again) void this.#start({ data });
    else if (this.#starting) this.#ahead += data;
    else this.#send({ type: "input", data });
  }

  /** Paste as a whole: the gateway knows whether the program there takes pastes in brackets. */
  paste(data: string): void {
    if (this.watches) return;
    if (this.#again) void this.#start({ data, paste: true });
    else post(`/v1/terminal/${part(this.session.id)}/send`, { data, paste: true }).catch(failed);
  }

  /** The screen of another caller's session keeps its size. */
  resize(cols: number, rows: number): void {
    if (!this.session.owner) this.#send({ type: "resize", cols, rows });
  }

  /** The session as it is now, or null when it is gone. */
  async look(): Promise<Session | null> {
    try {
      return (await getAt<{ session: Session }>(`/v1/terminal/${part(this.session.id)}`)).session;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.limited) {
        await new Promise((resolve) => { this.#timer = window.setTimeout(resolve, closedFor()); });
        return this.#left ? null : this.look();
      }
      if (error.status < 400 || error.status >= 500) return this.session;
      this.#say({ text: error.message, kind: "bad", closed: true });
      return null;
    }
  }

  leave(): void {
    this.#left = true;
    window.clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #opened(): void {
    this.#tried = 0;
    this.#over = "";
    this.#starting = false;
    this.#say({ text: m.terminals.live, kind: "good" });
    this.handlers.opened();
    if (this.#ahead) this.#send({ type: "input", data: this.#ahead });
    this.#ahead = "";
  }

  #heard(message: { type: string; reason?: string; data: string; cursor: number; dropped: number }): void {
    if (message.type === "closed") {
      this.#over = message.reason || m.terminals.ended;
      return;
    }
    this.#cursor = message.cursor;
    if (message.dropped) this.handlers.dropped(this.#dropped += message.dropped);
    this.handlers.output(message.data);
  }

  async #ended(event: CloseEvent): Promise<void> {
    if (this.#left) return;
    if (event.code === POLICY) this.#say({ text: event.reason || m.terminals.ended, kind: "bad", closed: true });
    else if (this.#over || event.code === NORMAL) {
      this.#say({ text: this.#over || event.reason || m.terminals.ended, kind: "bad" });
      await this.#offer();
    } else {
      const wait = TRIES[this.#tried++];
      this.#say({ text: wait === undefined ? m.terminals.disconnected : m.terminals.reconnecting, kind: "bad", lost: wait === undefined });
      if (wait !== undefined) this.#timer = window.setTimeout(() => void this.#reconnect(), wait);
    }
  }

  /** The shell has ended; where its session is still there, typing starts another one. */
  async #offer(): Promise<void> {
    const session = await this.look();
    if (!session || this.#left) return;
    if (session.connected) {
      this.connect();
      return;
    }
    this.#again = true;
    const code = session.exitCode;
    const gave = code === null || code === undefined ? "" : ` ${m.terminals.exitCode(code)}`;
    this.#say({ text: `${session.reason || m.terminals.over}${gave}`, kind: code === 0 ? "" : "bad" });
  }

  /** A browser does not say why a handshake was refused; the session does. */
  async #reconnect(): Promise<void> {
    if ((await this.look()) && !this.#left) this.connect();
  }

  async #start(typed: { data: string; paste?: boolean }): Promise<void> {
    this.#again = false;
    this.#starting = true;
    this.#say({ text: m.terminals.starting, kind: "" });
    try {
      await post(`/v1/terminal/${part(this.session.id)}/send`, typed);
      if (!this.#left) this.connect();
    } catch (error) {
      this.#starting = false;
      this.#again = error instanceof ApiError && error.limited;
      this.#say({ text: (error as Error).message, kind: "bad", closed: !this.#again });
    }
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #say(state: Shown): void {
    if (!this.#left) this.handlers.show(state);
  }
}
