/** The frame of every page: where one can go, how saving stands, who one is, dark or light. */

import { html, useState } from "./html.js";
import { Avatar } from "./marks.js";
import { SaveState } from "./save_state.js";
import { chooseTheme, chosenTheme } from "./theme.js";

/** @param {{app: any, session: any, route: string, rev: number|null, onConflicts: () => void, onLogout: () => void}} props */
export function AppShell({ app, session, route, rev, onConflicts, onLogout }) {
  const pages = [["#/", "Queue"], ["#/search", "Search"], ["#/agreement", "Agreement"], ["#/throughput", "Throughput"], ["#/conflicts", "Conflicts"], ...(session.role === "admin" ? [["#/people", "People"]] : [])];
  return html`<header class="shell"><a class="brand" href="#/" aria-label="Joinery review, to the queue"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 4h18v5h-5v4h5v7H3v-7h5V9H3z" /></svg><span>Joinery</span></a>
    <nav aria-label="Pages">${pages.map(([href, said]) => html`<a href=${href} class=${isAt(route, href) ? "on" : ""} aria-current=${isAt(route, href) ? "page" : undefined}>${said}</a>`)}</nav><span class="spring" />
    <${SaveState} sender=${app.sender} rev=${rev} onConflicts=${onConflicts} />
    <button class="icon quiet" title="Keyboard (?)" aria-label="Keyboard" onClick=${app.help}>?</button><${ThemeSwitch} />
    <span class="me"><${Avatar} name=${session.actor} own /><span class="me-name">${session.actor}<i>${session.role}</i></span>${session.mode === "accounts" && html`<button class="quiet" onClick=${onLogout}>Log out</button>`}</span></header>`;
}

/** @param {string} route @param {string} href */
const isAt = (route, href) => (href === "#/" ? route === "queue" || route === "episode" : route === href.slice(2));

function ThemeSwitch() {
  const [theme, setTheme] = useState(chosenTheme());
  const order = /** @type {const} */ (["auto", "light", "dark"]);
  const next = order[(order.indexOf(theme) + 1) % order.length];
  const change = () => {
    chooseTheme(next);
    setTheme(next);
  };
  return html`<button class="icon quiet theme-switch" title=${`Theme: ${theme}. Click for ${next}.`} aria-label=${`Theme: ${theme}`} onClick=${change}><svg viewBox="0 0 16 16" aria-hidden="true">
    ${theme === "auto" ? html`<path d="M8 2a6 6 0 1 0 0 12z" /><circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" />` : theme === "dark" ? html`<path d="M10 2a6 6 0 1 0 4 8.5A5 5 0 0 1 10 2z" />` : html`<circle cx="8" cy="8" r="3" /><path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M3 13l1.4-1.4M11.6 4.4 13 3" fill="none" stroke="currentColor" stroke-width="1.5" />`}</svg></button>`;
}
