/** The frame around all views: navigation, the caller, the gateway's health, waiting approvals. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, get, post, signIn } from "../api/client";
import type { Approval, AuthStatus, Health } from "../api/types";
import { useLoad, type Loaded } from "../lib/loading";
import { followLinks, href, usePlace } from "../lib/router";
import { useSignal } from "../lib/store";
import { applyTheme, nextTheme, theme } from "../lib/theme";
import { closeDialogs } from "../ui/dialog";
import { Badge, Button, ErrorBox, Quiet } from "../ui/kit";
import { m } from "../messages";
import { KnownContext, type Known, type Scope } from "./context";
import { LimitNotice } from "./limit";
import { Palette } from "./palette";
import { desktopWanted, notifyDesktop } from "./desktop";
import { VIEWS, type View } from "./views";

const HEALTH_EVERY = 15_000;
const APPROVALS_EVERY = 15_000;
const UNSEEN_EVERY = 60_000;

export function Shell({ who, restart }: { who: AuthStatus; restart: () => Promise<void> }) {
  const place = usePlace();
  const main = useRef<HTMLElement>(null);
  const may = (scope: Scope) => who.scopes.includes(scope);
  const health = useLoad<Health>(() => get("/health"), [], { every: HEALTH_EVERY, free: true });
  const approvals = useLoad<Approval[]>(async () => (may("admin") ? (await get("/v1/approvals")).approvals : []), [], { every: APPROVALS_EVERY, hidden: desktopWanted() ? APPROVALS_EVERY : UNSEEN_EVERY });
  const known = useMemo<Known>(() => ({ who, may, health, approvals }), [who, health, approvals]);
  const allowed = VIEWS.filter((view) => may(view.scope));
  const view = place.view ? VIEWS.find((one) => one.id === place.view) : allowed[0];
  const waiting = (approvals.data ?? []).filter((one) => one.status === "pending");
  const title = view?.title ?? m.nothingHere;
  useEffect(() => {
    document.title = `${waiting.length ? `(${waiting.length}) ` : ""}${title} · ${m.name}`;
  }, [title, waiting.length]);
  useEffect(() => closeDialogs, [place.view]);
  useEffect(() => { notifyDesktop(waiting); }, [waiting.map((one) => one.id).join()]);
  return (
    <KnownContext.Provider value={known}>
      <div class={`frame ${view?.bare ? "bare" : ""}`} onClick={followLinks}>
        <a href="#view" class="skip" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>{m.skip}</a>
        <header class="side">
          <div class="brand"><strong>{m.name}</strong><State health={health} /></div>
          <nav aria-label={m.navigation}>
            {allowed.map((one) => (
              <a key={one.id} href={href(one.id)} aria-current={one === view ? "page" : undefined}>
                {one.title}{one.id === "approvals" && waiting.length > 0 && <span class="count" aria-label={m.waiting(waiting.length)}>{waiting.length}</span>}
              </a>
            ))}
          </nav>
          <Person who={who} restart={restart} />
        </header>
        <div class="page">
          <LimitNotice more={m.limit.before} />
          {health.error ? <ErrorBox error={health.error} /> : null}
          <main id="view" ref={main} tabIndex={-1} class={view?.bare ? "wide" : ""}>{shown(view, place, may, who)}</main>
        </div>
        <Palette views={allowed} />
      </div>
    </KnownContext.Provider>
  );
}

function State({ health }: { health: Loaded<Health> }) {
  const state = health.error ? (health.error instanceof ApiError && health.error.status === 503 ? "error" : "away") : (health.data?.status ?? "…");
  return <a href={href("overview")} class="state" aria-live="polite" data-state={state === "away" ? "error" : state}>{state}</a>;
}

function Person({ who, restart }: { who: AuthStatus; restart: () => Promise<void> }) {
  const [shown] = [useSignal(theme)];
  const role = who.user ? who.user.role : who.kind === "key" ? m.apiKey : m.thisMachine;
  const logOut = async () => {
    try {
      if (who.kind === "user") await post("/v1/auth/logout");
    } finally {
      signIn(null);
      await restart();
    }
  };
  return (
    <div class="who">
      <p><span class="name">{who.name}</span> <Badge>{role}</Badge></p>
      <Button small onClick={() => applyTheme(nextTheme())}>{m.theme(shown)}</Button>
      {who.authenticated && <Button small onClick={logOut}>{m.logOut}</Button>}
    </div>
  );
}

function shown(view: View | undefined, place: ReturnType<typeof usePlace>, may: (scope: Scope) => boolean, who: AuthStatus) {
  if (view && may(view.scope)) return <Caught key={view.id} view={view} place={place} />;
  if (view) return <><h1>{view.title}</h1><Quiet>{m.lacking(view.scope)}</Quiet></>;
  if (!place.view) return <Quiet>{m.noViews(who.name, who.scopes.join(", ") || m.none)}</Quiet>;
  return <><h1>{m.nothingHere}</h1><p role="alert">{m.noView} <a href={href("overview")}>{m.views.overview}</a>.</p></>;
}

function Caught({ view, place }: { view: View; place: ReturnType<typeof usePlace> }) {
  const [key] = useState(0);
  return <view.Body key={key} rest={place.rest} query={place.query} />;
}
