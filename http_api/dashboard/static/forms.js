// Forms from a list of fields, with what the gateway refuses shown at its field.

import { ApiError } from "./api.js";
import { el, replace } from "./dom.js";
import { button, dialog, errorBox, failed, unique, working } from "./parts.js";

/** A form in a dialog. `submit(values, open)` does the work; the dialog stays open when that fails. `open()` says whether it still is. */
export function formDialog(title, fields, { action = "Save", submit, note, kind = "primary", wide = false }) {
  const shown = dialog(title, (close) => form(fields, {
    action, note, kind, cancel: close,
    submit: async (values) => {
      try {
        await submit(values, () => shown.open);
      } catch (error) {
        if (!shown.open) failed(error);
        throw error;
      }
      close();
    },
  }), { wide });
  return shown;
}

/** A form. A field is {name, label, type, value, options, hint, required, min, max, step, placeholder, when}.
 *
 * Types are text, password, area, number, select, check, checks, date. Values that are left empty are not in what `submit` gets.
 * `when(values)` says whether a field is there for now.
 */
export function form(fields, { action = "Save", submit, note, kind = "primary", cancel }) {
  const built = fields.map(control);
  const problem = el("div");
  const values = () => Object.fromEntries(built.filter((field) => !field.row.hidden && field.read() !== undefined).map((field) => [field.name, field.read()]));
  const adapt = () => {
    for (const field of built) field.row.hidden = field.when ? !field.when(values()) : false;
    for (const field of built) field.require(!field.row.hidden);
  };
  const send = el("button", { type: "submit", class: `button ${kind}` }, action);
  const node = el("form", { class: "form", novalidate: false, on: { input: adapt, change: adapt } },
    note && el("p", { class: "quiet" }, note),
    built.map((field) => field.row),
    problem,
    el("div", { class: "actions end" }, cancel && button("Cancel", cancel), send));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    replace(problem);
    for (const field of built) field.refuse("");
    await working(send, async () => {
      try {
        await submit(values());
      } catch (error) {
        replace(problem, errorBox(error, null, { fields: !place(error, built) }));
        problem.scrollIntoView({ block: "nearest" });
      }
    });
  });
  adapt();
  return node;
}

/** Show each reason at its field; whether all of them have one. */
function place(error, built) {
  if (!(error instanceof ApiError)) return false;
  const found = error.fields.map(([name, reason]) => [built.find((field) => !field.row.hidden && name.split(".")[0] === field.name), reason]);
  for (const [field, reason] of found) field?.refuse(reason);
  return found.every(([field]) => field);
}

function control(field) {
  const id = unique("field");
  const hint = field.hint && el("small", { id: `${id}-hint`, class: "hint" }, field.hint);
  const refusal = el("small", { id: `${id}-refused`, class: "refused" });
  const { node, read } = INPUTS[field.type ?? "text"](field, id);
  node.setAttribute("aria-describedby", `${id}-hint ${id}-refused`);
  const label = field.type === "checks" ? el("span", { class: "label" }, field.label) : el("label", { htmlFor: id }, field.label, field.required && el("span", { class: "must", "aria-hidden": "true" }, " *"));
  const row = el("div", { class: `field ${field.type === "check" ? "check" : ""}` }, label, node, hint, refusal);
  return {
    name: field.name, when: field.when, row, read,
    require: (there) => { if ("required" in node) node.required = Boolean(field.required) && there; },
    refuse: (reason) => {
      replace(refusal, reason);
      node.toggleAttribute("aria-invalid", Boolean(reason));
    },
  };
}

const INPUTS = {
  text: (field, id) => line("text", field, id),
  password: (field, id) => line("password", field, id),
  date: (field, id) => line("date", field, id),
  number: (field, id) => {
    const { node } = line("number", field, id);
    return { node, read: () => (node.value === "" ? undefined : Number(node.value)) };
  },
  area: (field, id) => {
    const node = el("textarea", { id, rows: field.rows ?? 3, placeholder: field.placeholder, value: field.value ?? "", spellcheck: "false" });
    return { node, read: () => node.value || undefined };
  },
  select: (field, id) => {
    const node = el("select", { id }, field.options.map(([value, text]) => el("option", { value }, text)));
    node.value = field.value ?? field.options[0]?.[0] ?? "";
    return { node, read: () => node.value || undefined };
  },
  check: (field, id) => {
    const node = el("input", { id, type: "checkbox", role: "switch", class: "switch", checked: Boolean(field.value) });
    return { node, read: () => node.checked };
  },
  checks: (field, id) => {
    const boxes = field.options.map(([value, text]) => [value, el("input", { type: "checkbox", checked: (field.value ?? []).includes(value) }), text]);
    const node = el("div", { id, class: "checks", role: "group", "aria-label": field.label }, boxes.map(([, box, text]) => el("label", {}, box, ` ${text}`)));
    return { node, read: () => boxes.filter(([, box]) => box.checked).map(([value]) => value) };
  },
};

function line(type, field, id) {
  const list = field.suggestions && el("datalist", { id: `${id}-list` }, field.suggestions.map((value) => el("option", { value })));
  const input = el("input", {
    id, type, value: field.value ?? "", placeholder: field.placeholder, min: field.min, max: field.max, step: field.step,
    list: list && `${id}-list`, autocomplete: field.autocomplete ?? (type === "password" ? "new-password" : "off"), spellcheck: "false",
  });
  if (list) queueMicrotask(() => input.after(list));
  return { node: input, read: () => input.value || undefined };
}
