/** How fast the work goes: by person and day, without ranking anybody by speed alone. */

import { get } from "./api.js";
import { Sparkline } from "./charts.js";
import { html, useFetched } from "./html.js";
import { Avatar, Empty, Trouble } from "./marks.js";

/** @param {{session: any}} props */
export function ThroughputPage({ session }) {
  const { value, error, again } = useFetched(() => get("/api/throughput"), []);
  const people = byPerson(value?.rows ?? []);
  return html`<main class="page throughput"><header class="page-head"><div><h1>Throughput</h1><p class="dim">Items decided, how long one takes, and how much is changed on the way</p></div></header>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${value && !people.length && html`<${Empty} title="Nobody has decided anything yet">As soon as somebody has, this page shows items per hour, seconds per item and edits per item.<//>`}
    ${people.length > 0 && html`<section class="panel"><table class="wide"><thead><tr><th>Person</th><th>Items</th><th>Items per hour</th><th>Median seconds per item, last day</th><th>Edits per item</th><th>By day</th></tr></thead><tbody>${people.map((/** @type {any} */ one) => html`<tr>
      <th scope="row"><${Avatar} name=${one.actor} own=${one.actor === session.actor} /> ${one.actor}</th><td class="num">${one.items}</td><td class="num">${shown(one.items_per_hour)}</td><td class="num">${shown(one.median_item_s)}</td><td class="num">${shown(one.edits_per_item, 2)}</td>
      <td><${Sparkline} values=${(one.days ?? []).map((/** @type {any} */ day) => day.items)} label=${`Items by day: ${(one.days ?? []).map((/** @type {any} */ day) => `${day.day} ${day.items}`).join(", ")}`} /></td></tr>`)}</tbody></table></section>`}</main>`;
}

/** Days of one person put together; the median is of the last day on which anything was finished. @param {any[]} rows */
function byPerson(rows) {
  const names = [...new Set(rows.map((row) => row.actor))];
  return names.map((actor) => {
    const days = rows.filter((row) => row.actor === actor);
    const sum = (/** @type {string} */ name) => days.reduce((total, day) => total + (day[name] ?? 0), 0);
    const [items, hours, edits] = [sum("items"), sum("hours"), sum("edits")];
    return { actor, days, items, items_per_hour: hours ? items / hours : null, edits_per_item: items ? edits / items : null,
      median_item_s: days.filter((day) => day.median_item_s !== null).at(-1)?.median_item_s ?? null };
  });
}

/** @param {number|null|undefined} value @param {number} [digits] */
const shown = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));
