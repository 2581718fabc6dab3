/** Dark and light: what the system prefers, until a person chooses. */

const KEY = "joinery.theme";

/** @typedef {"auto"|"light"|"dark"} Theme */

/** @returns {Theme} */
export const chosenTheme = () => /** @type {Theme} */ (localStorage.getItem(KEY) ?? "auto");

/** @param {Theme} theme */
export function chooseTheme(theme) {
  localStorage.setItem(KEY, theme);
  showTheme();
}

/** Put the theme in force on the page; canvases hear `themechange`. */
export function showTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = chosenTheme();
  document.documentElement.dataset.theme = theme === "auto" ? (dark ? "dark" : "light") : theme;
  window.dispatchEvent(new Event("themechange"));
}

export function followSystem() {
  showTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
}
