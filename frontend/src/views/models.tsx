/** The registry: 10,000 models in a virtual table with filter, bulk changes and the order of a layer; aliases below. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { del, get, part, post, put } from "../api/client";
import type { AliasTable, Health, Model, Provider } from "../api/types";
import { useKnown } from "../app/context";
import type { ViewProps } from "../app/views";
import { count, money } from "../lib/format";
import { fits, parseFilter } from "../lib/filter";
import { useLoad } from "../lib/loading";
import { modelProblem } from "../lib/readiness";
import { go, href, setQuery } from "../lib/router";
import { confirmed, formDialog } from "../ui/dialog";
import type { Field, Values } from "../ui/form";
import { attempt, Badge, Button, Card, Code, Facts, Head, Loading, notify, Quiet, Toggle } from "../ui/kit";
import { Table, type Column } from "../ui/table";
import { m } from "../messages";

const LAYERS = ["L0", "L1", "L2", "L3"] as const;
const ABILITIES = ["code", "reasoning", "vision", "tools"] as const;
const FIELDS = ["layer", "provider", "on", "ready"];
const AT_ONCE = 8;

interface Registry {
  models: Model[];
  layers: Health["layers"];
  providers: Map<string, Provider>;
}

async function load(): Promise<Registry> {
  const [list, health, providers] = await Promise.all([get("/v1/models"), get("/health"), get("/v1/providers")]);
  const models = (list.data as Model[]).filter((model) => !model.virtual);
  models.sort((one, other) => one.layer.localeCompare(other.layer) || one.priority - other.priority || (one.id < other.id ? -1 : 1));
  return { models, layers: health.layers, providers: new Map(providers.providers.map((provider) => [provider.name, provider])) };
}

export function Models({ rest, query }: ViewProps) {
  const { may } = useKnown();
  const write = may("models:write");
  const registry = useLoad(load, []);
  const names = [...(registry.data?.providers.keys() ?? [])];
  const id = rest.join("/");
  return (
    <>
      <Head title={m.views.models}>{write && <Button kind="primary" disabled={!registry.data} onClick={() => addModel(names, registry.reload)}>{m.models.add}</Button>}</Head>
      <Loading of={registry}>{(data) => (id
        ? <One model={data.models.find((model) => model.id === id)} id={id} data={data} write={write} reload={registry.reload} />
        : <><LayerCards data={data} write={write} reload={registry.reload} query={query} /><List data={data} write={write} reload={registry.reload} query={query} /></>)}</Loading>
      {!id && <Aliases write={write} />}
    </>
  );
}

interface Part {
  data: Registry;
  write: boolean;
  reload: () => Promise<void>;
}

function LayerCards({ data, write, reload, query }: Part & { query: URLSearchParams }) {
  const chosen = query.get("layer") ?? "";
  const turn = (name: string) => async (enabled: boolean) => {
    await put(`/v1/layers/${name}/toggle`, { enabled });
    notify(m.models.layerTurned(name, enabled));
    await reload();
  };
  return (
    <div class="columns narrow">
      {Object.entries(data.layers).map(([name, layer]) => {
        const models = data.models.filter((model) => model.layer === name);
        const ready = models.filter((model) => !modelProblem(model, layer.enabled, data.providers)).length;
        return (
          <Card key={name} label={name} title={<Button kind="plain" pressed={chosen === name} onClick={() => setQuery({ layer: chosen === name ? "" : name })}>{name} · {m.models.purposes[name as "L0"]}</Button>}
            actions={<Toggle checked={layer.enabled} label={m.models.layerOn(name)} disabled={!write} onChange={turn(name)} />}>
            <Badge kind={ready ? "good" : ""}>{m.overview.ready(ready, models.length)}</Badge>
          </Card>
        );
      })}
    </div>
  );
}

function List({ data, write, reload, query }: Part & { query: URLSearchParams }) {
  const { may } = useKnown();
  const input = useRef<HTMLInputElement>(null);
  const [words, setWords] = useState(query.get("q") ?? "");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const layer = query.get("layer") ?? "";
  useSlash(input);
  const prepared = useMemo(() => data.models.map((model) => {
    const problem = modelProblem(model, data.layers[model.layer]?.enabled ?? false, data.providers);
    return { model, problem, text: `${model.id} ${model.apiModelName}`.toLowerCase(), fields: { layer: model.layer, provider: model.provider, on: model.enabled ? "yes" : "no", ready: problem ? "no" : "yes" } };
  }), [data]);
  type Row = (typeof prepared)[number];
  const rows = useMemo(() => {
    const filter = parseFilter(words, FIELDS);
    return prepared.filter((row) => (!layer || row.model.layer === layer) && fits(filter, row.text, row.fields));
  }, [prepared, words, layer]);
  const suggestions = useMemo(() => [...LAYERS.map((name) => `layer:${name}`), ...[...data.providers.keys()].map((name) => `provider:${name}`), "on:yes", "on:no", "ready:yes", "ready:no"], [data]);
  const select = (id: string, on: boolean) => setChosen((before) => {
    const next = new Set(before);
    if (on) next.add(id);
    else next.delete(id);
    return next;
  });
  const all = rows.length > 0 && rows.every((row) => chosen.has(row.model.id));
  const bulk = (enabled: boolean) => async () => {
    await inBatches([...chosen], (id) => put(`/v1/models/${part(id)}`, { enabled }));
    notify(m.models.turned(chosen.size, enabled));
    setChosen(new Set());
    await reload();
  };
  const order = layer && !words && write ? rows.map((row) => row.model.id) : null;
  const columns: Column<Row>[] = [
    ...(write ? [{ title: m.models.selected, width: "2rem", cell: (row: Row) => <input type="checkbox" aria-label={m.models.select(row.model.id)} checked={chosen.has(row.model.id)} onChange={(event) => select(row.model.id, event.currentTarget.checked)} /> }] : []),
    { title: m.models.on, width: "3.4rem", cell: ({ model }) => <Toggle checked={model.enabled} label={m.models.modelOn(model.id)} disabled={!write} onChange={async (enabled) => { await put(`/v1/models/${part(model.id)}`, { enabled }); await reload(); }} /> },
    { title: m.models.model, width: "minmax(14rem, 3fr)", sort: ({ model }) => model.id, cell: ({ model, problem }) => <><a href={href("models", model.id)}><Code>{model.id}</Code></a>{problem && model.enabled && <> <Badge>{problem}</Badge></>}</> },
    { title: m.models.provider, sort: ({ model }) => model.provider, cell: ({ model }) => model.provider },
    { title: m.models.layer, width: "3.5rem", sort: ({ model }) => model.layer, cell: ({ model }) => <Badge>{model.layer}</Badge> },
    { title: m.models.context, number: true, sort: ({ model }) => model.contextWindow, cell: ({ model }) => count(model.contextWindow) },
    { title: m.models.priceIn, number: true, sort: ({ model }) => model.pricePer1kInputTokens, cell: ({ model }) => perMillion(model.pricePer1kInputTokens) },
    { title: m.models.priceOut, number: true, sort: ({ model }) => model.pricePer1kOutputTokens, cell: ({ model }) => perMillion(model.pricePer1kOutputTokens) },
    { title: m.models.priority, number: true, width: "4.5rem", sort: ({ model }) => model.priority, cell: ({ model }) => model.priority },
    { title: "", width: order ? "13rem" : "9rem", cell: ({ model, problem }) => (
      <span class="actions">
        {order && <Move id={model.id} order={order} layer={layer} reload={reload} />}
        {may("chat") && !problem && <Button small name={m.models.chatWith(model.id)} onClick={() => go(`${href("chat")}?model=${encodeURIComponent(model.id)}`)}>{m.views.chat}</Button>}
        {write && <Button small name={m.models.edit(model.id)} onClick={() => changeModel(model, [...data.providers.keys()], reload)}>{m.edit}</Button>}
      </span>
    ) },
  ];
  return (
    <Card label={m.views.models}>
      <div class="filters">
        <label class="grow"><span>{m.models.filter}</span><input ref={input} type="search" list="model-filters" placeholder={m.models.filterHint} value={words} spellcheck={false} onInput={(event) => setWords(event.currentTarget.value)} onChange={(event) => setQuery({ q: event.currentTarget.value })} /></label>
        <datalist id="model-filters">{suggestions.map((text) => <option value={text} />)}</datalist>
        <p class="quiet" role="status">{m.models.shown(rows.length, data.models.length)}</p>
        {write && <div class="actions">
          <Button small onClick={() => setChosen(all ? new Set() : new Set(rows.map((row) => row.model.id)))}>{all ? m.models.selectNone : m.models.selectAll(rows.length)}</Button>
          <Button small disabled={!chosen.size} onClick={bulk(true)}>{m.models.enable(chosen.size)}</Button>
          <Button small disabled={!chosen.size} onClick={bulk(false)}>{m.models.disable(chosen.size)}</Button>
        </div>}
      </div>
      {layer && !words && write && <Quiet>{m.models.orderHint}</Quiet>}
      <Table label={m.views.models} columns={columns} rows={rows} rowKey={(row) => row.model.id} rowClass={(row) => (row.problem ? "off" : "")} open={(row) => go(href("models", row.model.id))}
        sorted={query.get("sort") ?? ""} onSort={(sort) => setQuery({ sort })} empty={data.models.length ? m.models.noneFits : m.models.noneYet} />
    </Card>
  );
}

/** Buttons and a handle that move a model inside its layer. */
function Move({ id, order, layer, reload }: { id: string; order: string[]; layer: string; reload: () => Promise<void> }) {
  const at = order.indexOf(id);
  const moveTo = async (to: number, moved = id) => {
    const ids = order.filter((other) => other !== moved);
    ids.splice(to, 0, moved);
    await put(`/v1/layers/${layer}/reorder`, { modelIds: ids });
    await reload();
  };
  const drop = (event: DragEvent) => {
    const moved = event.dataTransfer?.getData("text/x-model");
    if (!moved || moved === id) return;
    event.preventDefault();
    void attempt(() => moveTo(at, moved));
  };
  return (
    <>
      <span class="handle" draggable title={m.models.drag} onDragStart={(event) => event.dataTransfer?.setData("text/x-model", id)} onDragOver={(event) => event.preventDefault()} onDrop={drop}>⠿</span>
      <Button small disabled={at <= 0} name={m.models.up(id)} onClick={() => moveTo(at - 1)}>↑</Button>
      <Button small disabled={at >= order.length - 1} name={m.models.down(id)} onClick={() => moveTo(at + 1)}>↓</Button>
    </>
  );
}

