/** Terminals: sessions, saved connections, recordings; the live terminals in tabs. */

import { useEffect, useState } from "preact/hooks";
import { del, download, get, getAt, part, post } from "../api/client";
import type { Connection, Recording, Session } from "../api/types";
import { useKnown } from "../app/context";
import type { ViewProps } from "../app/views";
import { bytes } from "../lib/format";
import { useLoad } from "../lib/loading";
import { keyNames } from "../lib/names";
import { go, href, setQuery } from "../lib/router";
import { signal, useSignal } from "../lib/store";
import { confirmed } from "../ui/dialog";
import { Badge, Button, Card, Code, Head, Loading, notify, Quiet, When } from "../ui/kit";
import { Table } from "../ui/table";
import { m } from "../messages";
import { changeConnection, opening, openTerminal, saveConnection } from "../terminal/forms";
import { Live } from "../terminal/live";
import { WaitingLogins } from "../terminal/logins";
import { nameOf, watchersOf } from "../terminal/names";
import { Player } from "../terminal/player";
import { fontSize, screenTheme, setFontSize, setScreenTheme, THEME_NAMES } from "../terminal/screen";

const t = m.terminals;
const EVERY = 20_000;
/** The sessions that have a tab, by id. */
const tabs = signal<string[]>([]);

const show = (session: Session) => go(href("terminals", session.id));
const openLocal = async () => show((await post<{ session: Session }>("/v1/terminal/sessions", { type: "local" })).session);

export function Terminals({ rest: [id, how], query }: ViewProps) {
  if (id && how === "recording") return <><p><a href={href("terminals")}>{t.all}</a></p><Player id={id} /></>;
  return id ? <Desk id={id} takeOver={how === "take-over"} beside={query.get("beside") ?? ""} /> : <Everything />;
}

/** The tabs, and the live terminals that belong to them; those that are not shown stay connected. */
function Desk({ id, takeOver, beside }: { id: string; takeOver: boolean; beside: string }) {
  const [known] = useState(() => new Map<string, Session>());
  const open = useSignal(tabs);
  const found = useLoad(async () => (await getAt<{ session: Session }>(`/v1/terminal/${part(id)}`)).session, [id]);
  if (found.data?.id === id) known.set(id, found.data);
  useEffect(() => { if (found.data?.id === id && !tabs.value.includes(id)) tabs.set([...tabs.value, id]); }, [found.data?.id, id]);
  const names = (one: string) => { const session = known.get(one); return session ? nameOf(session) : one; };
  const drop = (gone: string) => {
    tabs.set(tabs.value.filter((one) => one !== gone));
    const next = tabs.value.at(-1);
    if (gone === id) go(next ? href("terminals", next) : href("terminals"));
    else if (gone === beside) setQuery({ beside: "" });
  };
  const split = async () => setQuery({ beside: beside ? "" : (open.find((one) => one !== id && known.has(one)) ?? (await another(known))) });
  return (
    <>
      <div class="head">
        <nav class="tabs" aria-label={t.tabs}><a href={href("terminals")}>{t.all}</a>
          {open.map((one) => <span key={one}><a href={href("terminals", one)} aria-current={one === id ? "page" : undefined}>{names(one)}</a><Button small kind="plain" name={t.closeTab(names(one))} onClick={() => drop(one)}>×</Button></span>)}
          <Button small onClick={openLocal} name={t.open}>+</Button>
        </nav>
        <div class="actions"><Button small pressed={Boolean(beside)} onClick={split}>{t.split}</Button><Look /></div>
      </div>
      {found.data?.id !== id && <Loading of={found}>{() => null}</Loading>}
      <div class="panes">
        {[...known.values()].filter((session) => session.id === id || open.includes(session.id)).map((session) => (
          <Live key={session.id} session={session} takeOver={takeOver && session.id === id} shown={session.id === id || session.id === beside} closed={() => drop(session.id)} />
        ))}
      </div>
      <Quiet>{t.hint}</Quiet>
    </>
  );
}

/** Open a session to show beside the present one. */
async function another(known: Map<string, Session>): Promise<string> {
  const { session } = await post<{ session: Session }>("/v1/terminal/sessions", { type: "local" });
  known.set(session.id, session);
  tabs.set([...tabs.value, session.id]);
  return session.id;
}

