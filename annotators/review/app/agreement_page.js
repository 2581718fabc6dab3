/** How far people agree with each other, how often the machine is wrong, and the machine measured by what people manage. */

import { get } from "./api.js";
import { Histogram, Share } from "./charts.js";
import { LEVELS } from "./document.js";
import { html, useFetched, useState } from "./html.js";
import { Empty, Trouble } from "./marks.js";

const GROUPS = { all: "All", blind: "Blind", shown: "Unblinded" };
const WIDEST = 15;

/** @param {{}} _props */
export function AgreementPage(_props) {
  const { value, error, again } = useFetched(() => get("/api/agreement"), []);
  const [level, setLevel] = useState("action");
  const [group, setGroup] = useState("all");
  const found = value?.by_level?.levels?.[level];
  const raters = found?.raters?.[group];
  const f1 = Object.entries(raters?.boundary_f1 ?? {});
  const machine = raters?.machine_boundary_f1 ?? {};
  const nothing = value && !value.shared && !value.audited;
  return html`<main class="page agreement"><header class="page-head"><div><h1>Agreement</h1><p class="dim">People among themselves, and the machine against people; of finished episodes only</p></div>
    <span class="spring" />${value && html`<dl class="figures"><div><dt>Rated by several</dt><dd>${value.shared ?? 0}</dd></div><div><dt>Audited</dt><dd>${value.audited ?? 0}</dd></div></dl>`}</header>
    <div class="filter" role="group" aria-label="Level">${LEVELS.map((one) => html`<button class=${one === level ? "on" : ""} aria-pressed=${one === level} onClick=${() => setLevel(one)}>${one}</button>`)}
      <span class="dim filter-name">Raters</span>${Object.entries(GROUPS).map(([name, said]) => html`<button class=${name === group ? "on" : ""} aria-pressed=${name === group} onClick=${() => setGroup(name)}>${said}</button>`)}</div>
    ${error && (/** @type {any} */ (error).status === 404 ? html`<${Empty} title="No numbers yet">They are computed from finished episodes: <code>joinery review agreement RECIPE</code>.<//>` : html`<${Trouble} error=${error} again=${again} />`)}
    ${nothing && !error && html`<${Empty} title="Not enough yet">Agreement needs episodes that several people have finished independently; error rates need finished episodes of the audit stratum.<//>`}
    ${value && !nothing && html`<div class="grid-2"><section class="panel"><h2>Boundary F1 at tolerance</h2>
      ${raters?.pairs ? html`<table><thead><tr><th>Tolerance</th><th colspan="2">People, every pair</th><th colspan="2">Nearest rater</th><th>Machine</th><th title="The machine's F1 over that of people among themselves; 1 is as good as another person">Normalised</th></tr></thead>
      <tbody>${f1.map(([tolerance, one]) => html`<tr><th scope="row">${tolerance}</th><td class="num">${number(one.mean)}</td><td class="bar"><${Share} value=${one.mean} label=${`People at ${tolerance}`} /></td><td class="num">${number(one.best)}</td><td class="bar machine"><${Share} value=${one.best} label=${`Nearest rater at ${tolerance}`} /></td><td class="num">${number(machine[tolerance])}</td><td class="num"><b>${number(machine[tolerance] === undefined || !one.mean ? null : machine[tolerance] / one.mean)}</b></td></tr>`)}</tbody></table>
      <p class="dim">${raters.pairs} pairs in ${raters.episodes} episodes, matched one to one.</p>` : html`<p class="dim">No episode of this kind has two finished raters.</p>`}</section>
      <section class="panel"><h2>Signed offset</h2><h3>Machine to people</h3><${Offsets} counts=${value.by_level?.moved_frames ?? {}} label="Pictures from the machine's boundaries to where people put them" /><h3>Between people</h3><${Offsets} counts=${raters?.delta_frames ?? {}} label="Pictures between boundaries of two people" /></section></div>
      <section class="panel"><h2>How often the machine is wrong</h2><table><thead><tr><th>Level</th><th colspan="3">Events</th><th colspan="3">Episodes with any</th></tr></thead><tbody>${LEVELS.map((one) => {
        const wrong = value.by_level?.levels?.[one]?.machine;
        return html`<tr><th scope="row">${one}</th><${Rate} share=${wrong?.events} label=${`Wrong ${one}s`} /><${Rate} share=${wrong?.episodes} label=${`Episodes with a wrong ${one}`} /></tr>`;
      })}</tbody></table><p class="dim">From the random stratum only. The line is the 95 % interval; events of one episode hang together, so that of episodes is the one to trust.</p></section>`}</main>`;
}

/** @param {{share: any, label: string}} props */
function Rate({ share, label }) {
  if (!share?.of) return html`<td class="num">–</td><td class="bar" /><td class="num dim">nothing audited</td>`;
  return html`<td class="num"><b>${Math.round(share.share * 100)} %</b></td><td class="bar"><${Share} value=${share.share} low=${share.interval_95?.[0]} high=${share.interval_95?.[1]} label=${label} /></td><td class="num dim">${share.n} of ${share.of}</td>`;
}

/** @param {{counts: Record<string, number>, label: string}} props */
function Offsets({ counts, label }) {
  const all = Object.entries(counts).flatMap(([by, n]) => Array(n).fill(Number(by))).sort((a, b) => a - b);
  if (!all.length) return html`<p class="dim">None yet.</p>`;
  const bins = Array.from({ length: 2 * WIDEST + 1 }, (_, i) => ({ at: i - WIDEST, n: counts[String(i - WIDEST)] ?? 0 }));
  const beyond = all.filter((by) => Math.abs(by) > WIDEST).length;
  const near = all.filter((by) => Math.abs(by) <= 1).length / all.length;
  return html`<${Histogram} bins=${bins} label=${label} unit="pictures" /><p class="dim">Median ${signed(all[Math.floor(all.length / 2)])}, within ±1 ${Math.round(near * 100)} %, of ${all.length}${beyond ? `; ${beyond} beyond ±${WIDEST}` : ""}.</p>`;
}

/** @param {number|null|undefined} value */
const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
/** @param {number} value */
const signed = (value) => `${value > 0 ? "+" : ""}${value}`;
