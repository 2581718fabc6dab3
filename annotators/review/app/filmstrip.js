/** Five exact pictures round a boundary, k−2 … k+2: lets a person judge a single picture without scrubbing. */

import { html, useEffect, useState } from "./html.js";

const REACH = 2;

/** @param {{sha256: string, frame: number, nFrames: number, height?: number, label?: string, onPick?: (frame: number) => void}} props */
export function Filmstrip({ sha256, frame, nFrames, height = 180, label = "Pictures round the boundary", onPick }) {
  const around = Array.from({ length: 2 * REACH + 1 }, (_, i) => frame - REACH + i);
  return html`<div class="filmstrip" role="group" aria-label=${label}>
    ${around.map((k, i) => html`<${Cell} key=${i} url=${k >= 0 && k < nFrames ? `/media/${sha256}/frames/${k}.jpg?h=${height}` : ""} k=${k} by=${k - frame} onPick=${onPick} />`)}
  </div>`;
}

/** @param {{url: string, k: number, by: number, onPick?: (frame: number) => void}} props */
function Cell({ url, k, by, onPick }) {
  const [broken, setBroken] = useState("");
  useEffect(() => setBroken(""), [url]);
  return html`<button class=${`cell ${by < 0 ? "before" : "after"} ${by === 0 ? "first" : ""}`} tabindex="-1" disabled=${!url} onClick=${() => onPick?.(k)}
      aria-label=${url ? `Picture ${k}, ${by < 0 ? "before" : "after"} the boundary` : "Outside the recording"}>
    <span class="picture">${url && broken !== url ? html`<img src=${url} alt="" draggable=${false} decoding="async" onError=${() => setBroken(url)} />` : html`<span class="no-picture">${url ? "no picture" : ""}</span>`}</span>
    <span class="cell-said">${url && html`<b>${k}</b><i>${by > 0 ? `+${by}` : by < 0 ? `−${-by}` : "first after"}</i>`}</span>
  </button>`;
}
