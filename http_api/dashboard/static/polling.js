// Asking again and again, while somebody looks and never faster than the rate limit allows.

import { pace } from "./api.js";

/** Run `ask` now and then every so many milliseconds, until the function that this returns is called. */
export function every(milliseconds, ask) {
  let timer = 0;
  let ended = false;
  const run = async () => {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        await ask();
      } catch (error) {
        console.warn("polling:", error.message);
      }
    }
    if (!ended) timer = setTimeout(run, milliseconds * pace());
  };
  const back = () => { if (!document.hidden) run(); };
  document.addEventListener("visibilitychange", back);
  run();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", back);
  };
}
