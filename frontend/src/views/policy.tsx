/** The command policy: try a command, read and change the policy in force. */

import { useState } from "preact/hooks";
import { get, post, put } from "../api/client";
import type { PolicyState, Verdict } from "../api/types";
import { useLoad } from "../lib/loading";
import { confirmed } from "../ui/dialog";
import { Form } from "../ui/form";
import { Badge, Button, Card, Facts, Head, Loading, notify, Quiet } from "../ui/kit";
import { m } from "../messages";

export function Policy() {
  const state = useLoad<PolicyState>(() => get("/v1/terminal/policy"), []);
  const [found, setFound] = useState<Verdict | null>(null);
  return (
    <>
      <Head title={m.views.policy} />
      <Card title={m.policy.tryOut}>
        <Form fields={[{ name: "command", label: m.approvals.command, required: true, placeholder: "rm -rf build", hint: m.policy.judgedNotRun }]} action={m.policy.judge} submit={async (given) => setFound(await post<Verdict>("/v1/terminal/policy/check", given))} />
        <div aria-live="polite">{found && <Judged found={found} />}</div>
      </Card>
      <Loading of={state}>{(policy) => <InForce key={JSON.stringify(policy)} state={policy} reload={state.reload} />}</Loading>
    </>
  );
}

function Judged({ found }: { found: Verdict }) {
  return (
    <>
      <p><Badge kind={found.action === "allow" ? "good" : found.action === "deny" ? "bad" : ""}>{found.action}</Badge> {found.reason || (found.policy === null ? m.policy.noPolicy : "")}</p>
      <Facts of={[[m.policy.decidedBy, found.policy && (found.rule === null ? m.policy.byDefault(found.policy) : m.policy.byRule(found.policy, found.rule))], [m.policy.decisive, found.decisive], [m.policy.seen, found.seen.join("; ")]]} />
    </>
  );
}

function InForce({ state, reload }: { state: PolicyState; reload: () => Promise<void> }) {
  const number = state.policy.policies.length;
  const back = async () => {
    if (!(await confirmed(m.policy.removeQuestion, m.policy.removeText, m.delete))) return;
    await put("/v1/terminal/policy", { policy: null });
    notify(m.policy.removed);
    await reload();
  };
  return (
    <Card title={m.policy.inForce} actions={<><Badge>{m.policy.sources[state.source as "none"] ?? state.source}</Badge>{state.source === "stored" && <Button small kind="danger" onClick={back}>{m.policy.back}</Button>}</>}>
      <Quiet>{number ? m.policy.count(number) : m.policy.none}</Quiet>
      <Form action={m.policy.enforce} fields={[{ name: "policy", label: m.policy.asJson, type: "area", rows: 18, value: JSON.stringify(state.policy, null, 2), hint: m.policy.hint }]} submit={async ({ policy }) => {
        await put("/v1/terminal/policy", { policy: parsed(policy ?? "") });
        notify(m.policy.enforced);
        await reload();
      }} />
    </Card>
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(m.policy.notJson((error as Error).message), { cause: error });
  }
}
