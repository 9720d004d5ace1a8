/** Conversations in this browser's IndexedDB. Without it they live as long as the page. */

import type { Answer } from "./stream";

export interface Reply extends Answer {
  asked: string;
  error: string;
}

export interface Turn {
  question: string;
  images: string[];
  replies: Reply[];
}

export interface Conversation {
  id: string;
  title: string;
  changed: number;
  turns: Turn[];
}

const STORE = "conversations";
const memory = new Map<string, Conversation>();
let opened: Promise<IDBDatabase | null> | null = null;

function database(): Promise<IDBDatabase | null> {
  opened ??= new Promise((resolve) => {
    const request = indexedDB.open("gateway.chat", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
  return opened;
}

async function run<Result>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<Result>): Promise<Result | null> {
  const base = await database();
  if (!base) return null;
  return new Promise((resolve, reject) => {
    const request = work(base.transaction(STORE, mode).objectStore(STORE));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed."));
  });
}

/** All conversations, the latest first. */
export async function all(): Promise<Conversation[]> {
  const found = (await run("readonly", (store) => store.getAll() as IDBRequest<Conversation[]>)) ?? [...memory.values()];
  return found.sort((one, other) => other.changed - one.changed);
}

export async function keep(conversation: Conversation): Promise<void> {
  memory.set(conversation.id, conversation);
  await run("readwrite", (store) => store.put(conversation));
}

export async function remove(id: string): Promise<void> {
  memory.delete(id);
  await run("readwrite", (store) => store.delete(id));
}

/** Whether all words are in the title or the text of a conversation. */
export function matches(conversation: Conversation, words: string): boolean {
  const text = [conversation.title, ...conversation.turns.flatMap((turn) => [turn.question, ...turn.replies.map((reply) => reply.text)])].join("\n").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
