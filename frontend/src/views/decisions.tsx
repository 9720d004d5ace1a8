/** Decisions of the router by request id, stories by trace id, and a replay under another configuration. */

import { useState } from "preact/hooks";
import { getAt, part, post } from "../api/client";
import type { StoredDecision, TraceStory } from "../api/types";
import { useKnown } from "../app/context";
import type { ViewProps } from "../app/views";
import { money } from "../lib/format";
import { useLoad } from "../lib/loading";
import { go, href } from "../lib/router";
import { DecisionBox } from "../ui/decision";
import { Form } from "../ui/form";
import { Badge, Card, Code, Head, Loading, Quiet, When } from "../ui/kit";
import { m } from "../messages";

export function Decisions({ rest }: ViewProps) {
  const { may } = useKnown();
  const [first, second] = rest;
  return (
    <>
      <Head title={m.views.decisions} />
      <div class="columns">
        <Card title={m.decisions.lookUp}><Form action={m.decisions.show} fields={[{ name: "id", label: m.decisions.requestId, required: true, hint: m.decisions.requestHint }]} submit={({ id }) => go(href("decisions", id.trim()))} /></Card>
        <Card title={m.decisions.trace}><Form action={m.decisions.show} fields={[{ name: "id", label: m.decisions.traceId, required: true, hint: m.decisions.traceHint }]} submit={({ id }) => go(href("decisions", "trace", id.trim()))} /></Card>
      </div>
      {first === "trace" && second ? <Story key={second} id={second} /> : first && <One key={first} id={first} />}
      {!first && may("admin") && <Replay />}
    </>
  );
}

function One({ id }: { id: string }) {
  const found = useLoad(() => getAt<StoredDecision>(`/v1/decisions/${part(id)}`), [id]);
  return <Card title={m.decisions.one}><Loading of={found}>{(decision) => <><DecisionBox found={decision} />{decision.traceId && <p><a href={href("decisions", "trace", decision.traceId)}>{m.decisions.wholeTrace}</a></p>}</>}</Loading></Card>;
}

function Story({ id }: { id: string }) {
  const found = useLoad(() => getAt<TraceStory>(`/v1/trace/${part(id)}`), [id]);
  return (
    <Card title={m.decisions.trace}>
      <Loading of={found}>{(story) => (
        <>
          <Quiet><Code>{story.traceId}</Code> {money(story.costUsd)}</Quiet>
          <ol class="story">{story.steps.map((step) => (
            <li>
              <Badge>{step.kind}</Badge> <strong>{step.action}</strong> <Badge kind={step.outcome === "ok" ? "good" : "bad"}>{step.outcome}</Badge> <When at={step.at} /> <span class="quiet">{step.caller}</span>
              {step.command && <pre tabIndex={0}>{step.command}</pre>}
              {step.model && <p><Code>{step.model}</Code> {step.layer} {step.costUsd !== null && step.costUsd !== undefined && money(step.costUsd)} <a href={href("decisions", step.requestId)}>{m.decisions.one}</a></p>}
            </li>
          ))}</ol>
        </>
      )}</Loading>
    </Card>
  );
}

function Replay() {
  const [report, setReport] = useState<Record<string, unknown> | null>(null);
  return (
    <Card title={m.decisions.replay}>
      <Quiet>{m.decisions.replayText}</Quiet>
      <Form action={m.decisions.replayAction} fields={[
        { name: "from", label: m.usage.from, type: "date" }, { name: "to", label: m.usage.to, type: "date" }, { name: "limit", label: m.decisions.limit, type: "number", min: 1, step: 1, value: 1000 },
        { name: "policy", label: m.decisions.changes, type: "area", rows: 4, value: "{}", hint: m.decisions.changesHint },
      ]} submit={async ({ policy, ...given }) => setReport(await post("/v1/replay", { ...given, policy: JSON.parse(policy ?? "{}") }))} />
      {report && <pre class="details tall" tabIndex={0} aria-label={m.decisions.replay}>{JSON.stringify(report, null, 2)}</pre>}
    </Card>
  );
}
