// What views are made of: buttons, switches, cards, tables, dialogs, notices, errors.

import { ApiError } from "./api.js";
import { readable } from "./details.js";
import { el, nodes } from "./dom.js";

let made = 0;
export const unique = (name) => `${name}-${++made}`;

/** A button. While its action runs it cannot be pressed again; what goes wrong is told. */
export function button(label, action, { kind = "", title, disabled = false, small = false, name } = {}) {
  const node = el("button", { type: "button", class: `button ${kind} ${small ? "small" : ""}`, title, disabled, "aria-label": name }, label);
  node.addEventListener("click", () => working(node, action));
  return node;
}

/** A switch. It falls back when its change fails. */
export function toggle(checked, label, change, { disabled = false } = {}) {
  const box = el("input", { type: "checkbox", role: "switch", checked, disabled, "aria-label": label, class: "switch" });
  box.addEventListener("change", async () => {
    const wanted = box.checked;
    if (!(await working(box, () => change(wanted)))) box.checked = !wanted;
  });
  return box;
}

/** Run an action of a control, one at a time; whether it went well. The control keeps the keyboard, so it is not disabled. */
export async function working(control, action) {
  if (control.hasAttribute("aria-busy")) return false;
  control.setAttribute("aria-busy", "true");
  try {
    await action();
    return true;
  } catch (error) {
    failed(error);
    return false;
  } finally {
    control.removeAttribute("aria-busy");
  }
}

export function card(title, ...children) {
  const actions = title && title.actions;
  const heading = title && (title.text ?? title);
  return el("section", { class: "card", "aria-label": typeof heading === "string" ? heading : null },
    heading && el("header", { class: "card-head" }, el("h2", {}, heading), actions && el("div", { class: "actions" }, actions)),
    children);
}

/** One number with its name. */
export const tile = (name, value, note, kind = "") =>
  el("div", { class: `tile ${kind}` }, el("span", { class: "tile-name" }, name), el("strong", {}, value), note && el("small", {}, note));

export const badge = (text, kind = "") => el("span", { class: `badge ${kind}` }, text);
export const code = (text) => el("code", {}, text);
export const quiet = (...children) => el("p", { class: "quiet" }, children);

/** A table. A column is {title, cell(row), number?, wide?}; `empty` is shown when there are no rows. */
export function table(columns, rows, { empty = "Nothing yet.", label, rowClass = () => "" } = {}) {
  if (!rows.length) return quiet(empty);
  const shape = (column) => `${column.number ? "number" : ""} ${column.wide ? "wide" : ""}`;
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label ?? "Table" },
    el("table", { role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map((column) => el("th", { scope: "col", role: "columnheader", class: shape(column) }, column.title)))),
      el("tbody", { role: "rowgroup" }, rows.map((row) =>
        el("tr", { class: rowClass(row), role: "row" }, columns.map((column) => el("td", { class: shape(column), role: "cell", data: { title: column.title } }, column.cell(row))))))));
}

/** An error in full: what happened, which fields, what to do, and the id to find it in the log by. `more` is what else is known. */
export function errorBox(error, retry, { fields = true, more } = {}) {
  return el("div", { class: "error", role: "alert" },
    el("p", {}, error instanceof Error ? error.message : String(error)),
    more ?? (error instanceof ApiError && (fields || !error.fields.length) && details(error)),
    el("p", { class: "hint" }, advice(error)),
    retry && button("Try again", retry, { small: true }));
}

function details(error) {
  if (error.fields.length) {
    return el("ul", {}, error.fields.map(([field, reason]) => el("li", {}, code(field), ` ${reason}`)));
  }
  return error.details && error.details !== error.message && !error.limited ? readable(error.details) : null;
}

function advice(error) {
  const log = error.requestId ? ` The log has more under the request id ${error.requestId}.` : "";
  if (error instanceof TypeError || error instanceof ReferenceError) return "This is a fault of the page: reload it, and report it if it happens again.";
  if (!(error instanceof ApiError)) return "";
  if (error.status === 403) return `Log in as an administrator, or with a key that has the scope.${log}`;
  if (error.status >= 500 && !error.hopeless) return `Try again in a moment.${log}`;
  return error.requestId ? `Request id ${error.requestId}.` : "";
}

/** Tell the reader something that goes away by itself. */
export function notify(text, kind = "good") {
  show(el("p", { class: `notice ${kind}` }, text), 4000);
}

/** Tell of an error until it is put away. */
export function failed(error) {
  if (error.name === "AbortError" || (error instanceof ApiError && error.status === 401)) return;
  show(errorBox(error), 0);
}

function show(node, milliseconds) {
  const place = document.getElementById("notices");
  const shown = el("div", { class: "notice-frame" }, node,
    el("button", { type: "button", class: "close", "aria-label": "Put away", on: { click: () => shown.remove() } }, "×"));
  while (place.childElementCount > 3) place.firstElementChild.remove();
  place.append(shown);
  if (milliseconds) setTimeout(() => shown.remove(), milliseconds);
}

/** A dialog; `build(close)` gives its content. Escape closes it. */
export function dialog(title, build, { wide = false } = {}) {
  const heading = unique("dialog");
  const node = el("dialog", { "aria-labelledby": heading, class: wide ? "broad" : null });
  const close = () => {
    node.close();
    node.remove();
  };
  node.append(el("header", { class: "card-head" }, el("h2", { id: heading }, title), button("×", close, { kind: "plain", name: "Close" })), ...nodes([build(close)]));
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  node.querySelector(".form :is(input, select, textarea), .actions .button")?.focus();
  return node;
}

/** Close every dialog, as if each had been put away. */
export function closeDialogs() {
  for (const open of document.querySelectorAll("dialog")) {
    if (open.open) open.close();
    open.remove();
  }
}

/** Ask before something that cannot be undone. */
export function confirmed(question, explanation, verb) {
  return new Promise((resolve) => {
    let answer = false;
    const node = dialog(question, (close) => [
      el("p", {}, explanation),
      el("div", { class: "actions end" },
        button("Cancel", close),
        button(verb, () => { answer = true; close(); }, { kind: "danger" })),
    ]);
    node.addEventListener("close", () => resolve(answer));
  });
}

/** Copies text, and says so. */
export const copyButton = (text) => button("Copy", async () => {
  try {
    await navigator.clipboard.writeText(text);
    notify("Copied.");
  } catch {
    notify("The browser did not let it be copied; select it and copy it by hand.", "bad");
  }
}, { small: true });
