/** Addresses of views: History API, query parameters as state. */

import { useEffect, useState } from "preact/hooks";

export const BASE = import.meta.env.BASE_URL.replace(/\/$/, "");

export interface Place {
  view: string;
  rest: string[];
  query: URLSearchParams;
}

export function placeOf(address: { pathname: string; search: string }, base = BASE): Place {
  const path = address.pathname.startsWith(base) ? address.pathname.slice(base.length) : "";
  const [view = "", ...rest] = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { view, rest, query: new URLSearchParams(address.search) };
}

/** The address of a view or of an object in it. */
export function href(view: string, ...rest: string[]): string {
  return [BASE, view, ...rest.map(encodeURIComponent)].join("/");
}

/** Go to an address of the dashboard. */
export function go(address: string, { replace = false } = {}): void {
  if (!`${address}/`.startsWith(`${BASE}/`)) {
    location.assign(address);
    return;
  }
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Keep state in the query of the present address; empty values are left out. */
export function setQuery(changes: Record<string, string>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), { replace: true });
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location));
  useEffect(() => {
    const changed = () => setPlace(placeOf(location));
    addEventListener("popstate", changed);
    return () => removeEventListener("popstate", changed);
  }, []);
  return place;
}

/** Follow links inside the dashboard without loading the page again. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest("a");
  if (!link || link.target || link.download || link.origin !== location.origin || !`${link.pathname}/`.startsWith(`${BASE}/`)) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
