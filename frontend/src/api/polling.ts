/** Requests that repeat while the page is visible, and never faster than the rate limit allows. */

import { closedFor, pace } from "./client";

const AFTER_LIMIT = 2000;
const SLOWEST = 60_000;

/** Call `ask` now and every `milliseconds`, or every `hidden` milliseconds while nobody sees the page (0: not at all); returns how to stop. `free` requests count against no rate limit. */
export function poll(ask: () => Promise<unknown>, milliseconds: number, { free = false, hidden = 0 } = {}): () => void {
  let timer = 0;
  let ended = false;
  let last = 0;
  const wait = () => {
    if (document.hidden && hidden) return Math.max(hidden, closedFor());
    const closed = free ? 0 : closedFor();
    if (closed) return closed + AFTER_LIMIT * (1 + Math.random());
    return free ? milliseconds : Math.max(milliseconds, Math.min(milliseconds * pace(), SLOWEST));
  };
  const run = async () => {
    if (ended || (document.hidden && !hidden)) return;
    last = Date.now();
    await ask().catch(() => undefined);
    if (!ended) timer = window.setTimeout(run, wait());
  };
  const seen = () => {
    if (document.hidden) return;
    window.clearTimeout(timer);
    timer = window.setTimeout(run, Math.max(0, last + milliseconds - Date.now()));
  };
  document.addEventListener("visibilitychange", seen);
  timer = window.setTimeout(run, closedFor() && !free ? wait() : 0);
  return () => {
    ended = true;
    window.clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}
