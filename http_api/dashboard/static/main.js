// Begins: finds out who is there, then shows the login or the dashboard.

import { get } from "./api.js";
import { el, replace } from "./dom.js";
import { afterLimit, limitNotice } from "./limits.js";
import { closeDialogs, errorBox } from "./parts.js";
import { shell } from "./shell.js";
import { applyTheme } from "./theme.js";
import { loginPage } from "./view-login.js";

const app = document.getElementById("app");
let leave = () => {};

async function start() {
  leave();
  leave = () => {};
  try {
    const who = await get("/v1/auth/status");
    const shown = shell(who, start);
    leave = shown.leave;
    replace(app, shown.node);
  } catch (error) {
    if (error.limited) waitOutside();
    else if (error.status !== 401) replace(app, el("main", { class: "alone" }, errorBox(error, start)));
  }
}

/** The rate limit lets not even the first question through: wait, and begin then. */
function waitOutside() {
  const limit = limitNotice();
  leave = limit.end;
  const page = el("main", { class: "alone" }, el("h1", {}, "AI MCP Gateway"), limit.node);
  replace(app, page);
  afterLimit(() => page.isConnected, start);
}

addEventListener("signedout", (event) => {
  leave();
  leave = () => {};
  closeDialogs();
  if (!app.querySelector(".login")) replace(app, loginPage(start, event.detail));
});

applyTheme();
start();