function One({ model, id, data, write, reload }: Part & { model: Model | undefined; id: string }) {
  if (!model) return <><p role="alert">{m.models.unknown(id)}</p><p><a href={href("models")}>{m.models.back}</a></p></>;
  const problem = modelProblem(model, data.layers[model.layer]?.enabled ?? false, data.providers);
  const remove = async () => {
    if (!(await confirmed(m.models.deleteQuestion(id), m.models.deleteText, m.delete))) return;
    await del(`/v1/models/${part(id)}`);
    notify(m.models.deleted(id));
    go(href("models"));
    await reload();
  };
  return (
    <>
      <p><a href={href("models")}>{m.models.back}</a></p>
      <Card title={id} actions={write && <><Button onClick={() => changeModel(model, [...data.providers.keys()], reload)}>{m.edit}</Button><Button kind="danger" onClick={remove}>{m.delete}</Button></>}>
        <Facts of={[
          [m.models.state, problem ? <Badge>{problem}</Badge> : <Badge kind="good">{m.models.ready}</Badge>],
          [m.models.provider, <a href={href("providers")}>{model.provider}</a>], [m.models.apiName, <Code>{model.apiModelName}</Code>], [m.models.layer, model.layer], [m.models.priority, String(model.priority)],
          [m.models.context, count(model.contextWindow)], [m.models.priceIn, perMillion(model.pricePer1kInputTokens)], [m.models.priceOut, perMillion(model.pricePer1kOutputTokens)],
          [m.models.can, Object.entries(model.capabilities).filter(([, has]) => has === true).map(([name]) => name).join(", ")],
          [m.views.usage, <a href={`${href("usage")}?by=model`}>{m.views.usage}</a>],
        ]} />
      </Card>
    </>
  );
}