function Look() {
  const size = useSignal(fontSize);
  const chosen = useSignal(screenTheme);
  return (
    <>
      <Button small name={t.smaller} onClick={() => setFontSize(size - 1)}>A−</Button><Button small name={t.larger} onClick={() => setFontSize(size + 1)}>A+</Button>
      <select class="narrow" aria-label={t.theme} value={chosen} onChange={(event) => setScreenTheme(event.currentTarget.value)}>{THEME_NAMES.map((name) => <option selected={name === chosen}>{name}</option>)}</select>
    </>
  );
}

function Everything() {
  const known = useKnown();
  const oversees = known.may("admin") && known.who.authMode === "required";
  const [everyone, setEveryone] = useState(false);
  const sessions = useLoad(async () => {
    const [found, names] = await Promise.all([getAt<{ sessions: Session[]; incomplete?: string[] }>("/v1/terminal/sessions", everyone ? { all: true } : {}), everyone ? keyNames(known) : new Map<string, string>()]);
    return { ...found, names };
  }, [everyone], { every: EVERY });
  const connections = useLoad(() => get("/v1/terminal/connections"), []);
  const recordings = useLoad(() => get("/v1/terminal/recordings"), []);
  return (
    <>
      <Head title={m.views.terminals}>
        {oversees && <Button onClick={() => setEveryone(!everyone)}>{everyone ? t.mine : t.everyone}</Button>}
        <Button onClick={() => openTerminal(show)}>{t.other}</Button>
        <Button kind="primary" onClick={openLocal}>{t.open}</Button>
      </Head>
      <WaitingLogins />
      <Loading of={sessions}>{(found) => <>{found.incomplete && <Quiet>{t.incomplete(found.incomplete.join(", "))}</Quiet>}<Sessions found={found.sessions} names={found.names} reload={sessions.reload} /></>}</Loading>
      <Loading of={connections}>{(found) => <Connections found={found.connections} reload={connections.reload} />}</Loading>
      <Loading of={recordings}>{(found) => <Recordings found={found.recordings} reload={recordings.reload} />}</Loading>
    </>
  );
}

function Sessions({ found, names, reload }: { found: Session[]; names: Map<string, string>; reload: () => Promise<void> }) {
  const close = async (session: Session) => {
    await del(`/v1/terminal/${part(session.id)}`);
    notify(t.closed);
    await reload();
  };
  return (
    <Card title={t.sessions}><Table<Session> label={t.sessions} rows={found} rowKey={(session) => session.id} empty={t.noSessions} open={show} columns={[
      { title: t.session, width: "minmax(10rem, 2fr)", sort: nameOf, cell: (session) => <><a href={href("terminals", session.id)}>{nameOf(session)}</a><small><Code>{session.id}</Code></small>{session.owner && <small>{t.owner} {names.get(session.owner) ?? ""} <Code>{session.owner}</Code></small>}</> },
      { title: t.type, width: "6rem", sort: (session) => session.type, cell: (session) => <Badge>{t.types[session.type]}</Badge> },
      { title: t.state, width: "minmax(9rem, 2fr)", cell: (session) => <State session={session} /> },
      { title: t.lastUsed, width: "8rem", sort: (session) => session.lastActivity, cell: (session) => <When at={session.lastActivity} /> },
      { title: t.opened, width: "8rem", sort: (session) => session.createdAt, cell: (session) => <When at={session.createdAt} /> },
      { title: "", width: "10rem", cell: (session) => <span class="actions">
        <Button small name={session.owner ? t.watchOf(nameOf(session)) : t.attachTo(nameOf(session))} onClick={() => show(session)}>{session.owner ? t.watch : t.attach}</Button>
        <Button small kind="danger" name={t.closeOne(nameOf(session))} onClick={() => close(session)}>{m.close}</Button></span> },
    ]} /></Card>
  );
}

