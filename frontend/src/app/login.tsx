/** Logging in, with a password or an API key. Credentials go into a body or a header, never into an address. */

import { useEffect, useState } from "preact/hooks";
import { type ApiError, get, post, signedIn, signIn } from "../api/client";
import { Button } from "../ui/kit";
import { Form } from "../ui/form";
import { m } from "../messages";

export function Login({ done, error }: { done: () => Promise<void>; error: ApiError }) {
  const [byKey, setByKey] = useState(false);
  const [ended] = useState(signedIn);
  useEffect(() => { if (ended) signIn(null); }, []);
  useEffect(() => document.querySelector<HTMLInputElement>(".login input")?.focus(), [byKey]);
  return (
    <main class="alone login">
      <section class="card">
        <h1>{m.name}</h1>
        <p class="quiet">{ended ? m.login.ended(error.message) : m.login.wanted}</p>
        {byKey ? <ByKey key="key" done={done} /> : <ByPassword key="password" done={done} />}
        <Button kind="plain" onClick={() => setByKey(!byKey)}>{byKey ? m.login.usePassword : m.login.useKey}</Button>
      </section>
    </main>
  );
}

function ByPassword({ done }: { done: () => Promise<void> }) {
  return (
    <Form action={m.login.action} fields={[
      { name: "username", label: m.login.user, required: true, autocomplete: "username", value: "admin" },
      { name: "password", label: m.login.password, type: "password", required: true, autocomplete: "current-password", hint: m.login.passwordHint },
    ]} submit={async (given) => {
      signIn((await post<{ token: string }>("/v1/auth/login", given)).token);
      await done();
    }} />
  );
}

function ByKey({ done }: { done: () => Promise<void> }) {
  return (
    <Form action={m.login.action} fields={[{ name: "key", label: m.login.key, type: "password", required: true, autocomplete: "off", hint: m.login.keyHint }]}
      submit={async ({ key }) => {
        signIn(key.trim());
        await get("/v1/auth/status");
        await done();
      }} />
  );
}
