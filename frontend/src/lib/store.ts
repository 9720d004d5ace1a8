/** A value that components follow. */

import { useEffect, useState } from "preact/hooks";

export interface Signal<Value> {
  readonly value: Value;
  set(value: Value): void;
  watch(told: () => void): () => void;
}

export function signal<Value>(first: Value): Signal<Value> {
  let value = first;
  const watchers = new Set<() => void>();
  return {
    get value() {
      return value;
    },
    set(next) {
      value = next;
      watchers.forEach((told) => told());
    },
    watch(told) {
      watchers.add(told);
      return () => watchers.delete(told);
    },
  };
}

export function useSignal<Value>(source: Signal<Value>): Value {
  const [, again] = useState({});
  useEffect(() => source.watch(() => again({})), [source]);
  return source.value;
}
