/** Commands and host keys that wait for approval, as cards that a phone can answer. */

import { useEffect, useState } from "preact/hooks";
import { part, post } from "../api/client";
import type { Approval } from "../api/types";
import { useKnown } from "../app/context";
import { desktopWanted, turnDesktop } from "../app/desktop";
import { poll } from "../api/polling";
import { href } from "../lib/router";
import { Badge, Button, Card, Code, Facts, Head, Loading, notify, Quiet, Toggle, When } from "../ui/kit";
import { m } from "../messages";

const EVERY = 5000;
const SETTLE = 700;

export function Approvals() {
  const { approvals } = useKnown();
  const [desktop, setDesktop] = useState(desktopWanted());
  const [settling, setSettling] = useState(false);
  useEffect(() => poll(approvals.reload, EVERY), []);
  const ids = (approvals.data ?? []).map((one) => one.id + one.status).join();
  useEffect(() => {
    if (!ids) return;
    setSettling(true); // a button must not move under a finger that is about to press it
    const timer = setTimeout(() => setSettling(false), SETTLE);
    return () => clearTimeout(timer);
  }, [ids]);
  return (
    <>
      <Head title={m.views.approvals}>{"Notification" in window && <label class="inline">{m.approvals.desktop} <Toggle checked={desktop} label={m.approvals.desktop} onChange={async (on) => setDesktop(await turnDesktop(on))} /></label>}</Head>
      <Loading of={approvals}>{(found) => <div class={`approvals ${settling ? "settling" : ""}`}><Queue found={found} reload={approvals.reload} /></div>}</Loading>
      <p><a href={href("policy")}>{m.approvals.policy}</a></p>
    </>
  );
}

function Queue({ found, reload }: { found: Approval[]; reload: () => Promise<void> }) {
  const by = (status: Approval["status"]) => found.filter((one) => one.status === status);
  const pending = by("pending");
  return (
    <>
      {pending.length === 0 && <Card><Quiet>{m.approvals.empty}</Quiet></Card>}
      {pending.map((one) => <Waiting key={one.id} one={one} reload={reload} />)}
      <Decided title={m.approvals.approved} found={by("approved")} kind="good" />
      <Decided title={m.approvals.denied} found={by("denied")} kind="bad" />
    </>
  );
}

function Decided({ title, found, kind }: { title: string; found: Approval[]; kind: "good" | "bad" }) {
  if (!found.length) return null;
  return (
    <Card title={title}>
      {found.map((one) => <p><Code>{one.kind === "host_key" ? trusted(one).host : one.command}</Code> <Badge kind={kind}>{one.status}</Badge> {m.approvals.decided(one.callerName, placeOf(one), one.decidedBy ?? m.unknown)} <When at={one.expiresAt} /></p>)}
    </Card>
  );
}

const placeOf = (one: Approval): string => (one.place === "type:local" ? m.thisMachine : one.place);

/** The parts of "trust TYPE FINGERPRINT as the host key of HOST". */
function trusted(one: Approval) {
  const [, type = "", fingerprint = ""] = one.command.split(" ");
  const [, before = ""] = one.command.split(" in the place of ");
  return { type, fingerprint, before, host: one.place.replace(/^ssh /, "") };
}

function Waiting({ one, reload }: { one: Approval; reload: () => Promise<void> }) {
  const key = one.kind === "host_key" ? trusted(one) : null;
  const what = key ? m.approvals.hostKey(key.host) : one.command;
  const title = key ? (key.before ? m.approvals.changedKey(key.host) : m.approvals.trustKey(key.host)) : one.kind === "session" ? m.approvals.noSandbox(one.callerName) : m.approvals.asks(one.callerName);
  const decide = (decision: "approve" | "deny") => async () => {
    await post(`/v1/approvals/${part(one.id)}`, { decision });
    notify(decision === "deny" ? m.approvals.wasDenied : key ? m.approvals.keyApproved : m.approvals.wasApproved);
    await reload();
  };
  return (
    <Card title={title} actions={<span class="quiet">{m.approvals.asked} <When at={one.createdAt} />, {m.approvals.ends} <When at={one.expiresAt} /></span>}>
      <pre class="command" tabIndex={0} aria-label={key ? m.approvals.fingerprint : m.approvals.command}>{key ? key.fingerprint : one.command}</pre>
      <p><strong>{one.reason || m.approvals.policyAsks}</strong></p>
      <Risk one={one} />
      <details><summary>{m.more}</summary>
        <Facts of={[
          [m.approvals.where, placeOf(one)], [m.approvals.keyBefore, key?.before && <Code>{key.before}</Code>], [m.approvals.keyType, key?.type], [m.approvals.directory, one.cwd && <Code>{one.cwd}</Code>],
          [m.approvals.session, one.sessionId && <a href={href("terminals", one.sessionId)}><Code>{one.sessionId}</Code></a>], [m.approvals.host, one.host && <Code>{one.host}</Code>], [m.approvals.shell, one.shell && <Code>{one.shell}</Code>],
          [m.approvals.sandbox, one.sandbox], [m.approvals.umask, one.umask], [m.approvals.programs, one.programs.length > 0 && <Code>{one.programs.join("; ")}</Code>], [m.approvals.path, one.path && <Code>{one.path}</Code>],
          [m.approvals.variables, [...one.variables, ...one.env].join(", ")], [m.approvals.caller, <>{one.callerName} <Code>{one.caller}</Code></>], [m.approvals.rule, `${one.policy}${one.rule === null ? "" : `, ${m.approvals.ruleNumber(one.rule)}`}`],
        ]} />
      </details>
      {one.stdin && <details open><summary>{m.approvals.input}</summary><pre tabIndex={0}>{one.stdin}</pre></details>}
      <div class="actions end big">
        <Button kind="danger" name={m.approvals.denyName(what, one.callerName)} onClick={decide("deny")}>{m.approvals.deny}</Button>
        <Button kind="primary" name={m.approvals.approveName(what, one.callerName)} onClick={decide("approve")}>{m.approvals.approve}</Button>
      </div>
    </Card>
  );
}

/** What makes the request more dangerous than usual. */
function Risk({ one }: { one: Approval }) {
  const risks = [
    one.sandbox === "none" && m.approvals.risks.sandbox, one.place !== "type:local" && one.kind !== "host_key" && m.approvals.risks.remote, /\b(?:sudo|doas|su)\b/.test(one.command) && m.approvals.risks.root,
    one.stdin && m.approvals.risks.input, one.kind === "host_key" && trusted(one).before && m.approvals.risks.key,
  ].filter(Boolean);
  return risks.length ? <p class="badges">{risks.map((risk) => <Badge kind="bad">{risk}</Badge>)}</p> : null;
}
