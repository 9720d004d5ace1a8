/** API keys: create one (its secret is shown once), see what each may do, delete. */

import { del, get, part, post } from "../api/client";
import type { ApiKey, MadeApiKey } from "../api/types";
import { count, money } from "../lib/format";
import { useLoad } from "../lib/loading";
import { confirmed, dialog, formDialog } from "../ui/dialog";
import type { Field } from "../ui/form";
import { Badge, Button, Card, Code, copy, Head, Loading, notify, When } from "../ui/kit";
import { Table, type Column } from "../ui/table";
import { m } from "../messages";

const SCOPES = Object.entries(m.keys.scopes) as [string, string][];
type Limit = keyof typeof m.keys.limits;
const LIMITS = Object.entries(m.keys.limits) as [Limit, string][];

export function Keys() {
  const found = useLoad(() => get("/v1/keys"), []);
  const columns: Column<ApiKey>[] = [
    { title: m.keys.name, width: "minmax(9rem, 2fr)", sort: (key) => key.name, cell: (key) => <>{key.name}<small><Code>{key.prefix}…</Code></small></> },
    { title: m.keys.may, width: "minmax(8rem, 1.5fr)", cell: (key) => <span class="badges">{key.scopes.map((scope) => <Badge>{scope}</Badge>)}</span> },
    { title: m.views.models, cell: (key) => `${key.models?.join(", ") ?? m.all}${key.maxLayer ? m.keys.upTo(key.maxLayer) : ""}` },
    { title: m.keys.budget, cell: (key) => (key.budgetUsd === null || key.budgetUsd === undefined ? m.none : `${money(key.budgetUsd)} ${key.budgetPeriod ? m.budgets.periods[key.budgetPeriod] : ""}`) },
    { title: m.keys.limitsTitle, cell: (key) => limitsOf(key).map((text) => <div>{text}</div>) },
    { title: m.keys.lastUsed, sort: (key) => key.lastUsedAt, cell: (key) => (key.lastUsedAt ? <When at={key.lastUsedAt} /> : m.never) },
    { title: m.keys.ends, sort: (key) => key.expiresAt, cell: (key) => (key.expiresAt ? <When at={key.expiresAt} /> : m.never) },
    { title: "", width: "6rem", cell: (key) => <Button small kind="danger" name={m.keys.deleteName(key.name)} onClick={() => remove(key, found.reload)}>{m.delete}</Button> },
  ];
  return (
    <>
      <Head title={m.keys.title}><Button kind="primary" onClick={() => make(found.reload)}>{m.keys.make}</Button></Head>
      <Loading of={found}>{({ keys }) => <Card label={m.keys.title}><Table label={m.keys.title} columns={columns} rows={keys} rowKey={(key) => key.id} empty={m.keys.empty} /></Card>}</Loading>
    </>
  );
}

function limitsOf(key: ApiKey): string[] {
  const shown = LIMITS.filter(([name]) => key[name] !== null && key[name] !== undefined);
  return shown.length ? shown.map(([name, text]) => (key[name] === 0 ? m.keys.noLimit(text) : `${count(key[name])} ${text}`)) : [m.keys.usual];
}

async function remove(key: ApiKey, reload: () => Promise<void>) {
  if (!(await confirmed(m.keys.deleteQuestion(key.name), m.keys.deleteText, m.delete))) return;
  await del(`/v1/keys/${part(key.id)}`);
  notify(m.keys.deleted(key.name));
  await reload();
}

async function make(reload: () => Promise<void>) {
  const fields: Field[] = [
    { name: "name", label: m.keys.name, required: true, placeholder: m.keys.nameHint },
    { name: "scopes", label: m.keys.may, type: "checks", options: SCOPES, value: ["chat", "models:read"] },
    { name: "expiresAt", label: m.keys.ends, type: "date", hint: m.keys.endsHint },
    ...LIMITS.map(([name, text]): Field => ({ name, label: m.keys.atMost(text), type: "number", min: 0, step: 1, hint: m.keys.limitHint })),
    { name: "budgetUsd", label: m.keys.budgetDollars, type: "number", min: 0, step: "any", hint: m.keys.budgetHint },
    { name: "budgetPeriod", label: m.budgets.period, type: "select", options: Object.entries(m.budgets.periods), value: "month", when: (given) => given.budgetUsd !== undefined },
    { name: "models", label: m.keys.onlyModels, type: "area", rows: 2, hint: m.keys.modelsHint },
    { name: "maxLayer", label: m.keys.maxLayer, type: "select", options: [["", m.none], ["L0", "L0"], ["L1", "L1"], ["L2", "L2"], ["L3", "L3"]] },
  ];
  let made: MadeApiKey | null = null;
  await formDialog(m.keys.make, fields, {
    action: m.keys.action, wide: true, submit: async ({ models, ...given }) => {
      const names = String(models ?? "").split(/[\s,]+/).filter(Boolean);
      made = await post<MadeApiKey>("/v1/keys", names.length ? { ...given, models: names } : given);
    },
  });
  if (!made) return;
  await reload();
  await show(made);
}

/** Escape and "×" ask before the only copy of the secret is gone. */
function show({ key, secret }: MadeApiKey) {
  return dialog(m.keys.made(key.name), (close) => (
    <>
      <p>{m.keys.once}</p>
      <p class="secret"><code data-secret="">{secret}</code><Button small onClick={() => copy(secret)}>{m.copy}</Button></p>
      <div class="actions end"><Button kind="primary" onClick={() => close()}>{m.keys.kept}</Button></div>
    </>
  ), { guard: () => confirmed(m.keys.lostQuestion, m.keys.lostText, m.close) });
}