function State({ session }: { session: Session }) {
  return (
    <>
      {session.connected ? <Badge kind="good">{t.connected}</Badge> : <Badge kind="bad">{t.ended}</Badge>} {session.recording && <Badge>{t.recorded}</Badge>} {watchersOf(session) && <Badge kind="bad">{watchersOf(session)}</Badge>}
      {session.connected && session.login && session.login !== "done" && <Badge kind="bad">{t.notLoggedIn}</Badge>}
      {session.busy && <small>{t.runs} <Code>{session.busy.command}</Code> <When at={session.busy.since} /></small>}
      {session.reason && <small>{session.reason}</small>}
    </>
  );
}

function Connections({ found, reload }: { found: Connection[]; reload: () => Promise<void> }) {
  const connect = async (saved: Connection) => {
    const opened = await opening((more) => post(`/v1/terminal/connections/${part(saved.id)}/connect`, more));
    if (opened) show(opened);
  };
  const remove = async (saved: Connection) => {
    if (!(await confirmed(t.deleteConnection(saved.name), t.deleteConnectionText, m.delete))) return;
    await del(`/v1/terminal/connections/${part(saved.id)}`);
    notify(t.deletedConnection(saved.name));
    await reload();
  };
  return (
    <Card title={t.connections} actions={<Button small onClick={() => saveConnection(reload)}>{t.save}</Button>}><Table<Connection> label={t.connections} rows={found} rowKey={(saved) => saved.id} empty={t.noConnections} columns={[
      { title: t.name, sort: (saved) => saved.name, cell: (saved) => saved.name },
      { title: t.type, width: "6rem", cell: (saved) => <Badge>{t.types[saved.type]}</Badge> },
      { title: t.where, width: "minmax(10rem, 2fr)", cell: (saved) => <Code>{saved.host ? `${saved.username ? `${saved.username}@` : ""}${saved.host}${saved.port ? `:${saved.port}` : ""}` : (saved.cwd ?? "~")}</Code> },
      { title: t.secrets, cell: (saved) => <>{saved.hasPassword && <Badge>{t.password}</Badge>} {saved.hasPrivateKey && <Badge>{t.privateKey}</Badge>}</> },
      { title: "", width: "14rem", cell: (saved) => <span class="actions">
        <Button small name={t.connectTo(saved.name)} onClick={() => connect(saved)}>{t.connect}</Button>
        <Button small name={t.edit(saved.name)} onClick={() => changeConnection(saved, reload)}>{m.edit}</Button>
        <Button small kind="danger" name={`${m.delete} ${saved.name}`} onClick={() => remove(saved)}>{m.delete}</Button></span> },
    ]} /></Card>
  );
}

function Recordings({ found, reload }: { found: Recording[]; reload: () => Promise<void> }) {
  const remove = async ({ sessionId }: Recording) => {
    if (!(await confirmed(t.deleteRecording, t.deleteRecordingText, m.delete))) return;
    await del(`/v1/terminal/${part(sessionId)}/recording`);
    notify(t.deletedRecording);
    await reload();
  };
  return (
    <Card title={t.recordings}><Table<Recording> label={t.recordings} rows={found} rowKey={(recording) => recording.sessionId} empty={t.noRecordings} columns={[
      { title: t.session, width: "minmax(10rem, 2fr)", cell: (recording) => <>{recording.title || "–"}<small><Code>{recording.sessionId}</Code></small></> },
      { title: t.caller, cell: (recording) => recording.owner },
      { title: t.started, sort: (recording) => recording.startedAt, cell: (recording) => <When at={recording.startedAt} /> },
      { title: t.size, number: true, sort: (recording) => recording.bytes, cell: (recording) => bytes(recording.bytes) },
      { title: t.state, width: "6rem", cell: (recording) => <Badge kind={recording.active ? "good" : ""}>{recording.active ? t.active : t.ended}</Badge> },
      { title: "", width: "15rem", cell: (recording) => <span class="actions">
        <Button small name={`${t.play} ${recording.sessionId}`} onClick={() => go(href("terminals", recording.sessionId, "recording"))}>{t.play}</Button>
        <Button small name={`${t.download} ${recording.sessionId}`} onClick={() => download(`/v1/terminal/${part(recording.sessionId)}/recording`, `${recording.sessionId}.cast`)}>{t.download}</Button>
        <Button small kind="danger" name={`${m.delete} ${recording.sessionId}`} onClick={() => remove(recording)}>{m.delete}</Button></span> },
    ]} /></Card>
  );
}
