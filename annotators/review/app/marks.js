/** The small signs every page uses: badges, people, meters, keys, and what stands where nothing does. */

import { html } from "./html.js";
import { shown } from "./keymap.js";

/** @param {{tone?: string, title?: string, children?: any}} props */
export const Badge = ({ tone = "plain", title, children }) => html`<span class=${`badge ${tone}`} title=${title}>${children}</span>`;

/** @param {{name: string, own?: boolean}} props */
export function Avatar({ name, own = false }) {
  const letters = name.split(/[\s._@-]+/).filter(Boolean).slice(0, 2).map((part) => part[0].toUpperCase()).join("");
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 6, 7);
  return html`<span class=${`avatar hue-${hue} ${own ? "own" : ""}`} title=${own ? `${name} (you)` : name} role="img" aria-label=${own ? `${name}, you` : name}>${letters || "?"}</span>`;
}

/** @param {{value: number, tone?: string, label?: string}} props */
export const Meter = ({ value, tone = "accent", label = "" }) => html`
  <span class="meter" role="img" aria-label=${`${label} ${Math.round(value * 100)} per cent`}><span class=${`meter-fill ${tone}`} style=${{ width: `${Math.max(0, Math.min(1, value)) * 100}%` }} /></span>`;

/** @param {{chord: string}} props */
export const Key = ({ chord }) => html`<kbd>${shown(chord)}</kbd>`;

/** @param {{title: string, children?: any}} props */
export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p><p>${children}</p></div>`;

/** @param {{error: any, again?: () => void}} props */
export const Trouble = ({ error, again }) => html`
  <div class="trouble" role="alert"><strong>${error.message}</strong>${error.remedy && html`<span>${error.remedy}</span>`}
    ${again && html`<button onClick=${again}>Try again</button>`}</div>`;

/** Seconds as people say them. @param {number} s */
export const duration = (s) => (s < 60 ? `${s.toFixed(1)} s` : s < 3600 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`);

/** @param {number} ns Unix time */
export function ago(ns) {
  const s = Math.max(0, Date.now() / 1000 - ns / 1e9);
  return s < 60 ? "just now" : s < 3600 ? `${Math.floor(s / 60)} min ago` : s < 86400 ? `${Math.floor(s / 3600)} h ago` : new Date(ns / 1e6).toLocaleDateString();
}

/** @param {number} share */
export const percent = (share) => `${Math.round(share * 100)} %`;
