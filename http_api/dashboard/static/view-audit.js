// The audit trail: who did what, newest first, and whether the chain is whole.

import { get } from "./api.js";
import { el, replace } from "./dom.js";
import { count, when } from "./format.js";
import { badge, button, card, code, table } from "./parts.js";
import { fill, trouble } from "./places.js";

const PAGE = 50;
const NAMES = { requestId: "request id", to: "until (not included)" };

export const audit = {
  id: "audit",
  title: "Audit",
  scope: "admin",
  render() {
    const place = el("div");
    const verdict = el("div", { "aria-live": "polite" });
    const inputs = {
      action: el("input", { placeholder: "open_terminal", spellcheck: "false" }),
      caller: el("input", { placeholder: "id of a caller", spellcheck: "false" }),
      outcome: el("input", { placeholder: "ok, or a code", spellcheck: "false" }),
      requestId: el("input", { spellcheck: "false" }),
      from: el("input", { type: "date" }),
      to: el("input", { type: "date" }),
    };
    let asked = 0;
    const load = async (cursors = []) => {
      const turn = ++asked;
      try {
        const query = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
        const page = await get("/v1/audit", { ...query, limit: PAGE, cursor: cursors.at(-1) });
        if (turn === asked) fill(place, shown(page, cursors, load));
      } catch (error) {
        if (turn === asked) trouble(place, error, () => load(cursors));
      }
    };
    for (const input of Object.values(inputs)) input.addEventListener("change", () => load());
    load();
    return [
      el("div", { class: "head" }, el("h1", {}, "Audit"), button("Verify the chain", async () => replace(verdict, checked(await get("/v1/audit/verify"))))),
      verdict,
      el("div", { class: "filters" }, Object.entries(inputs).map(([name, input]) => el("label", {}, el("span", {}, NAMES[name] ?? name), input))),
      place,
    ];
  },
};

const shown = (page, cursors, load) => card(null,
  table([
    { title: "#", number: true, cell: (entry) => entry.sequence },
    { title: "When", cell: (entry) => when(entry.at) },
    { title: "Who", cell: (entry) => [entry.caller, el("small", {}, entry.address)] },
    { title: "What", cell: (entry) => code(entry.action) },
    { title: "Outcome", cell: (entry) => badge(entry.outcome, entry.outcome === "ok" ? "good" : "bad") },
    { title: "Details", wide: true, cell: (entry) => details(entry) },
  ], page.entries, { empty: "No entry fits.", label: "Audit trail" }),
  el("div", { class: "actions end" },
    button("Newer", () => load(cursors.slice(0, -1)), { disabled: !cursors.length }),
    button("Older", () => load([...cursors, page.nextCursor]), { disabled: page.nextCursor === null })));

function details(entry) {
  const text = Object.entries(entry.details).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("\n");
  return el("details", {},
    el("summary", {}, text.replaceAll("\n", " · ").slice(0, 120) || "–"),
    el("pre", { tabindex: "0" }, [text, `request: ${entry.requestId}`, entry.traceId && `trace: ${entry.traceId}`, `hash: ${entry.hash}`].filter(Boolean).join("\n")));
}

const checked = (found) => el("p", { class: found.valid ? "notice good" : "error", role: "status" },
  found.valid
    ? `The chain is whole: ${count(found.entries)} entries, none changed, none missing${found.pruned ? `; ${count(found.pruned)} older ones were deleted under a signed checkpoint` : ""}.`
    : `Entry ${found.firstBroken} is wrong: ${found.reason}. Somebody changed the trail; compare it with a backup.`);
