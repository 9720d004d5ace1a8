/** Dialogs: each is opened by a call that returns its answer. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { signal, useSignal } from "../lib/store";
import { m } from "../messages";
import { Button } from "./kit";
import { Form, type Field, type Values } from "./form";

interface Open {
  id: number;
  title: string;
  wide: boolean;
  /** Asks before Escape or "×" closes it; null closes without asking. */
  guard: (() => Promise<boolean>) | null;
  build: (close: (answer?: unknown) => void) => ComponentChildren;
  done: (answer: unknown) => void;
}

const open = signal<Open[]>([]);
let made = 0;

interface DialogOptions {
  wide?: boolean;
  guard?: (() => Promise<boolean>) | null;
}

/** Open a dialog; resolves with its answer, undefined when it was dismissed. */
export function dialog<Answer>(title: string, build: (close: (answer?: Answer) => void) => ComponentChildren, { wide = false, guard = null }: DialogOptions = {}): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    open.set([...open.value, { id: ++made, title, wide, guard, build: build as Open["build"], done: resolve as Open["done"] }]);
  });
}

/** Close every dialog as if it was dismissed. */
export function closeDialogs(): void {
  const closing = open.value;
  open.set([]);
  closing.forEach((one) => one.done(undefined));
}

function close(one: Open, answer: unknown): void {
  open.set(open.value.filter((other) => other.id !== one.id));
  one.done(answer);
}

export function Dialogs() {
  return <>{useSignal(open).map((one) => <Shown key={one.id} one={one} />)}</>;
}

function Shown({ one }: { one: Open }) {
  const node = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    node.current?.showModal();
    (node.current?.querySelector(".form :is(input, select, textarea), .actions .button") as HTMLElement | null)?.focus();
    return () => (before as HTMLElement | null)?.focus?.();
  }, []);
  const dismiss = async () => {
    if (!one.guard || (await one.guard())) close(one, undefined);
  };
  return (
    <dialog ref={node} class={one.wide ? "broad" : undefined} aria-labelledby={heading}
      onKeyDown={(event) => { if (event.key === "Escape" && one.guard) { event.preventDefault(); void dismiss(); } }}
      onCancel={(event) => { event.preventDefault(); void dismiss(); }}>
      <header class="card-head"><h2 id={heading}>{one.title}</h2><Button kind="plain" name={m.close} onClick={dismiss}>×</Button></header>
      {one.build((answer) => close(one, answer))}
    </dialog>
  );
}

/** Ask before something that cannot be undone. */
export async function confirmed(question: string, explanation: ComponentChildren, verb: string): Promise<boolean> {
  const answer = await dialog<boolean>(question, (done) => (
    <><p>{explanation}</p><div class="actions end"><Button onClick={() => done(false)}>{m.cancel}</Button><Button kind="danger" onClick={() => done(true)}>{verb}</Button></div></>
  ));
  return answer === true;
}

interface FormOptions {
  action?: string;
  note?: string;
  wide?: boolean;
  submit: (values: Values) => unknown;
}

/** A form in a dialog; it stays open while `submit` fails. Resolves to whether it succeeded. */
export async function formDialog(title: string, fields: Field[], { action, note, wide, submit }: FormOptions): Promise<boolean> {
  const answer = await dialog<boolean>(title, (done) => (
    <Form fields={fields} action={action} note={note} cancel={() => done(false)} submit={async (values) => { await submit(values); done(true); }} />
  ), { wide });
  return answer === true;
}
