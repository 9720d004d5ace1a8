/** Plays a recording: speed, position, and text search. asciinema's own player needs WebAssembly and markup from text, which the page's policy refuses. */

import { useEffect, useRef, useState } from "preact/hooks";
import { call, part } from "../api/client";
import { duration } from "../lib/format";
import { useLoad } from "../lib/loading";
import { Button, Card, Loading, Quiet } from "../ui/kit";
import { m } from "../messages";
import { castOf, timesOf, type Cast } from "./cast";
import { Screen } from "./screen";

const t = m.terminals.player;
const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const nothing = () => undefined;

export function Player({ id }: { id: string }) {
  const found = useLoad(async () => {
    const text = await (await call("GET", `/v1/terminal/${part(id)}/recording`, { accept: "*/*" })).text();
    try {
      return castOf(text);
    } catch (error) {
      throw new Error(t.bad, { cause: error });
    }
  }, [id]);
  return <Loading of={found}>{(cast) => <Playing cast={cast} name={id} />}</Loading>;
}

/** A screen that shows the recording at one time after the other. */
class Film {
  readonly screen = new Screen({ type: nothing, paste: nothing, resize: nothing, title: nothing, leave: nothing, search: nothing });
  #next = 0;
  #at = 0;

  constructor(private readonly cast: Cast) {}

  show(at: number): void {
    if (at < this.#at) {
      this.#next = 0;
      this.screen.term.reset();
    }
    if (this.#next === 0) this.screen.term.resize(this.cast.cols, this.cast.rows);
    let text = "";
    for (let event = this.cast.events[this.#next]; event && event.at <= at; event = this.cast.events[++this.#next]) {
      const [cols = 0, rows = 0] = event.kind === "r" ? event.data.split("x").map(Number) : [];
      if (event.kind === "o") text += event.data;
      else if (cols > 0 && rows > 0) this.screen.term.resize(cols, rows);
    }
    if (text) this.screen.term.write(text);
    this.#at = at;
  }
}

function Playing({ cast, name }: { cast: Cast; name: string }) {
  const place = useRef<HTMLDivElement>(null);
  const film = useRef<Film | null>(null);
  const [at, setAt] = useState(0);
  const [plays, setPlays] = useState(false);
  const [speed, setSpeed] = useState(1);
  const [text, setText] = useState("");
  const matches = timesOf(cast, text);
  useEffect(() => {
    const made = new Film(cast);
    made.screen.term.options.disableStdin = true;
    made.screen.open(place.current as HTMLDivElement, { fits: false });
    made.show(0);
    film.current = made;
    return () => made.screen.dispose();
  }, [cast]);
  useEffect(() => film.current?.show(at), [at]);
  useEffect(() => {
    if (!plays) return;
    let before = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      const passed = ((now - before) / 1000) * speed;
      before = now;
      setAt((was) => Math.min(cast.duration, was + passed));
    }, 50);
    return () => clearInterval(timer);
  }, [plays, speed, cast]);
  useEffect(() => { if (at >= cast.duration) setPlays(false); }, [at]);
  const play = () => {
    if (!plays && at >= cast.duration) setAt(0);
    setPlays(!plays);
  };
  const jump = () => setAt(matches.find((time) => time > at) ?? matches[0] ?? at);
  return (
    <Card title={name}>
      <div class="screen film" ref={place} />
      <div class="player">
        <Button kind="primary" onClick={play}>{plays ? t.pause : t.play}</Button>
        <input type="range" aria-label={t.position} min={0} max={cast.duration} step="any" value={at} onInput={(event) => setAt(Number(event.currentTarget.value))} />
        <span>{duration(at)} / {duration(cast.duration)}</span>
        <select aria-label={t.speed} value={speed} onChange={(event) => setSpeed(Number(event.currentTarget.value))}>{SPEEDS.map((one) => <option value={one} selected={one === speed}>{one}×</option>)}</select>
        <input type="search" aria-label={t.find} placeholder={t.find} value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={(event) => { if (event.key === "Enter") jump(); }} />
        {text && <Button small onClick={jump}>{m.terminals.next}</Button>}
        {text && <Quiet>{t.found(matches.length)}</Quiet>}
      </div>
    </Card>
  );
}
