// The aliases of models: which names lead to which layers and models, to read and to change.

import { get, put } from "./api.js";
import { el } from "./dom.js";
import { form } from "./forms.js";
import { badge, button, card, code, confirmed, notify, quiet, table } from "./parts.js";
import { loader } from "./places.js";

export function aliasesCard(mayWrite) {
  const place = loader(async () => shown(await get("/v1/aliases"), mayWrite, () => place.reload()));
  return place;
}

const shown = (state, mayWrite, reload) => card({ text: "Aliases", actions: badge(state.isDefault ? "default rules" : "set here") },
  quiet("A name that is not a registered model follows the first rule that matches it, to the first target with a model that can answer."),
  el("details", {}, el("summary", {}, `${state.aliases.length} ${state.aliases.length === 1 ? "rule" : "rules"}`),
    table([
      { title: "Name", wide: true, cell: (alias) => code(alias.name) },
      { title: "Targets", wide: true, cell: (alias) => alias.targets.join(", ") },
      { title: "Leads to", cell: (alias) => code(alias.leadsTo) },
    ], state.aliases, { empty: "There are no aliases.", label: "Aliases" }),
    mayWrite && form([{ name: "aliases", label: "Rules", type: "area", rows: 16, value: written(state.aliases), hint: "One rule a line: name = target, target, … In a name, * stands for any text. A target is auto, a layer or a model." }], {
      submit: async ({ aliases }) => {
        await put("/v1/aliases", { aliases: parsed(aliases ?? "") });
        notify("The aliases are changed.");
        await reload();
      },
    }),
    mayWrite && !state.isDefault && button("Back to the default rules", async () => {
      if (!(await confirmed("Return to the default rules?", "The rules that were set here are lost.", "Return"))) return;
      await put("/v1/aliases", { aliases: null });
      notify("The default rules are in force.");
      await reload();
    }, { kind: "danger" })));

const written = (aliases) => aliases.map((alias) => `${alias.name} = ${alias.targets.join(", ")}`).join("\n");

function parsed(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const [name, targets = ""] = line.split(/\s*=\s*(.*)/s);
    return { name, targets: targets.split(/[\s,]+/).filter(Boolean) };
  });
}
