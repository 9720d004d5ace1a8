/** Chat: conversations of this browser, one to four models on one prompt, and why each model answered. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { aborted, get, getAt, part, post } from "../api/client";
import type { RouteExplanation, StoredDecision } from "../api/types";
import { useKnown } from "../app/context";
import type { ViewProps } from "../app/views";
import { Markdown } from "../chat/markdown";
import { all, type Conversation, keep, matches, remove, type Reply, type Turn } from "../chat/store";
import { empty, stream } from "../chat/stream";
import { count, money } from "../lib/format";
import { useLoad } from "../lib/loading";
import { go, href } from "../lib/router";
import { DecisionBox, PlanBox } from "../ui/decision";
import { confirmed, dialog } from "../ui/dialog";
import { Badge, Button, Code, notify, Quiet } from "../ui/kit";
import { m } from "../messages";

const MOST_MODELS = 4;
const COSTLY = 0.1;
const NEAR = 60;

interface Options {
  system: string;
  temperature: string;
  maxTokens: string;
  quality: string;
  maxLayer: string;
}

export function Chat({ rest, query }: ViewProps) {
  const id = rest[0] ?? "";
  const listed = useLoad(all, []);
  const found = listed.data?.find((one) => one.id === id);
  const own = useRef({ id: "", number: 0 }); // a new conversation gets its address after the first answer, and stays as it is
  if (!id && own.current.id) own.current = { id: "", number: own.current.number + 1 };
  const key = !id || id === own.current.id ? `new ${own.current.number}` : id;
  if (!listed.data) return <Quiet>{m.loading}</Quiet>;
  return <Open key={key} made={(made) => { own.current.id = made; }} first={found ?? { id: id || crypto.randomUUID(), title: "", changed: 0, turns: [] }} model={query.get("model") ?? "auto"} listed={listed.data} reload={listed.reload} />;
}

function Open({ first: given, made, model, listed, reload }: { first: Conversation; made: (id: string) => void; model: string; listed: Conversation[]; reload: () => Promise<void> }) {
  const [first] = useState(given);
  const [turns, setTurns] = useState(first.turns);
  const [models, setModels] = useState([model]);
  const [text, setText] = useState("");
  const [images, setImages] = useState<string[]>([]);
  const [options, setOptions] = useState<Options>({ system: "", temperature: "", maxTokens: "", quality: "normal", maxLayer: "" });
  const [costly, setCostly] = useState("");
  const running = useRef<AbortController | null>(null);
  const [busy, setBusy] = useState(false);
  const here = useRef(true);
  useEffect(() => () => { here.current = false; running.current?.abort(); }, []);

  const bodyFor = (asked: string, before: Turn[], turn: Turn, at: number) => ({
    model: asked.trim() || "auto",
    messages: [
      ...(options.system.trim() ? [{ role: "system", content: options.system }] : []),
      ...before.flatMap((one) => [said(one), ...(one.replies[at] ?? one.replies[0] ? [{ role: "assistant", content: (one.replies[at] ?? one.replies[0])?.text ?? "" }] : [])]),
      said(turn),
    ],
    ...(options.temperature ? { temperature: Number(options.temperature) } : {}), ...(options.maxTokens ? { max_tokens: Number(options.maxTokens) } : {}),
    gateway: { quality: options.quality, ...(options.maxLayer ? { maxLayer: options.maxLayer } : {}) },
  });

  const ask = async (before: Turn[], question: string, pictures: string[]) => {
    const turn: Turn = { question, images: pictures, replies: models.map((asked) => ({ ...empty(), asked, error: "" })) };
    const replies = turn.replies;
    const show = () => { if (here.current) setTurns([...before, { ...turn, replies: [...replies] }]); };
    running.current = new AbortController();
    const signal = running.current.signal;
    setBusy(true);
    show();
    await Promise.all(models.map(async (asked, at) => {
      const put = (change: Partial<Reply>) => { replies[at] = { ...(replies[at] ?? { ...empty(), asked, error: "" }), ...change }; show(); };
      try {
        await stream(bodyFor(asked, before, { ...turn, replies: [] }, at), signal, put);
      } catch (error) {
        put({ error: aborted(error) ? m.chat.stopped : (error as Error).message });
      }
    }));
    running.current = null;
    if (here.current) setBusy(false);
    const conversation = { id: first.id, title: first.title || titleOf(before[0]?.question ?? question), changed: Date.now(), turns: [...before, { ...turn, replies }] };
    await keep(conversation);
    if (!here.current) return;
    await reload();
    if (location.pathname.endsWith(first.id)) return;
    made(first.id);
    go(href("chat", first.id), { replace: true });
  };

  const send = async () => {
    const question = text.trim();
    if (!question || busy) return;
    const turn: Turn = { question, images, replies: [] };
    if (!costly) {
      const plan = await post<RouteExplanation>("/v1/route/explain", bodyFor(models[0] ?? "auto", turns, turn, 0)).catch(() => null);
      const most = plan?.attempts[0]?.expectedCostUsd ?? 0;
      if (most * models.length >= COSTLY) {
        setCostly(money(most * models.length));
        return;
      }
    }
    setCostly("");
    setText("");
    setImages([]);
    await ask(turns, question, images);
  };
  const again = () => { const last = turns.at(-1); if (last) void ask(turns.slice(0, -1), last.question, last.images); };
  const branch = async (at: number, edit: boolean) => {
    const copy = { id: crypto.randomUUID(), title: first.title || titleOf(turns[0]?.question ?? ""), changed: Date.now(), turns: turns.slice(0, edit ? at : at + 1) };
    if (edit) sessionStorage.setItem("gateway.draft", turns[at]?.question ?? "");
    await keep(copy);
    await reload();
    go(href("chat", copy.id));
  };
  useEffect(() => {
    const draft = sessionStorage.getItem("gateway.draft");
    if (draft) setText(draft);
    sessionStorage.removeItem("gateway.draft");
  }, []);
  const explain = async () => {
    const plan = await post<RouteExplanation>("/v1/route/explain", bodyFor(models[0] ?? "auto", turns, { question: text.trim() || "Hello.", images, replies: [] }, 0));
    void dialog(m.decisions.explain, () => <PlanBox plan={plan} />, { wide: true });
  };
  return (
    <div class="chat">
      <Conversations listed={listed} current={first.id} reload={reload} />
      <section class="chat-main" aria-label={m.chat.conversation}>
        <h1 class="sr-only">{m.views.chat}</h1>
        <Log turns={turns} busy={busy} again={again} branch={branch} />
        <div class="chat-entry">
          {costly && <p class="notice bad" role="status">{m.chat.costly(costly)}</p>}
          {images.length > 0 && <div class="thumbs">{images.map((image, at) => <span><img src={image} alt={m.chat.image(at + 1)} /><Button small kind="plain" name={m.chat.removeImage(at + 1)} onClick={() => setImages(images.filter((_, other) => other !== at))}>×</Button></span>)}</div>}
          <textarea rows={3} aria-label={m.chat.message} placeholder={m.chat.placeholder} value={text} onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); void send(); } }} />
          <div class="actions">
            {busy ? <Button kind="danger" onClick={() => running.current?.abort()}>{m.chat.stop}</Button> : <Button kind="primary" onClick={send}>{m.chat.send}</Button>}
            <Button onClick={explain}>{m.chat.explain}</Button>
            <label class="inline">{m.chat.attach}<input type="file" accept="image/*" multiple onChange={async (event) => setImages([...images, ...(await Promise.all([...(event.currentTarget.files ?? [])].map(dataUrl)))])} /></label>
          </div>
        </div>
      </section>
      <Settings models={models} setModels={setModels} options={options} setOptions={setOptions} />
    </div>
  );
}

const titleOf = (question: string): string => question.replace(/\s+/g, " ").slice(0, 60);
const said = ({ question, images }: Turn) => ({ role: "user", content: images.length ? [{ type: "text", text: question }, ...images.map((url) => ({ type: "image_url", image_url: { url } }))] : question });

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error(file.name));
    reader.readAsDataURL(file);
  });
}

function Conversations({ listed, current, reload }: { listed: Conversation[]; current: string; reload: () => Promise<void> }) {
  const [words, setWords] = useState("");
  const shown = words.trim() ? listed.filter((one) => matches(one, words.trim())) : listed;
  const drop = async () => {
    if (!(await confirmed(m.chat.removeQuestion, m.chat.removeText, m.delete))) return;
    await remove(current);
    await reload();
    go(href("chat"));
  };
  return (
    <aside class="chat-list" aria-label={m.chat.conversations}>
      <Button kind="primary" onClick={() => go(href("chat"))}>{m.chat.fresh}</Button>
      <input type="search" aria-label={m.chat.search} placeholder={m.chat.search} value={words} onInput={(event) => setWords(event.currentTarget.value)} />
      {shown.map((one) => <a key={one.id} href={href("chat", one.id)} aria-current={one.id === current ? "page" : undefined}>{one.title || m.chat.untitled}</a>)}
      {!shown.length && <Quiet>{listed.length ? m.chat.noMatch : m.chat.none}</Quiet>}
      {listed.some((one) => one.id === current) && <Button small kind="danger" onClick={drop}>{m.chat.remove}</Button>}
    </aside>
  );
}

interface LogProps {
  turns: Turn[];
  busy: boolean;
  again: () => void;
  branch: (at: number, edit: boolean) => Promise<void>;
}

/** The messages. It follows the end only while the reader is there. */
function Log({ turns, busy, again, branch }: LogProps) {
  const node = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useLayoutEffect(() => { if (follows.current && node.current) node.current.scrollTop = node.current.scrollHeight; }, [turns]);
  return (
    <div class="log" ref={node} tabIndex={0} role="log" aria-label={m.chat.conversation} aria-busy={busy || undefined} onScroll={(event) => { const log = event.currentTarget; follows.current = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR; }}>
      {!turns.length && <Quiet>{m.chat.welcome}</Quiet>}
      {turns.map((turn, at) => (
        <>
          <article class="message user" aria-label={m.chat.you}>
            <Markdown text={turn.question} />
            {turn.images.map((image, number) => <img src={image} alt={m.chat.image(number + 1)} />)}
            {!busy && <footer><Button small kind="plain" onClick={() => branch(at, true)}>{m.chat.edit}</Button><Button small kind="plain" onClick={() => branch(at, false)}>{m.chat.branch}</Button></footer>}
          </article>
          <div class={`answers ${turn.replies.length === 1 ? "one" : ""}`}>{turn.replies.map((reply) => <Answered reply={reply} several={turn.replies.length > 1} />)}</div>
        </>
      ))}
      {!busy && turns.length > 0 && <div class="actions"><Button small onClick={again}>{m.chat.regenerate}</Button></div>}
    </div>
  );
}

