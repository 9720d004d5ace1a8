// Builds elements. Whatever is given as text becomes a text node; nothing is ever read as markup.

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "readOnly", "required", "hidden", "open", "htmlFor"]);
const REFUSED = /^(on|style$|src|formaction$|xlink)/i;
/** Characters that are not seen, or change the order in which text is shown. They are written as codes, so that no name looks like another one. */
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const OWN_LINK = /^(#|\/(?![/\\])|blob:)/;
const SVG = "http://www.w3.org/2000/svg";

/** An element. `on` holds its listeners, `data` its data attributes; null, undefined and false children are left out. */
export function el(tag, given = {}, ...children) {
  return fill(document.createElement(tag), given, children);
}

/** The same for a part of a drawing. */
export function draw(tag, given = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), given, children);
}

/** Put other content into an element. Whoever was at a control in it with the keyboard stays at the one of the same name. */
export function replace(node, ...children) {
  const at = document.activeElement;
  const name = at !== node && node.contains(at) ? at.getAttribute("aria-label") : null;
  node.replaceChildren(...nodes(children));
  if (name) [...node.querySelectorAll("[aria-label]")].find((other) => other.getAttribute("aria-label") === name)?.focus();
  return node;
}

/** A flat list of nodes. */
export function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(legible(String(child)))));
}

const legible = (text) => text.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

function fill(node, given, children) {
  node.append(...nodes(children));
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name === "on") listen(node, value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value !== false) attribute(node, name, value === true ? "" : String(value));
  }
  return node;
}

function listen(node, listeners) {
  for (const [event, listener] of Object.entries(listeners)) node.addEventListener(event, listener);
}

function attribute(node, name, value) {
  if (REFUSED.test(name)) throw new TypeError(`the attribute ${name} is not set here`);
  if (name === "href" && !OWN_LINK.test(value)) throw new TypeError("links lead to this host only");
  node.setAttribute(name, value);
}
