/** Light, dark, or as the system says. */

import { signal } from "./store";

const KEY = "gateway.theme";
const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const kept = localStorage.getItem(KEY) as Theme;
export const theme = signal<Theme>(THEMES.includes(kept) ? kept : "auto");

export function applyTheme(wanted: Theme = theme.value): void {
  localStorage.setItem(KEY, wanted);
  document.documentElement.dataset.theme = wanted;
  theme.set(wanted);
}

export const nextTheme = (): Theme => THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
export const isDark = (): boolean => theme.value === "dark" || (theme.value === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
