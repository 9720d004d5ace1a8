/** The screen of a terminal: xterm.js with its add-ons, the keys of the page, and the fonts and colours that the person chose. */

import { ClipboardAddon } from "@xterm/addon-clipboard";
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal, type ITheme } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { signal } from "../lib/store";
import { visible } from "../lib/visible";
import { m } from "../messages";
import { confirmed } from "../ui/dialog";
import { attempt, copy, notify } from "../ui/kit";
import { styleThroughCssom } from "./sheets";

styleThroughCssom();

const SCROLLBACK = 50_000;
const SIZE_KEY = "gateway.terminal.size";
const THEME_KEY = "gateway.terminal.theme";
const FOUND = { decorations: { matchBackground: "#6b5500", matchOverviewRuler: "#e0a021", activeMatchBackground: "#b57a00", activeMatchColorOverviewRuler: "#ffffff" } };

const THEMES: Record<string, ITheme> = {
  Dark: { background: "#11141b", foreground: "#e7eaf1", cursor: "#e7eaf1", selectionBackground: "#3d4f7d" },
  Light: {
    background: "#ffffff", foreground: "#1b1f2a", cursor: "#1b1f2a", selectionBackground: "#c5d3f5", black: "#1b1f2a", red: "#b42318", green: "#13703f", yellow: "#8a5300", blue: "#2450a8", magenta: "#8a2a8a",
    cyan: "#0b6a75", white: "#5b6475", brightBlack: "#5b6475", brightRed: "#c8321f", brightGreen: "#1a7f4b", brightYellow: "#8f5f00", brightBlue: "#2f5fd0", brightMagenta: "#9b3a9b", brightCyan: "#0f7684", brightWhite: "#11141b",
  },
  "High contrast": { background: "#000000", foreground: "#ffffff", cursor: "#ffff00", selectionBackground: "#0060c0" },
};
export const THEME_NAMES = Object.keys(THEMES);

export const fontSize = signal(Number(localStorage.getItem(SIZE_KEY)) || 14);
export const screenTheme = signal(localStorage.getItem(THEME_KEY) ?? "Dark");

export function setFontSize(size: number): void {
  const next = Math.min(32, Math.max(8, size));
  localStorage.setItem(SIZE_KEY, String(next));
  fontSize.set(next);
}

export function setScreenTheme(name: string): void {
  localStorage.setItem(THEME_KEY, name);
  screenTheme.set(name);
}

interface Handlers {
  type: (data: string) => void;
  paste: (data: string) => void;
  resize: (cols: number, rows: number) => void;
  title: (text: string) => void;
  leave: () => void;
  search: () => void;
}

export class Screen {
  readonly term: Terminal;
  readonly #fit = new FitAddon();
  readonly #search = new SearchAddon();
  readonly #ended: (() => void)[] = [];
  #place: HTMLElement | null = null;
  #fits = true;
  #gone = false;

