/** Usage and cost over time, stacked by model, layer, provider, key or tag; the state is in the address. */

import { useMemo, useRef } from "preact/hooks";
import { download, get, queryOf, save, type Query } from "../api/client";
import type { UsageGroup, UsageReport } from "../api/types";
import { useKnown, type Known } from "../app/context";
import type { ViewProps } from "../app/views";
import { compact, count, money } from "../lib/format";
import { useLoad } from "../lib/loading";
import { keyNames } from "../lib/names";
import { setQuery } from "../lib/router";
import { type Measure, MOST_SERIES, rangeOf, type Range, remainder, stepsBetween, valueOf, zeroFilled } from "../lib/series";
import { Chart, colourOf, type Series } from "../ui/chart";
import { Button, Card, Head, Loading, Meter, Tile } from "../ui/kit";
import { Table, type Column } from "../ui/table";
import { m } from "../messages";

const PRESETS = Object.entries(m.usage.presets);
const MEASURES = Object.entries(m.usage.measures) as [Measure, string][];
/** Groupings whose parts can be asked for one by one, so that they can be stacked. */
const STACKED = ["model", "layer", "provider", "key", "tag"];

interface Found {
  total: UsageReport;
  parts: UsageReport | null;
  series: { name: string; groups: UsageGroup[] }[];
  names: Map<string, string>;
}

export function Usage({ query }: ViewProps) {
  const known = useKnown();
  const range = useMemo(() => rangeOf(query), [query.toString()]);
  const by = query.get("by") ?? "model";
  const tag = query.get("tag") ?? "";
  const found = useLoad(() => load(known, range, by, tag), [range, by, tag]);
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const grouping = groupingOf(by, tag);
  const csv = () => download(`/v1/usage${queryOf({ ...spanOf(range), groupBy: grouping ?? range.step, format: "csv" })}`, "usage.csv");
  const png = () => canvas.current?.toBlob((blob) => { if (blob) save(blob, "usage.png"); });
  return (
    <>
      <Head title={m.usage.title}><Button onClick={csv}>{m.downloadCsv}</Button><Button onClick={png}>{m.usage.png}</Button></Head>
      <Filters query={query} range={range} by={by} tag={tag} measure={measureOf(query, found.data)} />
      <Loading of={found}>{(data) => <Report data={data} range={range} by={by} query={query} canvas={(node) => { canvas.current = node; }} />}</Loading>
    </>
  );
}

const spanOf = ({ from, to }: Range): Query => ({ from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString() });
const groupingOf = (by: string, tag: string): string | null => (by === "none" || (by === "tag" && !tag) ? null : by === "tag" ? `tag:${tag}` : by);

async function load(known: Known, range: Range, by: string, tag: string): Promise<Found> {
  const span = spanOf(range);
  const grouping = groupingOf(by, tag);
  const [total, parts, names] = await Promise.all([
    get("/v1/usage", { ...span, groupBy: range.step }),
    grouping ? get("/v1/usage", { ...span, groupBy: grouping }) : null,
    by === "key" ? keyNames(known) : new Map<string, string>(),
  ]);
  const most = parts && STACKED.includes(by) ? [...parts.groups].sort((one, other) => weight(other) - weight(one)).slice(0, MOST_SERIES) : [];
  const single = most.length === 1;
  const series = await Promise.all(most.map(async (group) => ({
    name: names.get(group.group) ?? (group.group || m.none),
    groups: single ? total.groups : group.group ? (await get("/v1/usage", { ...span, groupBy: range.step, [by]: by === "tag" ? `${tag}:${group.group}` : group.group })).groups : [],
  })));
  return { total, parts, series, names };
}

const weight = (group: UsageGroup): number => (group.costUsd ?? 0) * 1e9 + group.requests;

/** What is shown: as the address says, else the cost, else requests where nothing has a cost. */
const measureOf = (query: URLSearchParams, data: Found | undefined): Measure => (query.get("show") as Measure | null) ?? (data?.total.total.costUsd ? "costUsd" : "requests");

function Filters({ query, range, by, tag, measure }: { query: URLSearchParams; range: Range; by: string; tag: string; measure: Measure }) {
  const preset = query.get("from") ? "" : (query.get("range") ?? "30d");
  const day = (second: number) => new Date(second * 1000).toISOString().slice(0, 10);
  const dates = (from: string, to: string) => setQuery({ from, to, range: "" });
  const last = day(range.to - 1);
  return (
    <div class="filters">
      <div class="presets" role="group" aria-label={m.usage.range}>
        {PRESETS.map(([name, text]) => <Button small pressed={preset === name} onClick={() => setQuery({ range: name, from: "", to: "" })}>{text}</Button>)}
      </div>
      <label><span>{m.usage.from}</span><input type="date" value={day(range.from)} onChange={(event) => dates(event.currentTarget.value, last)} /></label>
      <label><span>{m.usage.to}</span><input type="date" value={last} onChange={(event) => dates(day(range.from), event.currentTarget.value)} /></label>
      <label><span>{m.usage.groupBy}</span><select value={by} onChange={(event) => setQuery({ by: event.currentTarget.value })}>{Object.entries(m.usage.groups).map(([name, text]) => <option value={name} selected={name === by}>{text}</option>)}</select></label>
      {by === "tag" && <label><span>{m.usage.tag}</span><input value={tag} spellcheck={false} onChange={(event) => setQuery({ tag: event.currentTarget.value.trim() })} /></label>}
      <label><span>{m.usage.measure}</span><select value={measure} onChange={(event) => setQuery({ show: event.currentTarget.value })}>
        {MEASURES.map(([name, text]) => <option value={name} selected={name === measure}>{text}</option>)}
      </select></label>
    </div>
  );
}

