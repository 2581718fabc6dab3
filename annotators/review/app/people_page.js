/** Who works here and what they may do: for administrators. */

import { call, episodePath, get } from "./api.js";
import { html, useFetched } from "./html.js";
import { Avatar, Badge, Empty, Trouble, ago } from "./marks.js";

const MAY = { annotator: "Works on what the queue gives", reviewer: "Also sees everybody's throughput, and settles other people's conflicts", adjudicator: "Also sees all raters side by side", admin: "Also lifts quarantines, and sees people and the audit" };

/** @param {{session: any}} props */
export function PeoplePage({ session }) {
  const { value, error, again } = useFetched(() => get("/api/people"), []);
  const people = value?.people ?? [];
  return html`<main class="page people-page"><header class="page-head"><div><h1>People</h1><p class="dim">${session.mode === "single" ? "One person works here; with accounts there can be more" : "Accounts are made and changed at the command line"}</p></div></header>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${value && !people.length && html`<${Empty} title="No accounts">Add people with <code>joinery review users add RECIPE NAME --role annotator</code>.<//>`}
    ${people.length > 0 && html`<section class="panel"><table class="wide"><thead><tr><th>Name</th><th>Role</th><th>May</th><th>Since</th></tr></thead><tbody>${people.map((/** @type {any} */ one) => html`<tr><th scope="row"><${Avatar} name=${one.name ?? one.actor} own=${(one.name ?? one.actor) === session.actor} /> ${one.name ?? one.actor}</th><td><${Badge}>${one.role}<//></td><td class="dim">${/** @type {any} */ (MAY)[one.role] ?? ""}</td><td class="dim">${one.made_ns ? ago(one.made_ns) : "–"}</td></tr>`)}</tbody></table></section>`}
    <section class="panel"><h2>Quarantine</h2>${value && !(value.quarantine ?? []).length ? html`<p class="dim">No episode is in quarantine.</p>` : html`<table class="wide"><tbody>${(value?.quarantine ?? []).map((/** @type {any} */ one) => html`<tr><th scope="row">${one.episode_id}</th><td>${one.reason}</td><td class="dim">${one.actor} · ${one.at_ns ? ago(one.at_ns) : ""}</td><td><button onClick=${() => call("DELETE", `${episodePath(one.episode_id)}/quarantine`).then(again)}>Bring back</button></td></tr>`)}</tbody></table>`}</section>
    <section class="panel"><h2>Roles</h2><dl class="roles">${Object.entries(MAY).map(([role, may]) => html`<div><dt>${role}</dt><dd>${may}</dd></div>`)}</dl></section></main>`;
}
