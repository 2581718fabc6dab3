/** One thing at a time: the clip loops, five exact pictures stand beside it, and one key decides. */

import { isDecided, keyOf } from "./deck.js";
import { html } from "./html.js";
import { Key } from "./marks.js";

/** What is asked, how far one is, and the keys that answer. @param {{desk: import("./desk.js").Desk, act: Record<string, () => void>}} props */
export function CardBar({ desk, act }) {
  const { item } = desk;
  const { done, total } = desk.progress;
  const asked = !item ? "Nothing is selected" : item.kind === "boundary" ? "Does the event begin with this picture?" : `Is this what the ${item.level} shows?`;
  const decided = item && isDecided(desk.document, item, desk.markedLive);
  return html`<div class="card-bar" aria-label="Decision" role="group">
    <div class="asked"><p>${asked}</p><p class="dim">${done} of ${total} decided${decided ? ` · this one is ${stateOf(desk)}` : ""}</p></div>
    <div class="decide">
      <button class="primary" tabindex="-1" onClick=${act.accept}>Accept <${Key} chord="KeyA" /></button>
      <button tabindex="-1" onClick=${act.reject}>Reject <${Key} chord="KeyX" /></button>
      ${item?.kind === "caption"
        ? html`<button tabindex="-1" onClick=${act["edit-caption"]}>Edit <${Key} chord="Enter" /></button>`
        : html`<button tabindex="-1" class="icon-pair" onClick=${act["nudge-back"]} aria-label="One picture earlier">‹ <${Key} chord="BracketLeft" /></button><button tabindex="-1" class="icon-pair" onClick=${act["nudge-forward"]} aria-label="One picture later"><${Key} chord="BracketRight" /> ›</button>`}
      <button class="quiet" tabindex="-1" onClick=${act.skip}>Skip <${Key} chord="KeyW" /></button>
    </div>
  </div>`;
}

/** @param {import("./desk.js").Desk} desk */
function stateOf(desk) {
  const { item, document } = desk;
  if (!item) return "";
  return (item.kind === "boundary" ? document.boundaries[item.id] : document.labels[keyOf(item)])?.state ?? "";
}

/** How much of the deck is done. @param {{desk: import("./desk.js").Desk}} props */
export function Progress({ desk }) {
  const { done, total } = desk.progress;
  return html`<div class="progress" role="progressbar" aria-label="Decided" aria-valuemin="0" aria-valuemax=${total} aria-valuenow=${done} title=${`${done} of ${total} decided`}>
    <span style=${{ width: total ? `${(done / total) * 100}%` : "0" }} /></div>`;
}
