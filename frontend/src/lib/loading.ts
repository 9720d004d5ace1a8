/** Data that a component loads, keeps while the gateway cannot be asked, and loads again. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, aborted, closedFor } from "../api/client";
import { poll } from "../api/polling";

export interface Loaded<Data> {
  data: Data | undefined;
  error: unknown;
  loading: boolean;
  reload: () => Promise<void>;
}

interface Options {
  /** Milliseconds between requests; without it the data are loaded once. */
  every?: number;
  free?: boolean;
  /** Milliseconds between requests while nobody sees the page. */
  hidden?: number;
}

/** Load when the component appears and when `inputs` change. Answers that are overtaken are dropped. */
export function useLoad<Data>(load: () => Promise<Data>, inputs: readonly unknown[], { every = 0, free = false, hidden = 0 }: Options = {}): Loaded<Data> {
  const [state, setState] = useState<{ data: Data | undefined; error: unknown; loading: boolean }>({ data: undefined, error: null, loading: true });
  const turn = useRef(0);
  const retry = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++turn.current;
    window.clearTimeout(retry.current);
    setState((before) => ({ ...before, loading: true }));
    try {
      const data = await load();
      if (mine === turn.current) setState({ data, error: null, loading: false });
    } catch (error) {
      if (mine !== turn.current || aborted(error)) return;
      const passing = error instanceof ApiError && (error.limited || error.status === 0);
      setState((before) => ({ data: passing ? before.data : undefined, error, loading: false }));
      if (error instanceof ApiError && error.limited && !every) retry.current = window.setTimeout(reload, closedFor() + 500 * (1 + Math.random()));
    }
  }, inputs);
  useEffect(() => {
    const ended = every ? poll(reload, every, { free, hidden }) : (void reload(), () => undefined);
    return () => {
      turn.current += 1;
      window.clearTimeout(retry.current);
      ended();
    };
  }, [reload, every]);
  return { ...state, reload };
}
