/** Providers: their state, addresses, keys (which are never shown), and a test with a real request. */

import { del, get, part, post, put } from "../api/client";
import type { Provider } from "../api/types";
import { useKnown } from "../app/context";
import { count } from "../lib/format";
import { useLoad } from "../lib/loading";
import { href } from "../lib/router";
import { confirmed, formDialog } from "../ui/dialog";
import { Badge, Button, Card, Code, Head, Loading, notify, Toggle } from "../ui/kit";
import { Table, type Column } from "../ui/table";
import { m } from "../messages";

export function Providers() {
  const { may } = useKnown();
  const admin = may("admin");
  const found = useLoad(() => get("/v1/providers"), []);
  const reload = found.reload;
  const columns: Column<Provider>[] = [
    { title: m.models.on, width: "3.4rem", cell: (provider) => <Toggle checked={provider.enabled} label={m.models.modelOn(provider.name)} disabled={!admin} onChange={async (enabled) => { await put(`/v1/providers/${part(provider.name)}`, { enabled }); await reload(); }} /> },
    { title: m.models.provider, width: "minmax(12rem, 2fr)", sort: (provider) => provider.name, cell: (provider) => <>{provider.name}<small><Code>{provider.baseUrl}</Code></small></> },
    { title: m.providers.dialect, sort: (provider) => provider.dialect, cell: (provider) => provider.dialect },
    { title: m.providers.key, cell: (provider) => (provider.hasKey ? <Badge kind="good">{provider.keys > 1 ? m.providers.keys(provider.keys) : m.providers.keySet}</Badge> : <Badge>{m.none}</Badge>) },
    { title: m.views.models, number: true, sort: (provider) => provider.models, cell: (provider) => <a href={`${href("models")}?q=provider:${encodeURIComponent(provider.name)}`}>{count(provider.models)}</a> },
    { title: m.providers.health, width: "minmax(9rem, 2fr)", cell: (provider) => <>{stateOf(provider)}{provider.detail && <small>{provider.detail}</small>}</> },
    { title: "", width: "17rem", cell: (provider) => (
      <span class="actions">
        {may("chat") && provider.enabled && provider.models > 0 && <Button small name={m.providers.testName(provider.name)} onClick={() => test(provider)}>{m.providers.test}</Button>}
        {admin && <><Button small name={m.providers.setKeyName(provider.name)} onClick={() => setKey(provider, reload)}>{m.providers.setKey}</Button><Button small name={m.models.edit(provider.name)} onClick={() => edit(provider, reload)}>{m.edit}</Button><Button small kind="danger" name={m.providers.resetName(provider.name)} onClick={() => reset(provider, reload)}>{m.reset}</Button></>}
      </span>
    ) },
  ];
  return (
    <>
      <Head title={m.views.providers}>{admin && <Button kind="primary" onClick={() => add(reload)}>{m.providers.add}</Button>}</Head>
      <Loading of={found}>{({ providers }) => <Card label={m.views.providers}><Table label={m.views.providers} columns={columns} rows={providers} rowKey={(provider) => provider.name} empty={m.providers.empty} /></Card>}</Loading>
    </>
  );
}

function stateOf(provider: Provider) {
  if (!provider.enabled) return <Badge>{m.overview.off}</Badge>;
  if (!provider.configured) return <Badge>{m.providers.notSetUp}</Badge>;
  return provider.healthy ? <Badge kind="good">{m.providers.well}</Badge> : <Badge kind="bad">{m.providers.unwell}</Badge>;
}

/** Ask the provider's first enabled model for one token. */
async function test(provider: Provider) {
  const { data } = await get("/v1/models", { provider: provider.name, enabled: true });
  const model = data.find((one) => "provider" in one && one.provider === provider.name);
  if (!model) throw new Error(m.providers.noModel(provider.name));
  const began = performance.now();
  await post("/v1/chat/completions", { model: model.id, messages: [{ role: "user", content: "Say ok." }], max_tokens: 1, gateway: { cache: false } });
  notify(m.providers.answered(model.id, ((performance.now() - began) / 1000).toFixed(1)));
}

const setKey = (provider: Provider, reload: () => Promise<void>) => formDialog(m.providers.setKeyName(provider.name), [{ name: "apiKey", label: m.apiKey, type: "password", hint: m.providers.keyHint }], {
  submit: async ({ apiKey }) => {
    await put(`/v1/providers/${part(provider.name)}`, { apiKey: apiKey ?? "" });
    notify(apiKey ? m.providers.keyWasSet(provider.name) : m.providers.keyRemoved(provider.name));
    await reload();
  },
});

const edit = (provider: Provider, reload: () => Promise<void>) => formDialog(m.models.edit(provider.name), [{ name: "baseUrl", label: m.providers.baseUrl, required: true, value: provider.baseUrl }], {
  submit: async (given) => { await put(`/v1/providers/${part(provider.name)}`, given); notify(m.models.changed(provider.name)); await reload(); },
});

async function reset(provider: Provider, reload: () => Promise<void>) {
  if (!(await confirmed(m.providers.resetQuestion(provider.name), m.providers.resetText, m.reset))) return;
  await del(`/v1/providers/${part(provider.name)}`);
  notify(m.providers.wasReset(provider.name));
  await reload();
}

const add = (reload: () => Promise<void>) => formDialog(m.providers.add, [
  { name: "name", label: m.keys.name, required: true, placeholder: "my-server", hint: m.providers.nameHint },
  { name: "baseUrl", label: m.providers.baseUrl, required: true, placeholder: m.providers.example },
  { name: "dialect", label: m.providers.dialect, type: "select", options: [["openai", "OpenAI"], ["anthropic", "Anthropic"], ["ollama", "Ollama"]] },
  { name: "apiKey", label: m.apiKey, type: "password", hint: m.providers.ifWanted },
], { action: m.add, submit: async (given) => { await post("/v1/providers", given); notify(m.providers.added(given.name)); await reload(); } });
