// The command policy in force, to read and to change.

import { get, put } from "./api.js";
import { el } from "./dom.js";
import { form } from "./forms.js";
import { badge, button, card, confirmed, notify, quiet } from "./parts.js";
import { loader } from "./places.js";

const SOURCES = { none: "there is none", file: "from the policy file", stored: "put here" };

export function policyCard() {
  const place = loader(async () => shown(await get("/v1/terminal/policy"), () => place.reload()));
  return place;
}

const shown = (state, reload) => card({ text: "Policy in force", actions: badge(SOURCES[state.source] ?? state.source) },
  quiet(state.policy.policies.length ? `${state.policy.policies.length} ${state.policy.policies.length === 1 ? "policy" : "policies"}; the strictest answer counts.` : "Every command is allowed."),
  el("details", {}, el("summary", {}, "Read or change it"),
    form([{ name: "policy", label: "As JSON", type: "area", rows: 16, value: JSON.stringify(state.policy, null, 2), hint: "docs/command-policy.md explains every key. It counts at once, in every process." }], {
      action: "Put into force",
      submit: async ({ policy }) => {
        await put("/v1/terminal/policy", { policy: parsed(policy ?? "") });
        notify("The policy is in force.");
        await reload();
      },
    }),
    state.source === "stored" && button("Back to the policy file", async () => {
      if (!(await confirmed("Take this policy away?", "The one in the policy file counts then; without a file, every command is allowed.", "Take it away"))) return;
      await put("/v1/terminal/policy", { policy: null });
      notify("The policy that was put here is gone.");
      await reload();
    }, { kind: "danger" })));

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not valid JSON: ${error.message}.`);
  }
}
