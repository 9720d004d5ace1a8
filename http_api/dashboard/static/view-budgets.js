// Budgets: what may be spent, by whom, and how much is left.

import { del, get, part, post, put } from "./api.js";
import { meter } from "./chart.js";
import { el } from "./dom.js";
import { formDialog } from "./forms.js";
import { money, when } from "./format.js";
import { keyNames } from "./names.js";
import { badge, button, card, confirmed, notify, table } from "./parts.js";
import { loader } from "./places.js";

const PERIODS = [["day", "a day"], ["month", "a month"], ["total", "in total"]];
const SOURCES = { stored: "here", key: "with its API key", settings: "in the settings" };

export const budgets = {
  id: "budgets",
  title: "Budgets",
  scope: "models:read",
  render(context) {
    const admin = context.may("admin");
    const place = loader(async () => {
      const [{ budgets: found }, names] = await Promise.all([get("/v1/budgets"), keyNames(context)]);
      const named = found.map((budget) => ({ ...budget, whose: whose(budget, names) }));
      return card(null, table(columns(admin, () => place.reload()), named, { empty: "No budgets: whatever is asked may be spent.", label: "Budgets" }));
    });
    return [el("div", { class: "head" }, el("h1", {}, "Budgets"), admin && button("Add a budget", () => add(() => place.reload()), { kind: "primary" })), place];
  },
};

function columns(admin, reload) {
  const shown = [
    { title: "For", wide: true, cell: (budget) => budget.whose },
    { title: "Limit", number: true, cell: (budget) => `${money(budget.limitUsd)} ${PERIODS.find(([name]) => name === budget.period)[1]}` },
    { title: "", cell: (budget) => meter(budget.spentUsd + budget.reservedUsd, budget.limitUsd || 1, { limit: true }) },
    { title: "Spent", number: true, cell: (budget) => money(budget.spentUsd) },
    { title: "Held", number: true, cell: (budget) => money(budget.reservedUsd) },
    { title: "Left", number: true, cell: (budget) => el("span", { class: budget.leftUsd <= 0 ? "bad" : "" }, money(budget.leftUsd)) },
    { title: "Starts anew", cell: (budget) => (budget.resetsAt ? when(budget.resetsAt) : "never") },
    { title: "Set", cell: (budget) => badge(SOURCES[budget.source]) },
  ];
  return admin ? [...shown, { title: "", cell: (budget) => budget.source === "stored" && actions(budget, reload) }] : shown;
}

function whose(budget, names) {
  if (budget.appliesTo === "tag") return `tag ${budget.tag.name} = ${budget.tag.value}`;
  if (budget.appliesTo === "auto") return "“auto” in paid layers";
  return budget.appliesTo === "key" ? `API key ${names.get(budget.keyId) ?? budget.keyId}` : "everybody";
}

const actions = (budget, reload) => el("span", { class: "actions" },
  button("Edit", () => change(budget, reload), { small: true, name: `Edit the budget for ${budget.whose}` }),
  button("Delete", async () => {
    if (!(await confirmed("Delete this budget?", `${budget.whose} may then spend without it.`, "Delete"))) return;
    await del(`/v1/budgets/${part(budget.id)}`);
    notify("The budget is deleted.");
    await reload();
  }, { small: true, kind: "danger", name: `Delete the budget for ${budget.whose}` }));

const limits = (budget) => [
  { name: "limitUsd", label: "Dollars", type: "number", min: 0, step: "any", required: true, value: budget.limitUsd, hint: "0 leaves free models only." },
  { name: "period", label: "Period", type: "select", options: PERIODS, value: budget.period ?? "month", hint: "Days and months are the calendar's, in UTC." },
];

async function add(reload) {
  const here = location.hash;
  const { keys } = await get("/v1/keys");
  if (location.hash !== here) return;
  formDialog("Add a budget", [
    { name: "appliesTo", label: "For", type: "select", options: [["all", "everybody"], ["key", "one API key"], ["tag", "one tag"]] },
    { name: "keyId", label: "API key", type: "select", options: keys.map((key) => [key.id, key.name]), when: (given) => given.appliesTo === "key" },
    { name: "tagName", label: "Tag", required: true, when: (given) => given.appliesTo === "tag" },
    { name: "tagValue", label: "Value", when: (given) => given.appliesTo === "tag" },
    ...limits({}),
  ], {
    action: "Add",
    submit: async ({ tagName, tagValue, ...given }) => {
      await post("/v1/budgets", given.appliesTo === "tag" ? { ...given, tag: { name: tagName, value: tagValue ?? "" } } : given);
      notify("The budget counts from now on.");
      await reload();
    },
  });
}

function change(budget, reload) {
  formDialog(`Budget for ${budget.whose}`, limits(budget), {
    submit: async (given) => {
      await put(`/v1/budgets/${part(budget.id)}`, given);
      notify("The budget is changed.");
      await reload();
    },
  });
}
