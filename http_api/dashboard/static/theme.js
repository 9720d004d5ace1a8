// Light, dark, or what the system says.

const KEY = "gateway.theme";
const THEMES = ["auto", "light", "dark"];

export const theme = () => (THEMES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto");

export function applyTheme(wanted = theme()) {
  localStorage.setItem(KEY, wanted);
  document.documentElement.dataset.theme = wanted;
}

export const nextTheme = () => THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
