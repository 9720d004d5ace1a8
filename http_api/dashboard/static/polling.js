// Asking again and again, while somebody looks and never faster than the rate limit allows.

import { closedFor, pace } from "./api.js";

const AFTER_LIMIT = 2000;
const SLOWEST = 60_000;

/** Something that is asked for once, for all who watch it, as often as the one of them in the greatest hurry wants.
 *
 * `hidden` is how often it is asked for, in milliseconds, while the page is not to be seen; 0 is not at all. `first` is how long
 * it waits to be asked for at first, so that reloading costs less. `free` says that it counts against no rate limit.
 */
export class Feed {
  constructor(ask, { hidden = 0, first = 0, free = false } = {}) {
    Object.assign(this, { ask, hidden, first, free });
    this.watchers = new Set();
    this.timer = 0;
    this.asked = 0;
    this.asking = null;
    this.plan = this.plan.bind(this);
  }

  /** Tell `next` what there is and comes, asked for at least every so many milliseconds, and `failed` of errors, until what this returns is called. */
  watch(milliseconds, next, failed = () => {}) {
    const watcher = { milliseconds, next, failed };
    if (!this.watchers.size) document.addEventListener("visibilitychange", this.plan);
    this.watchers.add(watcher);
    if (this.value !== undefined) next(this.value);
    this.plan();
    return () => {
      this.watchers.delete(watcher);
      if (!this.watchers.size) document.removeEventListener("visibilitychange", this.plan);
      this.plan();
    };
  }

  /** Ask now; what was asked before does not count. */
  now() {
    clearTimeout(this.timer);
    if (this.asking) return this.asking.then(() => this.now());
    this.asking = this.run().finally(() => { this.asking = null; this.plan(); });
    return this.asking;
  }

  async run() {
    this.asked = Date.now();
    try {
      this.value = await this.ask();
    } catch (error) {
      console.warn("polling:", error.message);
      this.value = undefined;
      this.watchers.forEach((watcher) => watcher.failed(error));
      return;
    }
    this.watchers.forEach((watcher) => watcher.next(this.value));
  }

  plan() {
    clearTimeout(this.timer);
    const wait = this.wait();
    if (wait !== null && !this.asking) this.timer = setTimeout(() => this.now(), wait);
  }

  /** Milliseconds until it is to be asked for again; null for not at all. */
  wait() {
    if (!this.watchers.size || (document.hidden && !this.hidden)) return null;
    const closed = this.free ? 0 : closedFor();
    if (closed) return closed + AFTER_LIMIT * (1 + Math.random());
    if (!this.asked) return this.first;
    const wanted = Math.min(...[...this.watchers].map((watcher) => watcher.milliseconds));
    const slow = this.free ? wanted : Math.max(wanted, Math.min(wanted * pace(), SLOWEST));
    return Math.max(0, this.asked + (document.hidden ? Math.max(slow, this.hidden) : slow) - Date.now());
  }
}

/** Run `ask` now and then every so many milliseconds, until the function that this returns is called. */
export const every = (milliseconds, ask) => new Feed(ask).watch(milliseconds, () => {});
