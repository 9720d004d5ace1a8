/** What a person looks at every morning: what needs attention, spending, requests, where they went, and the gateway's state. */

import { get } from "../api/client";
import type { Budget, Health, Model, Stats, UsageReport } from "../api/types";
import { useKnown } from "../app/context";
import { compact, count, duration, money, today } from "../lib/format";
import { useLoad } from "../lib/loading";
import { href } from "../lib/router";
import { rangeOf, stepsBetween, zeroFilled, type Measure } from "../lib/series";
import { Badge, Card, Code, Facts, Head, Loading, Meter, Quiet, Tile, When } from "../ui/kit";
import { Spark } from "../ui/spark";
import { m } from "../messages";

const USAGE_EVERY = 60_000;
const LIVE_EVERY = 15_000;
const MOST_MODELS = 6;

interface Day {
  hours: UsageReport;
  layers: UsageReport;
  today: UsageReport;
  month: UsageReport;
  budgets: Budget[];
}

export function Overview() {
  const known = useKnown();
  const live = useLoad<Stats>(() => get("/v1/stats"), [], { every: LIVE_EVERY });
  const day = useLoad(loadDay, [], { every: USAGE_EVERY });
  return (
    <>
      <Head title={m.views.overview} />
      <Attention health={known.health.data} stats={live.data} />
      <Loading of={day}>{(data) => <Spending data={data} />}</Loading>
      <Loading of={known.health}>{(health) => <Layers health={health} />}</Loading>
      <div class="columns">
        <Loading of={known.health}>{(health) => <Gateway health={health} stats={live.data} />}</Loading>
        <Loading of={live}>{(stats) => <Resting stats={stats} />}</Loading>
      </div>
    </>
  );
}

async function loadDay(): Promise<Day> {
  const last = rangeOf(new URLSearchParams("range=24h"));
  const span = { from: new Date(last.from * 1000).toISOString(), to: new Date(last.to * 1000).toISOString() };
  const [hours, layers, day, month, budgets] = await Promise.all([
    get("/v1/usage", { ...span, groupBy: "hour" }), get("/v1/usage", { ...span, groupBy: "layer" }), get("/v1/usage", { from: today(), groupBy: "day" }),
    get("/v1/usage", { from: `${today().slice(0, 7)}-01`, groupBy: "day" }), get("/v1/budgets"),
  ]);
  return { hours, layers, today: day, month, budgets: budgets.budgets };
}

function Attention({ health, stats }: { health: Health | undefined; stats: Stats | undefined }) {
  const { approvals } = useKnown();
  const waiting = (approvals.data ?? []).filter((one) => one.status === "pending").length;
  const unwell = health && unwellness(health);
  const alerts = stats?.alerts ?? [];
  return (
    <Card title={m.overview.alerts}>
      {waiting > 0 && <p class="notice bad"><a href={href("approvals")}>{m.overview.waiting(waiting)}</a></p>}
      {unwell && <p class="error" role="status">{unwell}</p>}
      {alerts.map((alert) => <p><Badge kind="bad">{alert.kind}</Badge> {alert.message} <When at={alert.at} /></p>)}
      {!waiting && !unwell && !alerts.length && <Quiet>{m.overview.allWell}</Quiet>}
    </Card>
  );
}

function unwellness(report: Health): string {
  const told = m.overview.degraded;
  if (report.status === "ok") return "";
  if (!report.database) return told.database;
  if (!report.healthyProviders.length) return told.providers;
  if (report.redisConfigured && !report.redis) return told.redis;
  if (!report.databaseWritable) return told.writes;
  const rows = Object.entries(report.unreadableRows).map(([kind, number]) => `${number} ${kind}`);
  return rows.length ? told.rows(rows.join(", ")) : told.other;
}

function Spending({ data }: { data: Day }) {
  const range = rangeOf(new URLSearchParams("range=24h"));
  const steps = stepsBetween(range.from, range.to, "hour");
  const line = (measure: Measure) => <Spark values={zeroFilled(data.hours.groups, steps, measure)} label={m.overview.day24} />;
  const { total } = data.today;
  const whole = data.budgets.find((budget) => budget.appliesTo === "all" && budget.period === "month");
  return (
    <>
      <div class="tiles">
        <Tile name={m.overview.spentToday} value={money(total.costUsd)} note={total.unpriced ? m.usage.unknownPrice(total.unpriced) : m.overview.day24}>{line("costUsd")}</Tile>
        <Tile name={m.overview.spentMonth} value={money(data.month.total.costUsd)} note={whole ? m.overview.ofBudget(money(whole.limitUsd)) : <a href={href("budgets")}>{m.overview.noBudget}</a>}>
          {whole && <Meter value={whole.spentUsd} most={whole.limitUsd} limit label={m.overview.ofBudget(money(whole.limitUsd))} />}
        </Tile>
        <Tile name={m.overview.requests} value={count(total.requests)} note={m.overview.day24}>{line("requests")}</Tile>
        <Tile name={m.overview.errors} value={count(total.failed)} note={total.attempts ? `${((100 * total.failed) / total.attempts).toFixed(1)} %` : null} kind={total.failed ? "degraded" : ""}>{line("failed")}</Tile>
        <Tile name={m.overview.latency} value={compact(total.completionTokens)} note={m.overview.day24}>{line("tokens")}</Tile>
      </div>
      <Flow report={data.layers} />
    </>
  );
}

