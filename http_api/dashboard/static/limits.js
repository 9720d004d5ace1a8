// The rate limit: says that it is reached and when it goes on, and lets what waited for that go on.

import { closedFor, rateLimit } from "./api.js";
import { el, replace } from "./dom.js";

const LITTLE = 500;
const told = () => `The rate limit of ${rateLimit()} requests is reached. `;

/** Words about the limit while it is reached, nothing otherwise; `end` stops the clock in it. `more` is said besides. */
export function limitNotice(more = "") {
  const node = el("div", { role: "status" });
  const left = el("span", { "aria-hidden": "true" });
  let timer = 0;
  const show = () => {
    clearTimeout(timer);
    const seconds = Math.ceil(closedFor() / 1000);
    if (!seconds) return replace(node);
    left.textContent = `It goes on by itself in ${seconds} s.`;
    if (!node.childElementCount) replace(node, el("p", { class: "notice bad limit" }, told(), more, left));
    timer = setTimeout(show, 1000);
    return node;
  };
  addEventListener("ratelimit", show);
  show();
  return { node, end: () => { clearTimeout(timer); removeEventListener("ratelimit", show); } };
}

/** What stands where nothing could be loaded yet. */
export const heldBack = () => el("p", { class: "quiet" }, "This comes as soon as the rate limit lets something through.");

/** Run that once the limit lets something through, if it is still wanted then. */
export function afterLimit(wanted, run) {
  setTimeout(() => wanted() && run(), closedFor() + LITTLE * (1 + Math.random()));
}
