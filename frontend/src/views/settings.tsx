/** The configuration that may change while the gateway runs, and the cache of answers. */

import { useEffect, useRef, useState } from "preact/hooks";
import { del, get, put } from "../api/client";
import type { Configuration } from "../api/types";
import { useKnown } from "../app/context";
import { useLoad } from "../lib/loading";
import { attempt, Button, Card, Head, Loading, notify, Quiet, Toggle } from "../ui/kit";
import { m } from "../messages";

type Name = string;
const LAYERS = ["L0", "L1", "L2", "L3"];
const OPTIONS: Partial<Record<Name, string[]>> = { defaultLayer: LAYERS, maxEscalationLayer: LAYERS, logLevel: ["debug", "info", "warning", "error"] };

export function Settings() {
  const { may } = useKnown();
  const found = useLoad(() => get("/v1/config"), []);
  const emptyCache = async () => notify(m.settings.cleared((await del<{ cleared: number }>("/v1/cache")).cleared));
  return (
    <>
      <Head title={m.views.settings}>{may("chat") && <Button onClick={emptyCache}>{m.settings.emptyCache}</Button>}</Head>
      <Quiet>{m.settings.text} <a href={`${import.meta.env.BASE_URL}licenses.md`} target="_blank" rel="noreferrer">{m.settings.licences}</a></Quiet>
      <Loading of={found}>{({ configuration }) => (
        <Card label={m.views.settings}><div class="settings">
          {Object.keys(m.settings.rows).filter((name) => name in configuration).map((name) => <Setting key={name} name={name} configuration={configuration} admin={may("admin")} reload={found.reload} />)}
        </div></Card>
      )}</Loading>
    </>
  );
}

function Setting({ name, configuration, admin, reload }: { name: Name; configuration: Configuration; admin: boolean; reload: () => Promise<void> }) {
  const [title, text] = m.settings.rows[name] ?? [name, ""];
  const value = configuration[name as keyof Configuration] as string | number | boolean;
  const change = async (next: string | number | boolean | null) => {
    try {
      await put("/v1/config", { [name]: next });
      notify(next === null ? m.settings.wasReset(title) : m.settings.changed(title));
    } finally {
      await reload();
    }
  };
  return (
    <div class="setting">
      <div><strong>{title}</strong><small>{text}</small></div>
      <div class="actions"><Input name={name} title={title} value={value} admin={admin} change={change} />{admin && <Button small kind="plain" name={m.settings.resetName(title)} title={m.settings.resetTitle} onClick={() => change(null)}>{m.reset}</Button>}</div>
    </div>
  );
}

interface InputProps {
  name: Name;
  title: string;
  value: string | number | boolean;
  admin: boolean;
  change: (value: string | number | boolean | null) => Promise<void>;
}

function Input({ name, title, value, admin, change }: InputProps) {
  const [typed, setTyped] = useState(String(value));
  const node = useRef<HTMLInputElement>(null);
  useEffect(() => { if (node.current !== document.activeElement) setTyped(String(value)); }, [value]); // not under the hands of who types
  const options = OPTIONS[name];
  if (options) return <select aria-label={title} disabled={!admin} value={String(value)} onChange={(event) => { const next = event.currentTarget.value; void attempt(() => change(next)); }}>{options.map((option) => <option value={option} selected={option === value}>{option}</option>)}</select>;
  if (typeof value === "boolean") return <Toggle checked={value} label={title} disabled={!admin} onChange={change} />;
  return <input ref={node} type="number" min={0} step="any" aria-label={title} disabled={!admin} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} onChange={(event) => { const next = event.currentTarget.value; void attempt(() => change(next === "" ? null : Number(next))); }} />;
}
