/** Why the machine cut here, in a sentence, with what it went by; and what people and newer runs say of the same boundary. */

import { LEVELS, boundaryKey, neighbours } from "./document.js";
import { html } from "./html.js";
import { Badge, Key, Meter, percent } from "./marks.js";
import { suggestedBoundaries } from "./suggestions.js";

/** @param {{desk: import("./desk.js").Desk}} props */
export function EvidencePanel({ desk }) {
  const { boundary, selected } = desk;
  if (!boundary || !selected) {
    return html`<section class="card evidence"><h3>Boundary</h3><p class="hint">None selected. <${Key} chord="Tab" /> goes to the least certain one, <${Key} chord="KeyN" /> to the next in time.</p></section>`;
  }
  const evidence = desk.sheet.evidence?.[selected];
  const suggested = suggestedBoundaries(desk).filter((one) => one.beside === boundaryKey(selected));
  const was = desk.live.machineValue(selected);
  const frame = desk.draft?.id === selected ? desk.draft.frame : boundary.frame;
  const active = desk.item?.kind === "boundary";
  return html`<section class=${`card evidence ${active ? "active" : ""}`} aria-label="Boundary">
    <div class="card-head"><h3>Boundary</h3><span class="place">${frame}</span>
      <span class="spring" /><${State} value=${boundary} /></div>
    <p class="why">${whySaid(boundary, evidence)}</p>
    ${!boundary.pinned && html`<dl class="facts">
      <dt>Bounds</dt><dd class="chips" title="Shift+↑/↓ changes it">${LEVELS.slice(boundary.rank).map((level) => html`<${Badge} tone=${`level ${level}`}>${level}<//>`)}</dd></dl>`}
    ${!boundary.pinned && evidence && html`<dl class="facts">
      <dt>Confidence</dt><dd><${Meter} value=${evidence.confidence ?? boundary.confidence} tone=${boundary.confidence < 0.5 ? "warn" : "accent"} label="Confidence" /> ${percent(evidence.confidence ?? boundary.confidence)}</dd>
      ${evidence.detectors?.length > 0 && html`<dt>Detectors</dt><dd class="chips">${evidence.detectors.map((/** @type {string} */ name) => html`<${Badge}>${name}<//>`)}</dd>`}
      ${evidence.doubts?.length > 0 && html`<dt>Doubts</dt><dd class="chips">${evidence.doubts.map((/** @type {string} */ name) => html`<${Badge} tone="warn">${name}<//>`)}</dd>`}
    </dl>`}
    ${was && was.frame !== frame && html`<p class="moved">Moved ${offset(frame - was.frame)} than the machine's <button class="link" tabindex="-1" onClick=${() => desk.player.goto(was.frame)}>${was.frame}</button>.</p>`}
    ${suggested.map((one) => html`<div class="suggestion"><span>A newer run has one at <b>${one.frame}</b>, ${offset(one.frame - frame)}.</span>
      <button tabindex="-1" onClick=${() => desk.player.goto(one.frame)}>Look</button><button tabindex="-1" onClick=${() => desk.move(selected, one.frame)}>Move there</button></div>`)}
    <${Spans} desk=${desk} id=${selected} />
  </section>`;
}

/** @param {number} by */
const offset = (by) => `${Math.abs(by)} ${Math.abs(by) === 1 ? "picture" : "pictures"} ${by > 0 ? "later" : "earlier"}`;

/** @param {import("./document.js").Boundary} boundary @param {any} evidence */
function whySaid(boundary, evidence) {
  if (boundary.pinned) return "The edge of what cleaning kept of the recording. Review does not move it.";
  if (evidence?.why) return evidence.why;
  if (boundary.origin === "human") return "A person set it.";
  return `The machine sees ${boundary.kind.replace("_", " ")} here; nothing more was recorded.`;
}

/** How far it is to either side. @param {{desk: import("./desk.js").Desk, id: string}} props */
function Spans({ desk, id }) {
  const [before, after] = neighbours(desk.document, id);
  const { table } = desk.player;
  const frame = desk.draft?.id === id ? desk.draft.frame : desk.document.boundaries[id].frame;
  const seconds = (/** @type {number} */ a, /** @type {number} */ b) => `${(table.seconds(b) - table.seconds(a)).toFixed(2)} s`;
  return html`<p class="neighbours"><span>${before ? html`← <b>${frame - before.frame}</b> pictures · ${seconds(before.frame, frame)}` : "start"}</span><span>${after ? html`<b>${after.frame - frame}</b> pictures · ${seconds(frame, after.frame)} →` : "end"}</span></p>`;
}

/** What people said about a value so far, and whose it is. @param {{value: {state: string, origin: string}}} props */
export const State = ({ value }) => html`<${Badge} tone=${value.state === "proposed" ? value.origin : value.state} title=${`Set by ${value.origin === "human" ? "a person" : "the machine"}; ${value.state}`}>${value.origin} · ${value.state}<//>`;
