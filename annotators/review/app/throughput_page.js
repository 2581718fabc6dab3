/** How fast the work goes: by person and day, without ranking anybody by speed alone. */

import { get } from "./api.js";
import { Sparkline } from "./charts.js";
import { html, useFetched } from "./html.js";
import { Avatar, Empty, Trouble } from "./marks.js";

/** @param {{session: any}} props */
export function ThroughputPage({ session }) {
  const { value, error, again } = useFetched(() => get("/api/throughput"), []);
  const people = value?.people ?? [];
  return html`<main class="page throughput"><header class="page-head"><div><h1>Throughput</h1><p class="dim">Items decided, how long one takes, and how much is changed on the way</p></div></header>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${value && !people.length && html`<${Empty} title="Nobody has decided anything yet">As soon as somebody has, this page shows items per hour, seconds per item and edits per item.<//>`}
    ${people.length > 0 && html`<section class="panel"><table class="wide"><thead><tr><th>Person</th><th>Items</th><th>Items per hour</th><th>Median seconds per item</th><th>Edits per item</th><th>By day</th></tr></thead><tbody>${people.map((/** @type {any} */ one) => html`<tr>
      <th scope="row"><${Avatar} name=${one.actor} own=${one.actor === session.actor} /> ${one.actor}</th><td class="num">${one.items}</td><td class="num">${shown(one.items_per_hour)}</td><td class="num">${shown(one.median_s)}</td><td class="num">${shown(one.edits_per_item, 2)}</td>
      <td><${Sparkline} values=${(one.days ?? []).map((/** @type {any} */ day) => day.items)} label=${`Items by day: ${(one.days ?? []).map((/** @type {any} */ day) => `${day.day} ${day.items}`).join(", ")}`} /></td></tr>`)}</tbody></table></section>`}</main>`;
}

/** @param {number|null|undefined} value @param {number} [digits] */
const shown = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));
