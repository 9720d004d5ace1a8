/** How a request was routed, from its stored decision, and where a request would go, from an explanation. */

import type { RouteExplanation, StoredDecision } from "../api/types";
import { count, duration, money } from "../lib/format";
import { m } from "../messages";
import { Badge, Code, Facts, Quiet, When } from "./kit";
import { Table } from "./table";

interface Call {
  model: string;
  layer: string;
  purpose: string;
  outcome: string;
  cost: string | number | null;
  ms: number;
}

interface Decision {
  facts?: { model?: string; alias?: string; prompt_tokens?: number; complexity?: number };
  plan?: { low?: string; high?: string; attempts?: string[]; cooling?: string[]; dropped?: Record<string, number>; firstDropped?: { model: string; reason: string }[] };
  permit?: { models?: string[]; maxLayer?: string; left?: string };
  usage?: Record<string, number>;
  outcome?: string;
  model?: string;
  calls?: Call[];
}

/** A decision of GET /v1/decisions. */
export function DecisionBox({ found }: { found: StoredDecision }) {
  const decision = found.decision as Decision;
  const { facts = {}, plan = {}, permit = {}, calls = [] } = decision;
  const total = calls.some((call) => call.cost === null) ? null : calls.reduce((sum, call) => sum + Number(call.cost), 0);
  const asked = new Set(calls.map((call) => call.model));
  const next = [...new Set([...(plan.attempts ?? []), ...(plan.cooling ?? [])])].filter((id) => !asked.has(id));
  return (
    <>
      <Quiet><Code>{found.requestId}</Code> {m.decisions.by(found.caller)} <When at={found.at} /></Quiet>
      <Facts of={[
        [m.decisions.outcome, <><Badge kind={decision.outcome === "ok" ? "good" : "bad"}>{decision.outcome ?? m.unknown}</Badge> {decision.model && <Code>{decision.model}</Code>}</>],
        [m.decisions.askedFor, facts.model && <><Code>{facts.alias || facts.model}</Code>{facts.alias && ` → ${facts.model}`}</>],
        [m.decisions.layers, plan.low && (plan.low === plan.high ? plan.low : `${plan.low} – ${plan.high}`)],
        [m.decisions.prompt, facts.prompt_tokens !== undefined && m.decisions.tokens(count(facts.prompt_tokens))],
        [m.decisions.complexity, typeof facts.complexity === "number" && facts.complexity.toFixed(2)],
        [m.decisions.used, decision.usage && Object.entries(decision.usage).map(([name, number]) => `${name.replaceAll("_", " ")} ${count(number)}`).join(", ")],
        [m.usage.cost, calls.length > 0 && money(total)], [m.decisions.only, permit.models?.join(", ")], [m.decisions.highest, permit.maxLayer], [m.decisions.budgets, permit.left && money(Number(permit.left))],
      ]} />
      <h3>{m.decisions.calls}</h3>
      <Table label={m.decisions.calls} rows={calls} rowKey={(call) => `${call.model}${calls.indexOf(call)}`} empty={m.decisions.noCalls} columns={[
        { title: m.models.model, width: "minmax(12rem, 2fr)", cell: (call) => <Code>{call.model}</Code> }, { title: m.models.layer, cell: (call) => <Badge>{call.layer}</Badge> }, { title: m.decisions.purpose, cell: (call) => call.purpose },
        { title: m.decisions.outcome, cell: (call) => <Badge kind={call.outcome === "ok" ? "good" : "bad"}>{call.outcome}</Badge> }, { title: m.usage.cost, number: true, cell: (call) => money(call.cost === null ? null : Number(call.cost)) }, { title: m.decisions.took, number: true, cell: (call) => `${count(call.ms)} ms` },
      ]} />
      <h3>{m.decisions.next}</h3>
      {next.length ? <ol>{next.map((id) => <li><Code>{id}</Code>{plan.cooling?.includes(id) && <> <Badge>{m.decisions.rests}</Badge></>}</li>)}</ol> : <Quiet>{m.none}</Quiet>}
      <h3>{m.decisions.leftOut}</h3>
      <Table label={m.decisions.leftOut} rows={Object.entries(plan.dropped ?? {})} rowKey={([reason]) => reason} empty={m.none} columns={[
        { title: m.decisions.why, width: "minmax(12rem, 2fr)", cell: ([reason]) => reason }, { title: m.views.models, number: true, cell: ([, number]) => count(number) },
        { title: m.decisions.among, cell: ([reason]) => (plan.firstDropped ?? []).filter((one) => one.reason === reason).map((one) => <div><Code>{one.model}</Code></div>) },
      ]} />
      <details><summary>{m.decisions.json}</summary><pre class="details tall" tabIndex={0}>{JSON.stringify(found.decision, null, 2)}</pre></details>
    </>
  );
}

/** An explanation of POST /v1/route/explain. */
export function PlanBox({ plan }: { plan: RouteExplanation }) {
  return (
    <>
      <p>{plan.summary}</p>
      <Facts of={[
        [m.decisions.askedFor, <Code>{plan.model}</Code>], [m.decisions.layers, `${plan.policy.lowestLayer} – ${plan.policy.highestLayer}`], [m.decisions.prompt, m.decisions.tokens(count(plan.facts.promptTokens))],
        [m.decisions.needs, plan.facts.needs.join(", ")], [m.decisions.complexity, plan.facts.complexity.hardness], [m.decisions.budgets, plan.leftUsd !== null && money(plan.leftUsd)],
      ]} />
      <Table label={m.decisions.inOrder} rows={plan.attempts} rowKey={(row) => row.id} empty={m.none} columns={[
        { title: m.models.model, width: "minmax(12rem, 2fr)", cell: (row) => <Code>{row.id}</Code> }, { title: m.models.layer, cell: (row) => <Badge>{row.layer}</Badge> }, { title: m.decisions.expected, number: true, cell: (row) => money(row.expectedCostUsd) },
        { title: m.decisions.atMost, number: true, cell: (row) => money(row.mostCostUsd) }, { title: m.models.state, cell: (row) => (row.coolingSeconds ? `${m.decisions.rests} ${duration(row.coolingSeconds)}: ${row.coolingReason}` : row.inTroubleLately ? m.decisions.trouble : m.models.ready) },
      ]} />
      <h3>{m.decisions.leftOut}</h3>
      <Table label={m.decisions.leftOut} rows={plan.dropped} rowKey={(row) => row.id} empty={m.none} height="20rem" columns={[
        { title: m.models.model, cell: (row) => <Code>{row.id}</Code> }, { title: m.models.layer, width: "4rem", cell: (row) => <Badge>{row.layer}</Badge> }, { title: m.decisions.why, width: "minmax(12rem, 2fr)", cell: (row) => row.reason },
      ]} />
    </>
  );
}
