/** Forms from a list of fields, with each refusal of the gateway at its field. */

import { useId, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { m } from "../messages";
import { Button, ErrorBox } from "./kit";

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Values = Record<string, any>;

export interface Field {
  name: string;
  label: string;
  type?: "text" | "password" | "area" | "number" | "select" | "check" | "checks" | "date";
  value?: string | number | boolean | string[] | null;
  options?: [string, string][];
  hint?: string;
  required?: boolean;
  min?: number;
  max?: number;
  step?: number | "any";
  rows?: number;
  placeholder?: string;
  autocomplete?: string;
  suggestions?: string[];
  /** Whether the field is there, by the values of the others. */
  when?: (values: Values) => boolean;
}

interface FormProps {
  fields: Field[];
  submit: (values: Values) => unknown;
  action?: string;
  note?: string;
  cancel?: () => void;
}

/** A form. Fields that are empty or hidden are not among the values of `submit`. */
export function Form({ fields, submit, action = m.save, note, cancel }: FormProps) {
  const [given, setGiven] = useState<Values>(() => Object.fromEntries(fields.map((field, at) => [at, first(field)])));
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const values: Values = {};
  const shown = fields.map((field, at) => {
    const there = !field.when || field.when(values);
    const value = read(field, given[at]);
    if (there && value !== undefined) values[field.name] = value;
    return there;
  });
  const refusals = new Map(error instanceof ApiError ? error.fields.map(([name, reason]) => [name.split(".")[0], reason]) : []);
  const placed = refusals.size > 0 && [...refusals.keys()].every((name) => fields.some((field, at) => shown[at] && field.name === name));
  const send = async (event: Event) => {
    event.preventDefault();
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      await submit(values);
    } catch (problem) {
      setError(problem);
    }
    running.current = false;
    setBusy(false);
  };
  return (
    <form class="form" onSubmit={send}>
      {note && <p class="quiet">{note}</p>}
      {fields.map((field, at) => shown[at] && <Row key={at} field={field} value={given[at]} refusal={refusals.get(field.name) ?? ""} change={(value) => setGiven((before) => ({ ...before, [at]: value }))} />)}
      {error !== null && <ErrorBox error={error} fields={!placed} />}
      <div class="actions end">
        {cancel && <Button onClick={cancel}>{m.cancel}</Button>}
        <button type="submit" class="button primary" aria-busy={busy || undefined}>{action}</button>
      </div>
    </form>
  );
}

function first(field: Field): unknown {
  if (field.type === "checks") return field.value ?? [];
  if (field.type === "check") return Boolean(field.value);
  if (field.type === "select") return field.value ?? field.options?.[0]?.[0] ?? "";
  return field.value ?? "";
}

function read(field: Field, value: unknown): unknown {
  if (field.type === "check" || field.type === "checks") return value;
  if (value === "" || value === undefined || value === null) return undefined;
  return field.type === "number" ? Number(value) : value;
}

interface RowProps {
  field: Field;
  value: unknown;
  refusal: string;
  change: (value: unknown) => void;
}

function Row({ field, value, refusal, change }: RowProps) {
  const id = useId();
  const about = { "aria-describedby": `${id}-hint ${id}-refused`, "aria-invalid": refusal ? true : undefined } as const;
  const must = field.required && <span class="must" aria-hidden="true"> *</span>;
  return (
    <div class={`field ${field.type === "check" ? "check" : ""}`}>
      {field.type === "checks" ? <span class="label" id={`${id}-label`}>{field.label}</span> : <label for={id}>{field.label}{must}</label>}
      <Control id={id} field={field} value={value} change={change} about={about} />
      {field.hint && <small id={`${id}-hint`} class="hint">{field.hint}</small>}
      <small id={`${id}-refused`} class="refused">{refusal}</small>
    </div>
  );
}

function Control({ id, field, value, change, about }: { id: string; field: Field; value: unknown; change: (value: unknown) => void; about: object }) {
  const common = { id, required: field.required, ...about };
  if (field.type === "area") return <textarea {...common} rows={field.rows ?? 3} placeholder={field.placeholder} spellcheck={false} value={String(value ?? "")} onInput={(event) => change(event.currentTarget.value)} />;
  if (field.type === "select") {
    return <select {...common} value={String(value ?? "")} onChange={(event) => change(event.currentTarget.value)}>{field.options?.map(([option, text]) => <option value={option} selected={option === value}>{text}</option>)}</select>;
  }
  if (field.type === "check") return <input {...common} type="checkbox" role="switch" class="switch" checked={Boolean(value)} onChange={(event) => change(event.currentTarget.checked)} />;
  if (field.type === "checks") {
    const chosen = value as string[];
    const turn = (name: string, on: boolean) => change(on ? [...chosen, name] : chosen.filter((other) => other !== name));
    return (
      <div id={id} class="checks" role="group" aria-label={field.label}>
        {field.options?.map(([name, text]) => <label><input type="checkbox" checked={chosen.includes(name)} onChange={(event) => turn(name, event.currentTarget.checked)} /> {text}</label>)}
      </div>
    );
  }
  const list = field.suggestions ? `${id}-list` : undefined;
  const complete = field.autocomplete ?? (field.type === "password" ? "new-password" : "off");
  return (
    <>
      <input {...common} type={(field.type ?? "text") as "text"} value={String(value ?? "")} placeholder={field.placeholder} min={field.min} max={field.max} step={field.step} list={list} autocomplete={complete as "off"} spellcheck={false} onInput={(event) => change(event.currentTarget.value)} />
      {list && <datalist id={list}>{field.suggestions?.map((text) => <option value={text} />)}</datalist>}
    </>
  );
}
