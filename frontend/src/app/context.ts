/** What every view may know: the caller and what they may do. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Approval, AuthStatus, Health } from "../api/types";
import type { Loaded } from "../lib/loading";

export type Scope = AuthStatus["scopes"][number];

export interface Known {
  who: AuthStatus;
  may: (scope: Scope) => boolean;
  health: Loaded<Health>;
  approvals: Loaded<Approval[]>;
}

export const KnownContext = createContext<Known | null>(null);

export function useKnown(): Known {
  const known = useContext(KnownContext);
  if (!known) throw new Error("A view is shown outside of the shell.");
  return known;
}
