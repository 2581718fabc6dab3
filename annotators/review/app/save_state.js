/** How saving stands, always in the same place and always read out: saved rev N, n pending, offline, conflict. */

import { html, useEvents } from "./html.js";

/** @param {{sender: import("./sender.js").Sender, rev: number|null, onConflicts?: () => void}} props */
export function SaveState({ sender, rev, onConflicts }) {
  useEvents(sender, "state");
  const { state, n_pending, n_held, said } = sender.state;
  const [tone, text] = /** @type {Record<string, [string, string]>} */ ({
    saved: ["good", rev === null || rev < 0 ? "saved" : `saved rev ${rev}`],
    pending: ["wait", `${n_pending} pending`],
    offline: ["warn", `offline · ${n_pending} pending`],
    login: ["warn", `signed out · ${n_pending} pending`],
    full: ["bad", `server disk full · ${n_pending} pending`],
  })[state];
  return html`<div class="saving" role="status" aria-live="polite" data-state=${state} data-pending=${n_pending}>
    <span class=${`save-state ${tone}`} title=${said || "Every deed is on this machine's disk before it is sent, and stays there until the server's disk has it."}>${text}</span>
    ${n_held > 0 && html`<button class="conflicts-open" onClick=${onConflicts}>${n_held} conflict${n_held > 1 ? "s" : ""}</button>`}</div>`;
}