  constructor(private readonly handlers: Handlers) {
    this.term = new Terminal({
      allowProposedApi: true, scrollback: SCROLLBACK, cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontSize: fontSize.value, theme: THEMES[screenTheme.value] ?? THEMES.Dark, minimumContrastRatio: 4.5,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"), screenReaderMode: false,
      linkHandler: { activate: (_event, address) => void follow(address), allowNonHttpProtocols: false },
    });
    this.term.loadAddon(this.#fit);
    this.term.loadAddon(this.#search);
    this.term.loadAddon(new Unicode11Addon());
    this.term.loadAddon(new WebLinksAddon((_event, address) => void follow(address)));
    this.term.loadAddon(new ClipboardAddon(undefined, { readText: () => "", writeText: (_selection, text) => this.#copied(text) }));
    this.term.unicode.activeVersion = "11";
    this.term.onData(handlers.type);
    this.term.onBinary(handlers.type);
    this.term.onResize(({ cols, rows }) => handlers.resize(cols, rows));
    this.term.onTitleChange(handlers.title);
    this.term.attachCustomKeyEventHandler((event) => this.#key(event));
    this.#refuseQueries();
  }

  /** Show it in `place`, as large as that is unless it has a size of its own. */
  open(place: HTMLElement, { fits = true } = {}): void {
    this.#place = place;
    this.#fits = fits;
    this.term.open(place);
    this.term.textarea?.setAttribute("aria-label", m.terminals.input);
    void this.#drawFast();
    const paste = (event: ClipboardEvent) => {
      event.preventDefault();
      event.stopPropagation();
      void this.paste(event.clipboardData?.getData("text/plain") ?? "");
    };
    place.addEventListener("paste", paste, { capture: true });
    const observer = new ResizeObserver(() => this.fit());
    observer.observe(place);
    const look = () => {
      this.term.options.fontSize = fontSize.value;
      this.term.options.theme = THEMES[screenTheme.value] ?? THEMES.Dark;
      place.style.setProperty("--screen", this.term.options.theme?.background ?? "");
      this.fit();
    };
    this.#ended.push(fontSize.watch(look), screenTheme.watch(look), () => observer.disconnect(), () => place.removeEventListener("paste", paste, { capture: true }));
    look();
  }

  fit(): void {
    if (this.#fits && this.#place?.offsetParent) this.#fit.fit();
  }

  async paste(text: string): Promise<void> {
    const lines = text.replace(/[\r\n]+$/, "").split(/\r\n|\r|\n/).length;
    if (lines > 1 && !(await confirmed(m.terminals.pasteQuestion(lines), m.terminals.pasteText, m.terminals.paste))) return;
    if (text) this.handlers.paste(text);
    this.term.focus();
  }

  find(text: string, back = false): void {
    if (!text) this.#search.clearDecorations();
    else if (back) this.#search.findPrevious(text, FOUND);
    else this.#search.findNext(text, FOUND);
  }

  dispose(): void {
    this.#gone = true;
    this.#ended.forEach((end) => end());
    this.term.dispose();
  }

  /** Draw with WebGL where the browser has it; without it, or when its context is lost, xterm.js draws with the DOM. */
  async #drawFast(): Promise<void> {
    try {
      const { WebglAddon } = await import("@xterm/addon-webgl");
      if (this.#gone) return;
      const fast = new WebglAddon();
      fast.onContextLoss(() => fast.dispose());
      this.term.loadAddon(fast);
    } catch {
      return;
    }
  }

  #key(event: KeyboardEvent): boolean {
    if (event.type !== "keydown") return true;
    const key = event.key.toLowerCase();
    const control = event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.shiftKey && event.key === "F6") return this.#mine(event, this.handlers.leave);
    if (control && event.shiftKey && key === "f") return this.#mine(event, this.handlers.search);
    if (control && key === "c" && (event.shiftKey || this.term.hasSelection())) {
      return this.#mine(event, () => {
        const text = this.term.getSelection();
        if (text) void attempt(() => copy(text));
        this.term.clearSelection();
      });
    }
    return !(control && key === "v"); // the browser pastes
  }

  #mine(event: KeyboardEvent, action: () => void): boolean {
    event.preventDefault();
    event.stopPropagation();
    action();
    return false;
  }

  /** A program may copy text while the person types into its terminal; it can never read the clipboard. */
  async #copied(text: string): Promise<void> {
    if (!this.#place?.contains(document.activeElement)) return;
    await navigator.clipboard.writeText(text).then(() => notify(m.terminals.programCopied), () => undefined);
  }

  /** Output cannot type: queries of programs get no answer. */
  #refuseQueries(): void {
    const refused = () => true;
    const { parser } = this.term;
    const queries = [
      { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" }, { prefix: ">", final: "q" }, { final: "n" }, { prefix: "?", final: "n" }, { final: "t" },
      { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" }, { prefix: "?", final: "u" },
    ];
    for (const id of queries) parser.registerCsiHandler(id, refused);
    parser.registerDcsHandler({ intermediates: "$", final: "q" }, refused);
    parser.registerDcsHandler({ intermediates: "+", final: "q" }, refused);
    for (const number of [4, 10, 11, 12, 52]) parser.registerOscHandler(number, (data) => /(?:^|;)\?/.test(data));
  }
}

/** Open a link of the terminal, after its whole address was shown. */
async function follow(address: string): Promise<void> {
  if (!/^https?:\/\//i.test(address)) return;
  if (await confirmed(m.terminals.linkQuestion, visible(address), m.terminals.openLink)) window.open(address, "_blank", "noopener,noreferrer");
}
