/** Markdown as components: markdown-it reads it, and no text ever becomes markup. */

import hljs from "highlight.js/lib/common";
import MarkdownIt from "markdown-it";
import { h, type ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Button, copy } from "../ui/kit";
import { m } from "../messages";
import { blocksOf } from "./blocks";

type Token = ReturnType<InstanceType<typeof MarkdownIt>["parse"]>[number];
const reader = new MarkdownIt({ html: false, linkify: true, breaks: true });
const SAFE_LINK = /^(?:https?:|mailto:)/i;
const SAFE_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;
const ELEMENTS = new Set(["p", "strong", "em", "s", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"]);
const LONGEST_HIGHLIGHTED = 60_000;

/** A text in Markdown. While it grows, only its last block is read again. */
export function Markdown({ text }: { text: string }) {
  return <div class="markdown">{blocksOf(text).map((block, at) => <Block key={at} text={block} />)}</div>;
}

function Block({ text }: { text: string }) {
  return useMemo(() => <>{shown(reader.parse(text, {}))}</>, [text]);
}

function shown(tokens: Token[]): ComponentChildren[] {
  const root: ComponentChildren[] = [];
  const open: { token: Token; children: ComponentChildren[] }[] = [];
  const add = (node: ComponentChildren) => (open.at(-1)?.children ?? root).push(node);
  for (const token of tokens) {
    if (token.nesting === 1) open.push({ token, children: [] });
    else if (token.nesting === -1) {
      const done = open.pop();
      if (done) add(element(done.token, done.children));
    } else add(leaf(token));
  }
  return root;
}

function element(token: Token, children: ComponentChildren[]): ComponentChildren {
  if (token.hidden) return children;
  if (token.tag === "a") {
    const address = String(token.attrGet("href") ?? "");
    return SAFE_LINK.test(address) ? <a href={address} target="_blank" rel="noreferrer noopener">{children}</a> : children;
  }
  if (token.tag === "ol") return <ol start={Number(token.attrGet("start") ?? 1)}>{children}</ol>;
  return ELEMENTS.has(token.tag) ? h(token.tag, null, children) : children;
}

function leaf(token: Token): ComponentChildren {
  switch (token.type) {
    case "inline": return shown(token.children ?? []);
    case "text": return token.content;
    case "softbreak":
    case "hardbreak": return <br />;
    case "code_inline": return <code>{token.content}</code>;
    case "fence":
    case "code_block": return <CodeBlock text={token.content.replace(/\n$/, "")} language={token.info.trim().split(/\s/)[0] ?? ""} />;
    case "hr": return <hr />;
    case "image": return image(token);
    default: return token.content;
  }
}

/** Only images inside of the text are shown: one of another host would tell it that the text was read. */
function image(token: Token): ComponentChildren {
  const address = String(token.attrGet("src") ?? "");
  if (SAFE_IMAGE.test(address)) return <img src={address} alt={token.content} />;
  return SAFE_LINK.test(address) ? <a href={address} target="_blank" rel="noreferrer noopener">{token.content || m.chat.remoteImage}</a> : token.content;
}

function CodeBlock({ text, language }: { text: string; language: string }) {
  const known = Boolean(hljs.getLanguage(language)) && text.length < LONGEST_HIGHLIGHTED;
  const content = useMemo(() => (known ? coloured(text, language) : text), [text, language, known]);
  return (
    <>
      <div class="code-head"><span>{language || m.chat.code}</span><Button small kind="plain" onClick={() => copy(text)}>{m.copy}</Button></div>
      <pre tabIndex={0} aria-label={language || m.chat.code}><code>{content}</code></pre>
    </>
  );
}

interface Scoped {
  scope?: string;
  children: (Scoped | string)[];
}

/** The tree that highlight.js makes before it would write markup. */
function coloured(text: string, language: string): ComponentChildren {
  const result = hljs.highlight(text, { language, ignoreIllegals: true }) as unknown as { _emitter: { rootNode: Scoped } };
  const nodes = ({ children }: Scoped): ComponentChildren[] => children.map((child) => (typeof child === "string" ? child : <span class={child.scope ? `hljs-${child.scope.split(".")[0]}` : undefined}>{nodes(child)}</span>));
  return nodes(result._emitter.rootNode);
}