function Report({ data, range, by, query, canvas }: { data: Found; range: Range; by: string; query: URLSearchParams; canvas: (node: HTMLCanvasElement) => void }) {
  const { total } = data.total;
  const measure = measureOf(query, data);
  const format = measure === "costUsd" ? money : compact;
  const times = useMemo(() => stepsBetween(range.from, range.to, range.step), [range]);
  const series = useMemo(() => seriesOf(data, times, measure), [data, times, measure]);
  const zoom = (from: number, to: number) => setQuery({ from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString(), range: "" });
  return (
    <>
      <div class="tiles">
        <Tile name={m.usage.requests} value={count(total.requests)} note={m.usage.ofCalls(count(total.attempts), count(total.failed))} />
        <Tile name={m.usage.cost} value={money(total.costUsd)} note={total.unpriced ? m.usage.unknownPrice(total.unpriced) : null} />
        <Tile name={m.usage.tokensIn} value={compact(total.promptTokens)} note={m.usage.cached(compact(total.cachedTokens))} />
        <Tile name={m.usage.tokensOut} value={compact(total.completionTokens)} note={m.usage.reasoning(compact(total.reasoningTokens))} />
      </div>
      <Card label={m.views.usage}>
        <Chart times={times} series={series} format={format} step={range.step} zoom={zoom} made={canvas} label={m.usage.chart(m.usage.measures[measure], range.step === "hour" ? m.usage.perHour : m.usage.perDay)} />
        <p class="quiet">{m.usage.zoom}</p>
      </Card>
      <Card label={m.usage.title}><Groups data={data} by={by} measure={measure} query={query} range={range} /></Card>
    </>
  );
}

function seriesOf({ total, series }: Found, times: number[], measure: Measure): Series[] {
  const all = zeroFilled(total.groups, times, measure);
  const named = series.map(({ name, groups }) => ({ name, values: zeroFilled(groups, times, measure) }));
  if (!named.length) return [{ name: m.usage.measures[measure], values: all }];
  const rest = remainder(all, named.map((one) => one.values));
  return rest.some((value) => value > 1e-9) ? [...named, { name: m.usage.others, values: rest }] : named;
}

function Groups({ data, by, measure, query, range }: { data: Found; by: string; measure: Measure; query: URLSearchParams; range: Range }) {
  const groups = (data.parts ?? data.total).groups;
  const most = Math.max(...groups.map((group) => valueOf(group, measure)), 0);
  const title = data.parts ? m.usage.groups[by as keyof typeof m.usage.groups] : m.usage.time;
  const name = (group: UsageGroup) => data.names.get(group.group) ?? (data.parts ? group.group : group.group.slice(0, range.step === "hour" ? 16 : 10).replace("T", " ")) ?? "";
  const colours = new Map(data.series.map((one, at) => [one.name, colourOf(at)]));
  const columns: Column<UsageGroup>[] = [
    { title, width: "minmax(10rem, 2fr)", sort: name, cell: (group) => <><i class="swatch" style={{ background: colours.get(name(group)) ?? "transparent" }} />{name(group) || m.none}</> },
    { title: m.usage.share, width: "7rem", cell: (group) => <Meter value={valueOf(group, measure)} most={most} label={`${Math.round((100 * valueOf(group, measure)) / (most || 1))} %`} /> },
    { title: m.usage.requests, number: true, sort: (group) => group.requests, cell: (group) => count(group.requests) },
    { title: m.usage.calls, number: true, sort: (group) => group.attempts, cell: (group) => count(group.attempts) },
    { title: m.usage.failed, number: true, sort: (group) => group.failed, cell: (group) => count(group.failed) },
    { title: m.usage.tokensIn, number: true, sort: (group) => group.promptTokens, cell: (group) => count(group.promptTokens) },
    { title: m.usage.tokensOut, number: true, sort: (group) => group.completionTokens, cell: (group) => count(group.completionTokens) },
    { title: m.usage.cost, number: true, sort: (group) => group.costUsd, cell: (group) => money(group.costUsd) },
    { title: m.usage.unpriced, number: true, sort: (group) => group.unpriced, cell: (group) => count(group.unpriced) },
  ];
  const preferred = measure === "costUsd" ? m.usage.cost : m.usage.requests;
  return <Table label={m.usage.title} columns={columns} rows={groups} rowKey={(group) => group.group} empty={m.usage.empty} sorted={query.get("sort") ?? `-${data.parts ? preferred : m.usage.time}`} onSort={(sort) => setQuery({ sort })} />;
}
