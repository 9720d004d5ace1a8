/** The parts of views: buttons, switches, cards, badges, errors, notices. */

import type { ComponentChildren, TargetedEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, aborted } from "../api/client";
import type { Loaded } from "../lib/loading";
import { ago } from "../lib/format";
import { signal, useSignal } from "../lib/store";
import { m } from "../messages";

type Action = () => unknown;

/** Run an action; errors are shown as a notice. Returns whether it succeeded. */
export async function attempt(action: Action): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

interface ButtonProps {
  onClick: Action;
  children: ComponentChildren;
  kind?: "" | "primary" | "danger" | "plain";
  small?: boolean;
  disabled?: boolean;
  name?: string;
  title?: string;
  pressed?: boolean;
}

/** A button that ignores further clicks while its action runs, and keeps the keyboard focus. */
export function Button({ onClick, children, kind = "", small = false, disabled = false, name, title, pressed }: ButtonProps) {
  const [busy, setBusy] = useState(false);
  const here = useRef(true);
  useEffect(() => () => { here.current = false; }, []);
  const click = async () => {
    if (busy) return;
    setBusy(true);
    await attempt(onClick);
    if (here.current) setBusy(false);
  };
  return <button type="button" class={`button ${kind} ${small ? "small" : ""}`} title={title} disabled={disabled} aria-label={name} aria-busy={busy || undefined} aria-pressed={pressed} onClick={click}>{children}</button>;
}

/** A switch. It falls back when its change fails. */
export function Toggle({ checked, label, onChange, disabled = false }: { checked: boolean; label: string; onChange: (wanted: boolean) => unknown; disabled?: boolean }) {
  const [wanted, setWanted] = useState<boolean | null>(null);
  const change = async (event: TargetedEvent<HTMLInputElement>) => {
    const next = event.currentTarget.checked;
    setWanted(next);
    await attempt(() => onChange(next));
    setWanted(null);
  };
  return <input type="checkbox" role="switch" class="switch" checked={wanted ?? checked} disabled={disabled} aria-label={label} aria-busy={wanted !== null || undefined} onChange={change} />;
}

export function Card({ title, actions, children, label }: { title?: ComponentChildren; actions?: ComponentChildren; children?: ComponentChildren; label?: string }) {
  return (
    <section class="card" aria-label={label ?? (typeof title === "string" ? title : undefined)}>
      {(title || actions) && <header class="card-head"><h2>{title}</h2>{actions && <div class="actions">{actions}</div>}</header>}
      {children}
    </section>
  );
}

export function Tile({ name, value, note, kind = "", children }: { name: string; value: ComponentChildren; note?: ComponentChildren; kind?: string; children?: ComponentChildren }) {
  return <div class={`tile ${kind}`}><span class="tile-name">{name}</span><strong>{value}</strong>{note && <small>{note}</small>}{children}</div>;
}

export const Badge = ({ children, kind = "" }: { children: ComponentChildren; kind?: "" | "good" | "bad" }) => <span class={`badge ${kind}`}>{children}</span>;
export const Quiet = ({ children }: { children: ComponentChildren }) => <p class="quiet">{children}</p>;
export const Code = ({ children }: { children: ComponentChildren }) => <code>{children}</code>;

/** A time: relative to read, exact on hover. */
export function When({ at, exact = false }: { at: string | null | undefined; exact?: boolean }) {
  if (!at) return <>–</>;
  const full = new Date(at).toLocaleString();
  return <time dateTime={at} title={`${full} (${at})`}>{exact ? full : ago(at)}</time>;
}

export function Head({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="head"><h1>{title}</h1>{children && <div class="actions">{children}</div>}</div>;
}

/** Facts as pairs; empty values are left out. */
export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return <dl>{of.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "").map(([name, value]) => <><dt>{name}</dt><dd>{value}</dd></>)}</dl>;
}

