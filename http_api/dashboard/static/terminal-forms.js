// The forms that open a terminal and save a connection.

import { part, post, put } from "./api.js";
import { formDialog } from "./forms.js";
import { withCode } from "./login-codes.js";
import { notify } from "./parts.js";

const TYPES = [["ssh", "SSH"], ["telnet", "Telnet"], ["local", "This machine"]];
const ssh = (given) => given.type === "ssh";
const telnet = (given) => given.type === "telnet";
const local = (given) => given.type === "local";
const remote = (given) => given.type !== "local";

const target = () => [
  { name: "type", label: "Type", type: "select", options: TYPES },
  { name: "host", label: "Host", required: true, when: remote },
  { name: "port", label: "Port", type: "number", min: 1, max: 65535, step: 1, placeholder: "22 for SSH, 23 for telnet", when: remote },
  { name: "username", label: "User", required: true, when: ssh },
  { name: "password", label: "Password", type: "password", when: ssh, hint: "Empty: the SSH agent or configuration, where you may use it." },
  { name: "username", label: "User", when: telnet, hint: "Typed at the host's login prompt." },
  { name: "password", label: "Password", type: "password", when: telnet, hint: "Typed at the host's password prompt, unencrypted, and never shown." },
  { name: "privateKey", label: "Private key", type: "area", when: ssh, hint: "The key itself, not a path." },
  { name: "passphrase", label: "Its passphrase", type: "password", when: (given) => ssh(given) && Boolean(given.privateKey) },
  { name: "cwd", label: "Directory", when: (given) => local(given) || ssh(given) },
  { name: "shell", label: "Shell", placeholder: "bash, else sh", when: local },
];

/** Open a terminal somewhere; `go(session)` shows it. */
export function openTerminal(go) {
  formDialog("Open a terminal", [
    ...target(),
    { name: "title", label: "Name to show" },
    { name: "record", label: "Record it", type: "check" },
  ], {
    action: "Open", wide: true,
    submit: async (given, open) => {
      const opened = await withCode((more) => post("/v1/terminal/sessions", { ...given, ...more }));
      if (!opened) return;
      if (open()) go(opened.session);
      else notify("The terminal is open; it is in the list under Terminals.");
    },
  });
}

/** Change a saved connection; its secrets stay unless others are given. */
export function changeConnection(saved, done) {
  const kept = { password: saved.hasPassword, privateKey: saved.hasPrivateKey, passphrase: saved.hasPassphrase };
  const fields = target().filter((field) => field.name !== "type" && (!field.when || field.when({ type: saved.type, privateKey: "x" })))
    .map((field) => ({ ...field, when: undefined, required: field.required && Boolean(saved[field.name]), value: saved[field.name], hint: field.name in kept ? (kept[field.name] ? "One is kept. Empty: it stays." : "None is kept.") : field.hint }));
  formDialog(`Change ${saved.name}`, [{ name: "name", label: "Name", required: true, value: saved.name }, ...fields], {
    wide: true,
    submit: async (given) => {
      const emptied = Object.fromEntries(fields.filter((field) => !(field.name in kept) && saved[field.name] && !(field.name in given)).map((field) => [field.name, null]));
      await put(`/v1/terminal/connections/${part(saved.id)}`, { ...emptied, ...given });
      notify(`${given.name} is changed.`);
      await done();
    },
  });
}

/** Save a connection. */
export function saveConnection(done) {
  formDialog("Save a connection", [{ name: "name", label: "Name", required: true }, ...target()], {
    wide: true,
    submit: async (given) => {
      await post("/v1/terminal/connections", given);
      notify(`${given.name} is saved.`);
      await done();
    },
  });
}
