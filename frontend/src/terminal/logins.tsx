/** SSH logins that ask for a one-time code: answered in a dialog, for one's own request or one that waits. */

import { ApiError, get, part, post } from "../api/client";
import type { Login } from "../api/types";
import { useLoad } from "../lib/loading";
import { formDialog } from "../ui/dialog";
import { Button, Card, Code, notify, When } from "../ui/kit";
import { Table } from "../ui/table";
import { m } from "../messages";

type More = { loginId?: string };

/** What `send` answers, after the host got the codes that it asks for. Undefined if the person gives up. */
export async function withCode<Answer>(send: (more: More) => Promise<Answer>): Promise<Answer | undefined> {
  let more: More = {};
  for (;;) {
    try {
      return await send(more);
    } catch (error) {
      const login = asked(error);
      if (!login) throw error;
      if (!(await answered(login))) return undefined;
      more = { loginId: login.id };
    }
  }
}

/** The login that an error asks to answer. */
function asked(error: unknown): Login | null {
  if (!(error instanceof ApiError) || error.code !== "code_required" || typeof error.details === "string") return null;
  return { ...error.details, id: String(error.details.loginId) } as unknown as Login;
}

/** Ask for the answers to a login. A host that asks for more is answered too. */
async function answered(login: Login): Promise<boolean> {
  let next: Login | null = null;
  const done = await formDialog(m.terminals.asks(`${login.username}@${login.host}:${login.port}`),
    login.prompts.map(({ text, echo }, number) => ({ name: `answer${number}`, label: text || m.terminals.answer, type: echo ? "text" : "password", required: true, autocomplete: "one-time-code" })), {
      action: m.terminals.answer, note: login.instructions,
      submit: async (given) => {
        try {
          await post(`/v1/terminal/${part(login.id)}/answer`, { answers: login.prompts.map((_, number) => given[`answer${number}`]) });
        } catch (error) {
          next = asked(error);
          if (!next) throw error;
        }
      },
    });
  return done && (next === null || answered(next));
}

/** The logins that wait for an answer; nothing where there are none. */
export function WaitingLogins() {
  const found = useLoad(() => get("/v1/terminal/logins"), []);
  if (!found.data?.logins.length) return null;
  return (
    <Card title={m.terminals.logins}><Table label={m.terminals.logins} rows={found.data.logins} rowKey={(login) => login.id} empty="" columns={[
      { title: m.terminals.host, cell: (login) => <Code>{`${login.username}@${login.host}:${login.port}`}</Code> },
      { title: m.terminals.prompts, cell: (login) => login.prompts.map((prompt) => prompt.text).join(", ") },
      { title: m.terminals.caller, cell: (login) => <Code>{login.caller}</Code> },
      { title: m.terminals.expires, cell: (login) => <When at={login.expiresAt} /> },
      { title: "", width: "7rem", cell: (login) => <Button small name={`${m.terminals.answer} ${login.host}`} onClick={async () => {
        if (await answered(login)) notify(m.terminals.answered);
        await found.reload();
      }}>{m.terminals.answer}</Button> },
    ]} /></Card>
  );
}
