/** Budgets: what may be spent, by which caller, and how much is left. */

import { del, get, part, post, put } from "../api/client";
import type { Budget } from "../api/types";
import { useKnown } from "../app/context";
import { money } from "../lib/format";
import { useLoad } from "../lib/loading";
import { keyNames } from "../lib/names";
import { confirmed, formDialog } from "../ui/dialog";
import type { Field } from "../ui/form";
import { Badge, Button, Card, Head, Loading, Meter, notify, When } from "../ui/kit";
import { Table, type Column } from "../ui/table";
import { m } from "../messages";

type Named = Budget & { whose: string };
const PERIODS = Object.entries(m.budgets.periods) as [string, string][];

export function Budgets() {
  const known = useKnown();
  const admin = known.may("admin");
  const found = useLoad(async () => {
    const [{ budgets }, names] = await Promise.all([get("/v1/budgets"), keyNames(known)]);
    return budgets.map((budget): Named => ({ ...budget, whose: whoseOf(budget, names) }));
  }, []);
  const columns: Column<Named>[] = [
    { title: m.budgets.for, width: "minmax(10rem, 2fr)", sort: (budget) => budget.whose, cell: (budget) => budget.whose },
    { title: m.budgets.limit, number: true, width: "minmax(9rem, 1fr)", sort: (budget) => budget.limitUsd, cell: (budget) => `${money(budget.limitUsd)} ${m.budgets.periods[budget.period]}` },
    { title: m.usage.share, width: "7rem", cell: (budget) => <Meter value={budget.spentUsd + budget.reservedUsd} most={budget.limitUsd || 1} limit label={m.overview.ofBudget(money(budget.limitUsd))} /> },
    { title: m.budgets.spent, number: true, sort: (budget) => budget.spentUsd, cell: (budget) => money(budget.spentUsd) },
    { title: m.budgets.held, number: true, cell: (budget) => money(budget.reservedUsd) },
    { title: m.budgets.left, number: true, sort: (budget) => budget.leftUsd, cell: (budget) => <span class={budget.leftUsd <= 0 ? "bad" : ""}>{money(budget.leftUsd)}</span> },
    { title: m.budgets.resets, cell: (budget) => (budget.resetsAt ? <When at={budget.resetsAt} /> : m.never) },
    { title: m.budgets.set, cell: (budget) => <Badge>{m.budgets.sources[budget.source]}</Badge> },
    ...(admin ? [{ title: "", width: "10rem", cell: (budget: Named) => budget.source === "stored" && (
      <span class="actions"><Button small name={m.budgets.editName(budget.whose)} onClick={() => change(budget, found.reload)}>{m.edit}</Button><Button small kind="danger" name={m.budgets.deleteName(budget.whose)} onClick={() => remove(budget, found.reload)}>{m.delete}</Button></span>
    ) }] : []),
  ];
  return (
    <>
      <Head title={m.views.budgets}>{admin && <Button kind="primary" onClick={() => add(found.reload)}>{m.budgets.add}</Button>}</Head>
      <Loading of={found}>{(budgets) => <Card label={m.views.budgets}><Table label={m.views.budgets} columns={columns} rows={budgets} rowKey={(budget) => budget.id} empty={m.budgets.empty} /></Card>}</Loading>
    </>
  );
}

function whoseOf(budget: Budget, names: Map<string, string>): string {
  if (budget.appliesTo === "tag") return m.budgets.tagged(budget.tag?.name ?? "", budget.tag?.value ?? "");
  if (budget.appliesTo === "auto") return m.budgets.auto;
  return budget.appliesTo === "key" ? m.budgets.ofKey(names.get(budget.keyId ?? "") ?? budget.keyId ?? "") : m.budgets.everybody;
}

async function remove(budget: Named, reload: () => Promise<void>) {
  if (!(await confirmed(m.budgets.deleteQuestion, m.budgets.deleteText(budget.whose), m.delete))) return;
  await del(`/v1/budgets/${part(budget.id)}`);
  notify(m.budgets.deleted);
  await reload();
}

const limits = (budget?: Budget): Field[] => [
  { name: "limitUsd", label: m.budgets.dollars, type: "number", min: 0, step: "any", required: true, value: budget?.limitUsd, hint: m.budgets.dollarsHint },
  { name: "period", label: m.budgets.period, type: "select", options: PERIODS, value: budget?.period ?? "month", hint: m.budgets.periodHint },
];

async function add(reload: () => Promise<void>) {
  const { keys } = await get("/v1/keys");
  await formDialog(m.budgets.add, [
    { name: "appliesTo", label: m.budgets.for, type: "select", options: [["all", m.budgets.everybody], ["key", m.budgets.oneKey], ["tag", m.budgets.oneTag]] },
    { name: "keyId", label: m.apiKey, type: "select", options: keys.map((key) => [key.id, key.name]), when: (given) => given.appliesTo === "key" },
    { name: "tagName", label: m.usage.tag, required: true, when: (given) => given.appliesTo === "tag" },
    { name: "tagValue", label: m.budgets.value, when: (given) => given.appliesTo === "tag" },
    ...limits(),
  ], {
    action: m.add, submit: async ({ tagName, tagValue, ...given }) => {
      await post("/v1/budgets", given.appliesTo === "tag" ? { ...given, tag: { name: tagName, value: tagValue ?? "" } } : given);
      notify(m.budgets.added);
      await reload();
    },
  });
}

function change(budget: Named, reload: () => Promise<void>) {
  return formDialog(m.budgets.editName(budget.whose), limits(budget), { submit: async (given) => { await put(`/v1/budgets/${part(budget.id)}`, given); notify(m.budgets.changed); await reload(); } });
}