/** A bar for a part of a whole. */
export function Meter({ value, most, limit = false, label }: { value: number; most: number; limit?: boolean; label: string }) {
  const share = most > 0 ? Math.min(1, Math.max(0, value / most)) : 0;
  return (
    <svg class={`meter ${limit && share >= 0.8 ? "high" : ""}`} viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="meter-back" width="100" height="8" rx="2" /><rect class="meter-bar" width={share * 100} height="8" rx="2" />
    </svg>
  );
}

/** An error in full: what happened, which fields, what to do, and the request id. */
export function ErrorBox({ error, retry, fields = true, children }: { error: unknown; retry?: Action; fields?: boolean; children?: ComponentChildren }) {
  const told = error instanceof ApiError ? error : null;
  return (
    <div class="error" role="alert">
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {children ?? (told && (fields || !told.fields.length) && <ErrorDetails error={told} />)}
      <p class="hint">{adviceFor(error)}</p>
      {retry && <Button small onClick={retry}>{m.again}</Button>}
    </div>
  );
}

function ErrorDetails({ error }: { error: ApiError }) {
  if (error.fields.length) return <ul>{error.fields.map(([field, reason]) => <li><code>{field}</code> {reason}</li>)}</ul>;
  if (!error.details || error.limited || error.details === error.message) return null;
  if (typeof error.details === "string") return <p>{error.details}</p>;
  const facts = Object.entries(error.details);
  if (!facts.length) return null;
  return <details><summary>{m.more}</summary><pre class="details" tabIndex={0}>{JSON.stringify(error.details, null, 2)}</pre></details>;
}

function adviceFor(error: unknown): string {
  if (error instanceof TypeError || error instanceof ReferenceError) return m.pageFault;
  if (!(error instanceof ApiError)) return "";
  const log = error.requestId ? ` ${m.requestId(error.requestId)}` : "";
  if (error.status === 403) return m.needsAdmin + log;
  if (error.status >= 500 && !error.hopeless) return m.tryLater + log;
  return log.trim();
}

/** The content of loaded data, or why there is none. */
export function Loading<Data>({ of, children }: { of: Loaded<Data>; children: (data: Data) => ComponentChildren }) {
  if (of.data !== undefined) return <div class="loaded" aria-busy={of.loading || undefined}>{children(of.data)}</div>;
  if (of.error instanceof ApiError && of.error.limited) return <Quiet>{m.heldBack}</Quiet>;
  if (of.error) return <ErrorBox error={of.error} retry={of.reload} />;
  return <Quiet>{m.loading}</Quiet>;
}

interface Notice {
  id: number;
  text?: string;
  kind?: string;
  error?: unknown;
}

const notices = signal<Notice[]>([]);
let made = 0;

function show(notice: Omit<Notice, "id">, milliseconds: number): void {
  const id = ++made;
  notices.set([...notices.value.slice(-3), { ...notice, id }]);
  if (milliseconds) setTimeout(() => dismiss(id), milliseconds);
}

const dismiss = (id: number): void => notices.set(notices.value.filter((notice) => notice.id !== id));

/** Show a notice that goes away by itself. */
export const notify = (text: string, kind: "good" | "bad" = "good"): void => show({ text, kind }, 4000);

/** Show an error until it is dismissed. */
export function failed(error: unknown): void {
  if (aborted(error) || (error instanceof ApiError && error.status === 401)) return;
  show({ error }, 0);
}

export function Notices() {
  return (
    <div id="notices" role="status" aria-live="polite">
      {useSignal(notices).map((notice) => (
        <div class="notice-frame" key={notice.id}>
          {notice.error ? <ErrorBox error={notice.error} /> : <p class={`notice ${notice.kind}`}>{notice.text}</p>}
          <button type="button" class="close" aria-label={m.dismiss} onClick={() => dismiss(notice.id)}>×</button>
        </div>
      ))}
    </div>
  );
}

/** Copy text, and say so. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(m.copied);
  } catch {
    notify(m.notCopied, "bad");
  }
}