function Answered({ reply, several }: { reply: Reply; several: boolean }) {
  const why = async () => {
    const found = await getAt<StoredDecision>(`/v1/decisions/${part(reply.requestId)}`);
    void dialog(m.decisions.how, () => <DecisionBox found={found} />, { wide: true });
  };
  const score = (value: number) => async () => {
    await post("/v1/feedback", { requestId: reply.requestId, score: value });
    notify(m.chat.thanks);
  };
  return (
    <article class="message" aria-label={m.chat.answer}>
      {several && <p><Code>{reply.asked}</Code></p>}
      {reply.reasoning && <details><summary>{m.chat.reasoning}</summary><pre tabIndex={0}>{reply.reasoning}</pre></details>}
      <Markdown text={reply.text} />
      {reply.tools.map((tool) => <details class="tool" open><summary>{m.chat.tool(tool.name)}</summary><pre tabIndex={0}>{tool.arguments}</pre></details>)}
      {reply.error && <p class="error" role="alert">{reply.error}</p>}
      <footer>
        {reply.model && <Code>{reply.model}</Code>}{reply.layer && <Badge>{reply.layer}</Badge>}
        {reply.cost !== undefined && <span>{reply.cost === null ? m.chat.unpriced : money(reply.cost)}</span>}
        {reply.completionTokens > 0 && <span>{m.chat.tokens(count(reply.promptTokens), count(reply.completionTokens))}</span>}
        {reply.seconds > 0 && <span>{m.chat.seconds(reply.seconds.toFixed(1), reply.firstSeconds.toFixed(1))}</span>}
        {reply.requestId && reply.seconds > 0 && <><Button small kind="plain" onClick={why}>{m.chat.why}</Button><Button small kind="plain" name={m.chat.good} onClick={score(1)}>👍</Button><Button small kind="plain" name={m.chat.bad} onClick={score(0)}>👎</Button></>}
      </footer>
    </article>
  );
}