/** "/" goes to the filter, as on many pages. */
export function useSlash(input: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== "/" || (event.target as Element).closest("input, textarea, select, dialog")) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
}

async function inBatches(ids: string[], change: (id: string) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < ids.length; at += AT_ONCE) await Promise.all(ids.slice(at, at + AT_ONCE).map(change));
}

const perMillion = (price: number | null | undefined) => (price === null || price === undefined ? "–" : money(price * 1000));

function addModel(providers: string[], reload: () => Promise<void>) {
  return formDialog(m.models.add, [{ name: "id", label: m.models.id, required: true, placeholder: "provider/model", hint: m.models.idHint }, ...modelFields(null, providers)], {
    action: m.add, wide: true, submit: async (given) => {
      await post("/v1/models", sent(given));
      notify(m.models.added(given.id));
      await reload();
    },
  });
}

function changeModel(model: Model, providers: string[], reload: () => Promise<void>) {
  return formDialog(m.models.edit(model.id), modelFields(model, providers), {
    wide: true, submit: async (given) => {
      await put(`/v1/models/${part(model.id)}`, { pricePer1kInputTokens: null, pricePer1kOutputTokens: null, contextWindow: null, ...sent(given, model.capabilities) });
      notify(m.models.changed(model.id));
      await reload();
    },
  });
}

