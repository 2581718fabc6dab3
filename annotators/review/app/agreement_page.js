/** How far people agree with each other, and the machine with people measured by that. */

import { get } from "./api.js";
import { Histogram, Share } from "./charts.js";
import { html, useFetched } from "./html.js";
import { Empty, Trouble } from "./marks.js";

/** @param {{}} _props */
export function AgreementPage(_props) {
  const { value, error, again } = useFetched(() => get("/api/agreement"), []);
  const rows = value?.tolerances ?? [];
  const offsets = value?.offsets ?? [];
  return html`<main class="page agreement"><header class="page-head"><div><h1>Agreement</h1><p class="dim">Boundaries of people against each other, and of the machine against people; from the random stratum only</p></div>
    <span class="spring" />${value && html`<dl class="figures"><div><dt>Episodes</dt><dd>${value.n_episodes ?? 0}</dd></div><div><dt>Raters</dt><dd>${(value.raters ?? []).length}</dd></div><div><dt>Human-normalised</dt><dd>${number(value.normalised)}</dd></div></dl>`}</header>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${value && !rows.length && !error && html`<${Empty} title="Not enough yet">Agreement needs episodes that several people have finished independently: the blind overlap of the audit stratum.<//>`}
    ${rows.length > 0 && html`<div class="grid-2"><section class="panel"><h2>Boundary F1 at tolerance</h2><table><thead><tr><th>Tolerance</th><th>People</th><th /><th>Machine</th><th /><th title="The machine's F1 over that of people among themselves">Normalised</th></tr></thead>
      <tbody>${rows.map((/** @type {any} */ row) => html`<tr><th scope="row">${row.tolerance}</th><td class="num">${number(row.human)}</td><td class="bar"><${Share} value=${row.human ?? 0} low=${row.low} high=${row.high} label="People" /></td><td class="num">${number(row.machine)}</td><td class="bar machine"><${Share} value=${row.machine ?? 0} label="Machine" /></td><td class="num"><b>${number(row.normalised)}</b></td></tr>`)}</tbody></table>
      <p class="dim">One to one matching at each tolerance. The line is the 95 % interval over episodes. Normalised: machine over people, so 1 is as good as a person.</p></section>
      <section class="panel"><h2>Signed offset, machine to people</h2>${offsets.length ? html`<${Histogram} bins=${offsets} label="Signed offset of the machine's boundaries from people's, in pictures" unit="pictures" />` : html`<p class="dim">No matched boundaries yet.</p>`}
      <dl class="figures"><div><dt>Median</dt><dd>${signed(value.offset_median)}</dd></div><div><dt>Within ±1</dt><dd>${value.within_1 === undefined || value.within_1 === null ? "–" : `${Math.round(value.within_1 * 100)} %`}</dd></div></dl><p class="dim">Left of zero the machine cuts earlier than people do.</p></section></div>
      ${(value.pairs ?? []).length > 0 && html`<section class="panel"><h2>Pairs of people</h2><table><thead><tr><th>Pair</th><th>Episodes</th><th>F1</th><th /></tr></thead><tbody>${value.pairs.map((/** @type {any} */ pair) => html`<tr><th scope="row">${pair.a} · ${pair.b}</th><td class="num">${pair.n}</td><td class="num">${number(pair.f1)}</td><td class="bar"><${Share} value=${pair.f1} label="F1" /></td></tr>`)}</tbody></table></section>`}`}</main>`;
}

/** @param {number|null|undefined} value */
const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
/** @param {number|null|undefined} value */
const signed = (value) => (value === null || value === undefined ? "–" : `${value > 0 ? "+" : ""}${value.toFixed(1)}`);
