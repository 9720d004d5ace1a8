/** The forms that open a terminal and save a connection. */

import { ApiError, part, post, put } from "../api/client";
import type { Connection, Session } from "../api/types";
import { formDialog } from "../ui/dialog";
import type { Field, Values } from "../ui/form";
import { notify } from "../ui/kit";
import { m } from "../messages";
import { withCode } from "./logins";

const t = m.terminals;
const TYPES: [string, string][] = [["ssh", t.types.ssh], ["telnet", t.types.telnet], ["local", t.types.local]];
const ssh = (given: Values) => given.type === "ssh";
const telnet = (given: Values) => given.type === "telnet";
const local = (given: Values) => given.type === "local";

const target = (): Field[] => [
  { name: "type", label: t.type, type: "select", options: TYPES },
  { name: "host", label: t.host, required: true, when: (given) => !local(given) },
  { name: "port", label: t.port, type: "number", min: 1, max: 65535, step: 1, placeholder: t.portHint, when: (given) => !local(given) },
  { name: "username", label: t.user, required: true, when: ssh },
  { name: "password", label: t.password, type: "password", when: ssh, hint: t.sshPassword },
  { name: "username", label: t.user, when: telnet, hint: t.telnetUser },
  { name: "password", label: t.password, type: "password", when: telnet, hint: t.telnetPassword },
  { name: "privateKey", label: t.privateKey, type: "area", when: ssh, hint: t.privateKeyHint },
  { name: "passphrase", label: t.passphrase, type: "password", when: (given) => ssh(given) && Boolean(given.privateKey) },
  { name: "cwd", label: t.directory, when: (given) => !telnet(given) },
  { name: "shell", label: t.shell, placeholder: t.shellHint, when: local },
];

type Opened = { session: Session };

/** Send a request that opens a session. A host key that waits for an administrator is explained. Undefined if the person gives up. */
export async function opening(send: (more: object) => Promise<Opened>): Promise<Session | undefined> {
  try {
    return (await withCode(send))?.session;
  } catch (error) {
    if (error instanceof ApiError && error.code.includes("approval")) throw new Error(`${error.message} ${t.hostKey}`, { cause: error });
    throw error;
  }
}

/** Open a terminal somewhere; `go` shows it. */
export async function openTerminal(go: (session: Session) => void): Promise<void> {
  let opened: Session | undefined;
  await formDialog(t.openTitle, [...target(), { name: "title", label: t.showName }, { name: "record", label: t.record, type: "check" }], {
    action: t.openAction, wide: true,
    submit: async (given) => { opened = await opening((more) => post<Opened>("/v1/terminal/sessions", { ...given, ...more })); },
  });
  if (opened) go(opened);
}

/** Save a connection. */
export const saveConnection = (done: () => Promise<void>): Promise<boolean> =>
  formDialog(t.save, [{ name: "name", label: t.name, required: true }, ...target()], {
    wide: true,
    submit: async (given) => {
      await post("/v1/terminal/connections", given);
      notify(t.saved(given.name));
      await done();
    },
  });

/** Change a saved connection; its secrets stay unless others are given. */
export function changeConnection(saved: Connection, done: () => Promise<void>): Promise<boolean> {
  const kept: Record<string, boolean> = { password: saved.hasPassword, privateKey: saved.hasPrivateKey, passphrase: saved.hasPassphrase };
  const before = saved as unknown as Record<string, string | number | null>;
  const fields = target().filter((field) => field.name !== "type" && (!field.when || field.when({ type: saved.type, privateKey: "x" }))).map((field): Field => ({
    ...field, when: undefined, required: field.required && Boolean(before[field.name]), value: field.name in kept ? null : before[field.name],
    hint: field.name in kept ? (kept[field.name] ? t.kept : t.notKept) : field.hint,
  }));
  return formDialog(t.edit(saved.name), [{ name: "name", label: t.name, required: true, value: saved.name }, ...fields], {
    wide: true,
    submit: async (given) => {
      const emptied = fields.filter((field) => !(field.name in kept) && before[field.name] && !(field.name in given)).map((field) => [field.name, null]);
      await put(`/v1/terminal/connections/${part(saved.id)}`, { ...Object.fromEntries(emptied), ...given });
      notify(t.changed(given.name));
      await done();
    },
  });
}
