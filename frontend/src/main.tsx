/** Begins: finds out who the caller is, then shows the login or the dashboard. */

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/views.css";
import { ApiError, get } from "./api/client";
import type { AuthStatus } from "./api/types";
import { Shell } from "./app/shell";
import { LimitNotice } from "./app/limit";
import { Login } from "./app/login";
import { BASE } from "./lib/router";
import { applyTheme } from "./lib/theme";
import { showUnseen } from "./lib/visible";
import { closeDialogs, Dialogs } from "./ui/dialog";
import { ErrorBox, Notices } from "./ui/kit";
import { m } from "./messages";

type State = { who: AuthStatus } | { error: ApiError } | null;

function App() {
  const [state, setState] = useState<State>(null);
  const start = async () => {
    try {
      setState({ who: await get("/v1/auth/status") });
    } catch (error) {
      if (error instanceof ApiError) setState({ error });
      else throw error;
    }
  };
  useEffect(() => {
    const out = (event: Event) => {
      closeDialogs();
      setState((before) => (before && "error" in before && before.error.status === 401 ? before : { error: (event as CustomEvent<ApiError>).detail }));
    };
    addEventListener("signedout", out);
    void start();
    return () => removeEventListener("signedout", out);
  }, []);
  return <>{shown(state, start)}<Dialogs /><Notices /></>;
}

function shown(state: State, start: () => Promise<void>) {
  if (!state) return null;
  if ("who" in state) return <Shell who={state.who} restart={start} />;
  if (state.error.status === 401) return <Login done={start} error={state.error} />;
  return <main class="alone"><h1>{m.name}</h1>{state.error.limited ? <LimitNotice over={start} /> : <ErrorBox error={state.error} retry={start} />}</main>;
}

// addresses of the dashboard before this one
if (location.hash.startsWith("#/")) history.replaceState(null, "", BASE + location.hash.slice(1));
applyTheme();
showUnseen();
const place = document.getElementById("app");
if (place) render(<App />, place);