/** Calls of each layer as bands: those that answered, and those that failed and were taken over. */
function Flow({ report }: { report: UsageReport }) {
  const layers = report.groups.filter((group) => group.attempts);
  const most = Math.max(1, ...layers.map((group) => group.attempts));
  return (
    <Card title={m.overview.flow}>
      {layers.length === 0 ? <Quiet>{m.overview.noCalls}</Quiet> : (
        <>
          <Quiet>{m.overview.flowNote}</Quiet>
          <div class="flow">
            {layers.map((group) => (
              <><a href={`${href("usage")}?range=24h&by=layer`}>{group.group || m.unknown}</a>
                <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={m.usage.ofCalls(count(group.attempts), count(group.failed))}>
                  <rect class="flow-good" width={(100 * (group.attempts - group.failed)) / most} height="10" />
                  <rect class="flow-bad" x={(100 * (group.attempts - group.failed)) / most} width={(100 * group.failed) / most} height="10" />
                </svg>
                <span>{m.usage.ofCalls(count(group.attempts), count(group.failed))}, {money(group.costUsd)}</span></>
            ))}
          </div>
          {report.total.failed > 0 && <Quiet>{m.overview.failover(report.total.failed)}</Quiet>}
        </>
      )}
    </Card>
  );
}

function Layers({ health }: { health: Health }) {
  const able = (model: Pick<Model, "enabled" | "provider">, on: boolean) => on && model.enabled && health.providers[model.provider] === true;
  return (
    <div class="columns narrow">
      {Object.entries(health.layers).map(([name, layer]) => {
        const ready = layer.models.filter((model) => able(model, layer.enabled));
        return (
          <Card key={name} title={name} actions={layer.enabled ? <Badge kind={ready.length ? "good" : ""}>{m.overview.ready(ready.length, layer.models.length)}</Badge> : <Badge kind="bad">{m.overview.off}</Badge>}>
            {layer.models.length === 0 && <Quiet>{m.overview.noModels}</Quiet>}
            <ol class="plain">{ready.slice(0, MOST_MODELS).map((model) => <li><Code>{model.id}</Code></li>)}</ol>
            {layer.models.length > Math.min(ready.length, MOST_MODELS) && <p><a href={`${href("models")}?layer=${name}`}>{m.overview.moreModels(layer.models.length - Math.min(ready.length, MOST_MODELS))}</a></p>}
          </Card>
        );
      })}
    </div>
  );
}

function Gateway({ health, stats }: { health: Health; stats: Stats | undefined }) {
  const providers = Object.keys(health.providers).length;
  return (
    <Card title={m.overview.gateway}>
      <Facts of={[
        [m.overview.up, `${duration(health.uptimeSeconds)}, ${m.overview.version(health.version)}`],
        [m.overview.providers, <a href={href("providers")}>{m.overview.ready(health.healthyProviders.length, providers)}</a>],
        [m.overview.auto, health.auto.simple && <Code>{health.auto.simple}</Code>],
        [m.overview.database, health.database ? "ok" : <Badge kind="bad">away</Badge>],
        [m.overview.redis, health.redis ? "ok" : health.redisConfigured ? <Badge kind="bad">away</Badge> : m.none],
        [m.overview.sandbox, health.sandbox === "none" ? <Badge kind="bad">{m.none}</Badge> : health.sandbox],
        [m.overview.terminals, stats && <a href={href("terminals")}>{count(stats.terminalSessions)}</a>],
        [m.overview.cache, stats && m.overview.saved(stats.cacheHits, money(stats.cacheSavedUsd))],
        [m.overview.nodes, Object.keys(health.nodes).length > 0 && <ul class="plain">{Object.entries(health.nodes).map(([name, state]) => <li><Code>{name}</Code> {state}</li>)}</ul>],
      ]} />
    </Card>
  );
}

function Resting({ stats }: { stats: Stats }) {
  const resting = Object.entries(stats.coolingSeconds);
  return (
    <Card title={m.overview.resting}>
      {resting.length ? <ul class="plain">{resting.map(([name, seconds]) => <li><Code>{name}</Code> {duration(seconds)}</li>)}</ul> : <Quiet>{m.overview.noResting}</Quiet>}
    </Card>
  );
}
