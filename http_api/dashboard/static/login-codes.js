// SSH logins that ask for a one-time code: answered in a dialog, for one's own request or one that waits.

import { get, part, post } from "./api.js";
import { formDialog } from "./forms.js";
import { when } from "./format.js";
import { button, card, code, notify, table } from "./parts.js";
import { loader } from "./places.js";

/** What `send(more)` answers; a host that asks for a code is answered first, and `more` names that login. Null if the person gives up. */
export async function withCode(send) {
  let more = {};
  for (;;) {
    try {
      return await send(more);
    } catch (error) {
      if (error.code !== "code_required") throw error;
      if (!(await answered({ ...error.details, id: error.details.loginId }))) return null;
      more = { loginId: error.details.loginId };
    }
  }
}

/** Ask for the answers to a login; whether they were given and taken. A host that asks more is answered too. */
function answered(login) {
  return new Promise((resolve) => {
    let done = false;
    const fields = login.prompts.map(({ text, echo }, number) => ({ name: `answer${number}`, label: text || "Answer", type: echo ? "text" : "password", required: true }));
    const shown = formDialog(`${login.username}@${login.host}:${login.port} asks`, fields, {
      action: "Answer", note: login.instructions,
      submit: async (given) => {
        try {
          await post(`/v1/terminal/${part(login.id)}/answer`, { answers: login.prompts.map((_, number) => given[`answer${number}`]) });
          done = true;
        } catch (error) {
          if (error.code !== "code_required") throw error;
          done = await answered({ ...error.details, id: error.details.loginId });
        }
      },
    });
    shown.addEventListener("close", () => resolve(done));
  });
}

/** The logins that wait for an answer; nothing where there are none. */
export function waitingLogins() {
  const list = loader(async () => {
    const { logins } = await get("/v1/terminal/logins");
    return logins.length > 0 && card("Logins that wait for a code", table([
      { title: "Host", wide: true, cell: (login) => code(`${login.username}@${login.host}:${login.port}`) },
      { title: "Asks", wide: true, cell: (login) => login.prompts.map((prompt) => prompt.text).join(", ") },
      { title: "Caller", cell: (login) => code(login.caller) },
      { title: "Ends", cell: (login) => when(login.expiresAt) },
      { title: "", cell: (login) => button("Answer", async () => {
        if (await answered(login)) notify("Answered: the request goes on when it is sent again.");
        await list.reload();
      }, { small: true, name: `Answer ${login.host}` }) },
    ], logins, { empty: "None.", label: "Logins" }));
  });
  return list;
}
