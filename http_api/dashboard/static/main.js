// Begins: finds out who is there, then shows the login or the dashboard.

import { get } from "./api.js";
import { el, replace } from "./dom.js";
import { errorBox } from "./parts.js";
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
    if (error.status !== 401) replace(app, el("main", { class: "alone" }, errorBox(error, start)));
  }
}

addEventListener("signedout", (event) => {
  leave();
  leave = () => {};
  for (const open of document.querySelectorAll("dialog")) open.remove();
  if (!app.querySelector(".login")) replace(app, loginPage(start, event.detail));
});

applyTheme();
start();
