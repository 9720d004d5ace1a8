/** How terminals are called. */

import type { Session } from "../api/types";
import { m } from "../messages";

export const nameOf = (session: Session): string => session.title
  || (session.type === "local" ? m.terminals.types.local : `${session.username ? `${session.username}@` : ""}${session.host}${session.port ? `:${session.port}` : ""}`);

/** Which administrators are, or have been, at a session; empty where none was. */
export const watchersOf = ({ watchers = [] }: Session): string =>
  watchers.map((one) => `${one.name} ${one.watching ? m.terminals.watches : m.terminals.watched}${one.tookOver ? ` ${m.terminals.typed}` : ""}`).join(", ");
