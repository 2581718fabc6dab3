/** Small figures as SVG, each readable without colour, and each with its numbers beside or under it. */

import { html } from "./html.js";

/** Bars with a line at zero offset. @param {{bins: {at: number, n: number}[], label: string, unit?: string}} props */
export function Histogram({ bins, label, unit = "" }) {
  const most = Math.max(1, ...bins.map((bin) => bin.n));
  const [width, height] = [Math.max(1, bins.length) * 16, 120];
  return html`<figure class="chart"><svg viewBox=${`0 0 ${width} ${height + 22}`} role="img" aria-label=${label} preserveAspectRatio="none">
    ${bins.map((bin, i) => html`<g><title>${`${bin.at > 0 ? "+" : ""}${bin.at} ${unit}: ${bin.n}`}</title><rect class=${bin.at === 0 ? "zero" : bin.at < 0 ? "early" : "late"} x=${i * 16 + 2} width="12" y=${height - (bin.n / most) * height} height=${Math.max(bin.n ? 1.5 : 0, (bin.n / most) * height)} rx="2" /></g>`)}
    <line x1="0" x2=${width} y1=${height + 0.5} y2=${height + 0.5} /></svg>
    <div class="chart-axis"><span>${bins[0] ? `−${-bins[0].at}` : ""}</span><span>0</span><span>${bins.length ? `+${bins[bins.length - 1].at}` : ""} ${unit}</span></div></figure>`;
}

/** Days or hours in a row. @param {{values: number[], label: string}} props */
export function Sparkline({ values, label }) {
  const most = Math.max(1e-9, ...values);
  const at = values.map((value, i) => `${(i / Math.max(1, values.length - 1)) * 96 + 2},${26 - (value / most) * 22}`);
  return html`<svg class="sparkline" viewBox="0 0 100 28" role="img" aria-label=${label}><polyline points=${at.join(" ")} />${at.length && html`<circle cx=${at[at.length - 1].split(",")[0]} cy=${at[at.length - 1].split(",")[1]} r="2.2" />`}</svg>`;
}

/** A share with its interval. @param {{value: number, low?: number|null, high?: number|null, label: string}} props */
export const Share = ({ value, low = null, high = null, label }) => html`<div class="share" role="img" aria-label=${`${label}: ${value.toFixed(2)}${low === null ? "" : `, between ${low.toFixed(2)} and ${Number(high).toFixed(2)}`}`}>
  <span class="share-bar" style=${{ width: `${value * 100}%` }} />${low !== null && high !== null && html`<span class="share-range" style=${{ left: `${low * 100}%`, width: `${(high - low) * 100}%` }} />`}</div>`;
