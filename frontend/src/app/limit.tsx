/** A notice while the rate limit is reached, with the seconds that are left. */

import { useEffect, useState } from "preact/hooks";
import { closedFor, rateLimit } from "../api/client";
import { m } from "../messages";

/** `over` is called once when the limit lets requests through again. */
export function LimitNotice({ more = "", over }: { more?: string; over?: () => unknown }) {
  const [left, setLeft] = useState(closedFor());
  useEffect(() => {
    let timer = 0;
    const look = () => {
      window.clearTimeout(timer);
      const now = closedFor();
      setLeft(now);
      if (now) timer = window.setTimeout(look, Math.min(1000, now + 10));
    };
    addEventListener("ratelimit", look);
    look();
    const end = over ? window.setTimeout(over, closedFor() + 500 * (1 + Math.random())) : 0;
    return () => {
      window.clearTimeout(timer);
      window.clearTimeout(end);
      removeEventListener("ratelimit", look);
    };
  }, []);
  return (
    <div role="status">
      {left > 0 && <p class="notice bad limit">{m.limit.reached(rateLimit())} {more}<span aria-hidden="true">{m.limit.left(Math.ceil(left / 1000))}</span></p>}
    </div>
  );
}
