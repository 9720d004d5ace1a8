/** One session: its screen, its state, search, and the files of its host. */

import { useEffect, useRef, useState } from "preact/hooks";
import { del, part } from "../api/client";
import { poll } from "../api/polling";
import type { Session } from "../api/types";
import { useKnown } from "../app/context";
import { count } from "../lib/format";
import { go, href } from "../lib/router";
import { confirmed } from "../ui/dialog";
import { Badge, Button, Code, notify, Quiet } from "../ui/kit";
import { m } from "../messages";
import { Connection, type Shown } from "./connection";
import { Files } from "./files";
import { nameOf, watchersOf } from "./names";
import { Screen } from "./screen";

const t = m.terminals;
const LOOK_EVERY = 20_000;

interface Props {
  session: Session;
  takeOver: boolean;
  /** Whether the person looks at it. */
  shown: boolean;
  closed: () => void;
}

export function Live({ session, takeOver, shown, closed }: Props) {
  const { who } = useKnown();
  const place = useRef<HTMLDivElement>(null);
  const parts = useRef<{ screen: Screen; connection: Connection } | null>(null);
  const [state, setState] = useState<Shown>({ text: t.connecting, kind: "" });
  const [title, setTitle] = useState("");
  const [dropped, setDropped] = useState(0);
  const [here, setHere] = useState("");
  const [finding, setFinding] = useState(false);
  const [files, setFiles] = useState(false);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const made = attached(session, takeOver, place.current as HTMLDivElement, { setState, setTitle, setDropped, search: () => setFinding(true), leave: () => end.current?.querySelector("button")?.focus() });
    parts.current = made;
    const look = async () => {
      const now = await made.connection.look();
      if (now) setHere(watchersOf(now));
    };
    const stop = !session.owner && who.authMode === "required" ? poll(look, LOOK_EVERY) : () => undefined;
    return () => {
      stop();
      made.connection.leave();
      made.screen.dispose();
    };
  }, [session.id, takeOver]);
  useEffect(() => {
    if (!shown) return;
    parts.current?.screen.fit();
    parts.current?.screen.term.focus();
  }, [shown]);
  const watches = Boolean(session.owner) && !takeOver;
  const name = title || nameOf(session);
  return (
    <section class="live" aria-label={t.liveLabel} hidden={!shown}>
      <div class="head">
        <div><h2>{name}</h2><span class="live-state" role="status">{state.text.length > 30 ? <span class={state.kind}>{state.text}</span> : <Badge kind={state.kind}>{state.text}</Badge>} <Code>{session.id}</Code> {state.lost && <Button small onClick={() => parts.current?.connection.retry()}>{t.again}</Button>}</span> {here && <Badge kind="bad">{here}</Badge>}</div>
        <div class="actions" ref={end}>
          {watches ? <Button onClick={() => taken(session)}>{t.takeOver}</Button> : <Button small onClick={() => parts.current?.connection.type("\x03")}>{t.interrupt}</Button>}
          <Button small pressed={finding} onClick={() => setFinding(!finding)}>{t.search}</Button>
          {session.type === "ssh" && !session.owner && <Button small pressed={files} onClick={() => setFiles(!files)}>{t.files}</Button>}
          <Button small onClick={() => (document.fullscreenElement ? document.exitFullscreen() : place.current?.closest("section")?.requestFullscreen())}>{t.fullScreen}</Button>
          <Button small kind="danger" onClick={() => ended(session, closed)}>{t.closeSession}</Button>
        </div>
      </div>
      {session.owner && <Quiet>{watches ? t.readOnly(session.owner) : t.typing(session.owner)}</Quiet>}
      {finding && <Find find={(text, back) => parts.current?.screen.find(text, back)} close={() => { setFinding(false); parts.current?.screen.find(""); parts.current?.screen.term.focus(); }} />}
      <div class="screen" ref={place} data-state={state.closed ? "closed" : state.kind} />
      {dropped > 0 && <Quiet>{t.gone(count(dropped))}</Quiet>}
      {files && <Files session={session} />}
    </section>
  );
}

interface Told {
  setState: (state: Shown) => void;
  setTitle: (title: string) => void;
  setDropped: (characters: number) => void;
  search: () => void;
  leave: () => void;
}

/** A screen in `place` that shows a session. */
function attached(session: Session, takeOver: boolean, place: HTMLElement, told: Told): { screen: Screen; connection: Connection } {
  const screen = new Screen({
    type: (data) => connection.type(data), paste: (data) => connection.paste(data), resize: (cols, rows) => connection.resize(cols, rows),
    title: told.setTitle, search: told.search, leave: told.leave,
  });
  const connection: Connection = new Connection(session, takeOver, {
    show: (state) => {
      screen.term.options.disableStdin = state.closed ?? connection.watches;
      if (screen.term.textarea) screen.term.textarea.disabled = state.closed ?? false;
      told.setState(state);
    },
    opened: () => {
      screen.fit();
      screen.term.focus();
      connection.resize(screen.term.cols, screen.term.rows);
    },
    dropped: told.setDropped,
    output: (data) => screen.term.write(data),
  });
  screen.open(place);
  connection.connect();
  return { screen, connection };
}

async function taken(session: Session): Promise<void> {
  if (await confirmed(t.takeOverQuestion, t.takeOverText, t.takeOver)) go(href("terminals", session.id, "take-over"));
}

async function ended(session: Session, closed: () => void): Promise<void> {
  if (!(await confirmed(t.closeQuestion, t.closeText, m.close))) return;
  await del(`/v1/terminal/${part(session.id)}`);
  notify(t.closed);
  closed();
}

function Find({ find, close }: { find: (text: string, back: boolean) => void; close: () => void }) {
  const [text, setText] = useState("");
  const node = useRef<HTMLInputElement>(null);
  useEffect(() => node.current?.focus(), []);
  const key = (event: KeyboardEvent) => {
    if (event.key === "Enter") find(text, event.shiftKey);
    else if (event.key === "Escape") close();
  };
  return (
    <div class="find" role="search">
      <input ref={node} type="search" aria-label={t.search} value={text} onInput={(event) => { setText(event.currentTarget.value); find(event.currentTarget.value, true); }} onKeyDown={key} />
      <Button small onClick={() => find(text, true)}>{t.previous}</Button>
      <Button small onClick={() => find(text, false)}>{t.next}</Button>
    </div>
  );
}