interface SettingsProps {
  models: string[];
  setModels: (models: string[]) => void;
  options: Options;
  setOptions: (options: Options) => void;
}

function Settings({ models, setModels, options, setOptions }: SettingsProps) {
  const { may } = useKnown();
  const known = useLoad(async () => (may("models:read") ? (await get("/v1/models", { enabled: true })).data.map((model) => model.id) : []), []);
  const set = (name: keyof Options) => (event: { currentTarget: { value: string } }) => setOptions({ ...options, [name]: event.currentTarget.value });
  return (
    <section class="card chat-options" aria-label={m.chat.options}>
      <datalist id="chat-models">{["auto", "L0", "L1", "L2", "L3", ...(known.data ?? []).slice(0, 500)].map((name) => <option value={name} />)}</datalist>
      {models.map((model, at) => (
        <div class="field"><label for={`model-${at}`}>{models.length > 1 ? m.chat.modelNumber(at + 1) : m.chat.model}</label>
          <div class="inline"><input id={`model-${at}`} list="chat-models" value={model} spellcheck={false} onInput={(event) => setModels(models.map((other, index) => (index === at ? event.currentTarget.value : other)))} />
            {models.length > 1 && <Button small kind="plain" name={m.chat.removeModel(at + 1)} onClick={() => setModels(models.filter((_, index) => index !== at))}>×</Button>}</div></div>
      ))}
      {models.length < MOST_MODELS && <Button small onClick={() => setModels([...models, "auto"])}>{m.chat.compare}</Button>}
      <label class="field"><span class="label">{m.chat.system}</span><textarea rows={3} value={options.system} onInput={set("system")} /></label>
      <label class="field"><span class="label">{m.chat.temperature}</span><input type="number" min={0} max={2} step={0.1} placeholder={m.chat.default} value={options.temperature} onInput={set("temperature")} /></label>
      <label class="field"><span class="label">{m.chat.maxTokens}</span><input type="number" min={1} step={1} placeholder={m.chat.default} value={options.maxTokens} onInput={set("maxTokens")} /></label>
      <label class="field"><span class="label">{m.chat.quality}</span><select value={options.quality} onChange={set("quality")}>{["normal", "high", "critical"].map((name) => <option value={name}>{name}</option>)}</select></label>
      <label class="field"><span class="label">{m.chat.maxLayer}</span><select value={options.maxLayer} onChange={set("maxLayer")}>{["", "L0", "L1", "L2", "L3"].map((name) => <option value={name}>{name || m.chat.default}</option>)}</select></label>
    </section>
  );
}
