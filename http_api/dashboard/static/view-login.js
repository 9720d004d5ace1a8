// Logging in, with a password or with an API key. What is typed goes into a request body or header, never into an address.

import { get, post, signIn, signedIn } from "./api.js";
import { el, replace } from "./dom.js";
import { form } from "./forms.js";
import { button } from "./parts.js";

/** The page; `done` is called once somebody is logged in. */
export function loginPage(done, error) {
  const place = el("div");
  const ended = signedIn();
  if (ended) signIn(null);
  const choose = (kind) => {
    replace(place, kind === "password" ? byPassword(done, () => choose("key")) : byKey(done, () => choose("password")));
    place.querySelector("input").focus();
  };
  queueMicrotask(() => choose("password"));
  return el("main", { class: "alone login" },
    el("section", { class: "card" },
      el("h1", {}, "AI MCP Gateway"),
      el("p", { class: "quiet" }, ended ? `You were logged out: ${error.message}` : "This gateway wants to know who you are."),
      place));
}

function byPassword(done, other) {
  return [
    form([
      { name: "username", label: "User", required: true, autocomplete: "username", value: "admin" },
      { name: "password", label: "Password", type: "password", required: true, autocomplete: "current-password", hint: "The first start printed the administrator's, once." },
    ], { action: "Log in", submit: async (given) => { signIn((await post("/v1/auth/login", given)).token); await done(); } }),
    button("Use an API key instead", other, { kind: "plain" }),
  ];
}

function byKey(done, other) {
  const submit = async ({ key }) => {
    signIn(key.trim());
    await get("/v1/auth/status");
    await done();
  };
  return [
    form([{ name: "key", label: "API key", type: "password", required: true, autocomplete: "off", hint: "You can do what the key's scopes allow." }], { action: "Log in", submit }),
    button("Use a password instead", other, { kind: "plain" }),
  ];
}
