// Places of a view that load what they show, and keep it while the gateway cannot be asked.

import { closedFor } from "./api.js";
import { el, replace } from "./dom.js";
import { afterLimit, heldBack } from "./limits.js";
import { errorBox, quiet } from "./parts.js";

const filled = new WeakSet();

/** A place that is not filled yet, and says so. */
export const place = (given = {}) => el("div", given, closedFor() ? heldBack() : quiet("Loading …"));

/** Show in a place what was loaded. */
export function fill(node, ...children) {
  filled.add(node);
  return replace(node, ...children);
}

/** Show in a place that loading failed. What was there stays while the rate limit or the network is to blame, which the frame tells of.
 *
 * `again` loads once more: by itself after the limit (unless `polled`, which is asked again anyway), else when the reader wants it.
 */
export function trouble(node, error, again, { polled = false } = {}) {
  if (error.name === "AbortError") return;
  const passing = error.limited || error.status === 0;
  if (!passing || !filled.has(node)) {
    filled.delete(node);
    replace(node, error.limited ? heldBack() : errorBox(error, again));
  }
  if (error.limited && again && !polled) afterLimit(() => node.isConnected, again);
}

/** Load into a place; returns once that is done. */
export async function into(node, load, options) {
  node.setAttribute("aria-busy", "true");
  try {
    fill(node, await load());
  } catch (error) {
    trouble(node, error, () => into(node, load, options), options);
  } finally {
    node.removeAttribute("aria-busy");
  }
}

/** A place that loads at once, and again with its `reload()`. */
export function loader(load, { label = "Loading …" } = {}) {
  const node = el("div", { class: "loaded" }, quiet(label));
  node.reload = () => into(node, load);
  node.reload();
  return node;
}
