/** Notifications of the desktop for commands that wait for approval, where the person allowed them. */

import type { Approval } from "../api/types";
import { go, href } from "../lib/router";
import { m } from "../messages";

const KEY = "gateway.notify";
const told = new Set<string>();

export const desktopWanted = (): boolean => localStorage.getItem(KEY) === "on" && "Notification" in window && Notification.permission === "granted";

/** Ask the browser for permission, or turn notifications off. Returns whether they are on. */
export async function turnDesktop(on: boolean): Promise<boolean> {
  const granted = on && "Notification" in window && (await Notification.requestPermission()) === "granted";
  localStorage.setItem(KEY, granted ? "on" : "off");
  return granted;
}

export function notifyDesktop(waiting: Approval[]): void {
  const fresh = waiting.filter((one) => !told.has(one.id));
  fresh.forEach((one) => told.add(one.id));
  if (!desktopWanted() || !document.hidden) return;
  for (const one of fresh) {
    const shown = new Notification(m.approvals.asks(one.callerName), { body: one.command, tag: one.id });
    shown.onclick = () => {
      window.focus();
      go(href("approvals"));
    };
  }
}