function modelFields(model: Model | null, providers: string[]): Field[] {
  const million = (price: number | null | undefined) => (price === null || price === undefined ? "" : Number((price * 1000).toPrecision(12)));
  return [
    { name: "provider", label: m.models.provider, type: "select", options: providers.map((name) => [name, name]), value: model?.provider ?? providers[0] },
    { name: "apiModelName", label: m.models.apiName, required: true, value: model?.apiModelName },
    { name: "layer", label: m.models.layer, type: "select", options: LAYERS.map((name) => [name, name]), value: model?.layer ?? "L0" },
    { name: "priority", label: m.models.priority, type: "number", min: 0, step: 1, value: model?.priority ?? 0, hint: m.models.priorityHint },
    { name: "contextWindow", label: m.models.contextTokens, type: "number", min: 1, step: 1, value: model?.contextWindow ?? "" },
    { name: "inPrice", label: m.models.dollarsIn, type: "number", min: 0, step: "any", value: million(model?.pricePer1kInputTokens), hint: m.models.priceHint },
    { name: "outPrice", label: m.models.dollarsOut, type: "number", min: 0, step: "any", value: million(model?.pricePer1kOutputTokens) },
    { name: "can", label: m.models.abilities, type: "checks", options: ABILITIES.map((name) => [name, name]), value: ABILITIES.filter((name) => model?.capabilities[name]) },
    { name: "enabled", label: m.models.on, type: "check", value: model?.enabled ?? true },
  ];
}

function sent({ inPrice, outPrice, can, ...rest }: Values, before: object = {}): Values {
  const thousand = (price: number) => Number((price / 1000).toPrecision(12));
  return {
    ...rest, capabilities: { ...before, ...Object.fromEntries(ABILITIES.map((name) => [name, can.includes(name)])) },
    ...(inPrice === undefined ? {} : { pricePer1kInputTokens: thousand(inPrice) }), ...(outPrice === undefined ? {} : { pricePer1kOutputTokens: thousand(outPrice) }),
  };
}

function Aliases({ write }: { write: boolean }) {
  const state = useLoad<AliasTable>(() => get("/v1/aliases"), []);
  const edit = (table: AliasTable) => formDialog(m.models.aliases, [{ name: "aliases", label: m.models.rules, type: "area", rows: 16, value: table.aliases.map((alias) => `${alias.name} = ${alias.targets.join(", ")}`).join("\n"), hint: m.models.rulesHint }], {
    wide: true, submit: async ({ aliases }) => {
      await put("/v1/aliases", { aliases: parsed(aliases ?? "") });
      notify(m.models.aliasesChanged);
      await state.reload();
    },
  });
  const back = async () => {
    if (!(await confirmed(m.models.defaultsQuestion, m.models.defaultsText, m.reset))) return;
    await put("/v1/aliases", { aliases: null });
    await state.reload();
  };
  return (
    <Loading of={state}>{(table) => (
      <Card title={m.models.aliases} actions={<><Badge>{table.isDefault ? m.models.defaultRules : m.models.ownRules}</Badge>{write && <Button small onClick={() => edit(table)}>{m.edit}</Button>}{write && !table.isDefault && <Button small kind="danger" onClick={back}>{m.reset}</Button>}</>}>
        <Quiet>{m.models.aliasesText}</Quiet>
        <Table label={m.models.aliases} rows={table.aliases} rowKey={(alias) => alias.name} empty={m.models.noAliases} columns={[
          { title: m.models.name, cell: (alias) => <Code>{alias.name}</Code> }, { title: m.models.targets, cell: (alias) => alias.targets.join(", ") }, { title: m.models.leadsTo, cell: (alias) => <Code>{alias.leadsTo ?? "–"}</Code> },
        ]} />
      </Card>
    )}</Loading>
  );
}

function parsed(text: string) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const cut = line.indexOf("=");
    return { name: (cut < 0 ? line : line.slice(0, cut)).trim(), targets: (cut < 0 ? "" : line.slice(cut + 1)).split(/[\s,]+/).filter(Boolean) };
  });
}
