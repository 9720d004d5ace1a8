/** Ctrl+K: go to a view by its name. */

import { useEffect, useRef, useState } from "preact/hooks";
import { go, href } from "../lib/router";
import { m } from "../messages";
import type { View } from "./views";

export function Palette({ views }: { views: View[] }) {
  const [open, setOpen] = useState(false);
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const node = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k" || (event.target as Element).closest(".xterm")) return;
      event.preventDefault();
      setWords("");
      setAt(0);
      setOpen(true);
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  useEffect(() => { if (open) node.current?.showModal(); }, [open]);
  if (!open) return null;
  const found = views.filter((view) => view.title.toLowerCase().includes(words.trim().toLowerCase()));
  const choose = (view: View | undefined) => {
    setOpen(false);
    if (view) go(href(view.id));
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setAt((at + step + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter") choose(found[at]);
  };
  return (
    <dialog ref={node} class="palette" aria-label={m.goTo} onClose={() => setOpen(false)}>
      <input type="search" aria-label={m.goTo} placeholder={m.goTo} value={words} onInput={(event) => { setWords(event.currentTarget.value); setAt(0); }} onKeyDown={key} />
      <ul class="plain">{found.map((view, index) => <li><button type="button" class={index === at ? "chosen" : ""} onClick={() => choose(view)}>{view.title}</button></li>)}</ul>
    </dialog>
  );
}
