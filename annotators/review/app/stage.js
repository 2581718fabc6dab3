/** The pictures: all cameras in step, and under them what is on screen and how it moves. */

import { html, useEffect, useEvents, useRef, useState } from "./html.js";
import { RATES } from "./player.js";

/** @param {{desk: import("./desk.js").Desk, sheet: any}} props */
export function Stage({ desk, sheet }) {
  const { player } = desk;
  const host = useRef(/** @type {HTMLElement|null} */ (null));
  const [hidden, setHidden] = useState(/** @type {string[]} */ ([]));
  useEvents(player, "state", "settings", "error");
  useEffect(() => {
    for (const [name, element] of player.elements) /** @type {HTMLElement} */ (host.current).querySelector(`[data-place="${CSS.escape(name)}"]`)?.prepend(element);
  }, [player]);
  const toggle = (/** @type {string} */ name) => {
    const off = hidden.includes(name);
    setHidden(off ? hidden.filter((one) => one !== name) : [...hidden, name]);
    void player.showView(name, off);
  };
  const views = sheet.views;
  const shown = views.length - hidden.length;
  return html`<section class="stage" aria-label="Pictures">
    <div class=${`views n-${Math.min(shown, 4)}`} ref=${host}>
      ${views.map((/** @type {any} */ view) => html`<figure key=${view.name} class=${`view-place ${view.name === sheet.master ? "master" : ""}`} data-place=${view.name} hidden=${hidden.includes(view.name)}>
        <figcaption>${view.role && view.role !== view.name ? `${view.role} · ${view.name}` : view.name}</figcaption></figure>`)}
    </div>
    ${player.error && html`<div class="stage-trouble" role="alert">${player.error}</div>`}
    <${Transport} desk=${desk} views=${views} master=${sheet.master} hidden=${hidden} toggle=${toggle} />
  </section>`;
}

/** @param {{desk: import("./desk.js").Desk, views: any[], master: string, hidden: string[], toggle: (name: string) => void}} props */
function Transport({ desk, views, master, hidden, toggle }) {
  const { player } = desk;
  return html`<div class="transport" role="toolbar" aria-label="Playback">
    <button class="icon" tabindex="-1" title="Ten pictures back (C)" aria-label="Ten pictures back" onClick=${() => desk.step(-10)}>«</button>
    <button class="icon" tabindex="-1" title="One picture back (D)" aria-label="One picture back" onClick=${() => desk.step(-1)}>‹</button>
    <button class="icon play" tabindex="-1" title="Play or pause (Space)" aria-label=${player.playing ? "Pause" : "Play"} onClick=${() => player.toggle()}>
      <svg viewBox="0 0 16 16" aria-hidden="true">${player.playing ? html`<path d="M4 3h3v10H4zM9 3h3v10H9z" />` : html`<path d="M4 2.5v11l9-5.5z" />`}</svg></button>
    <button class="icon" tabindex="-1" title="One picture on (F)" aria-label="One picture on" onClick=${() => desk.step(1)}>›</button>
    <button class="icon" tabindex="-1" title="Ten pictures on (V)" aria-label="Ten pictures on" onClick=${() => desk.step(10)}>»</button>
    <${ReadOut} player=${player} />
    <span class="spring" />
    <button class=${`quiet ${player.loop ? "on" : ""}`} tabindex="-1" aria-pressed=${!!player.loop} title="Loop one second each side (R)" onClick=${() => toggleLoop(desk)}>Loop</button>
    <label class="rate">Speed <select tabindex="-1" aria-label="Speed" value=${player.rate} onChange=${(/** @type {any} */ event) => { player.rate = Number(event.target.value); event.target.blur(); }}>
      ${RATES.map((rate) => html`<option value=${rate} selected=${rate === player.rate}>${rate}×</option>`)}</select></label>
    ${views.length > 1 && html`<span class="view-toggles" role="group" aria-label="Cameras">${views.map((view) => html`
      <button class=${`quiet ${hidden.includes(view.name) ? "" : "on"}`} tabindex="-1" disabled=${view.name === master} aria-pressed=${!hidden.includes(view.name)} title=${view.name === master ? `${view.name}: its pictures are counted` : `Show ${view.name}`} onClick=${() => toggle(view.name)}>${view.name}</button>`)}</span>`}
  </div>`;
}

/** Loop, or stop looping at the picture the loop is at. @param {import("./desk.js").Desk} desk */
export async function toggleLoop(desk) {
  const { player } = desk;
  if (!player.loop) return desk.loop();
  player.loop = null;
  await player.pause();
}

/** Which picture is on screen, in both number systems, and whether that is proven. @param {{player: import("./player.js").Player}} props */
function ReadOut({ player }) {
  useEvents(player, "frame", "state", "error");
  const tone = player.verified ? "good" : player.state === "paused" || player.state === "failed" ? "bad" : "wait";
  const said = player.verified ? (player.playing ? "playing" : "verified") : player.state === "paused" ? "not verified" : player.state;
  const seconds = player.table ? player.table.seconds(player.frame).toFixed(3) : "–";
  const end = String(player.nFrames).length;
  return html`<output class="readout" aria-live="off">
    <span class="number"><span class="dim">frame</span> <b style=${{ minWidth: `${end}ch` }}>${player.frame}</b> <span class="dim">/ ${player.nFrames}</span></span>
    <span class="seconds"><b>${seconds}</b> <span class="dim">s</span></span>
    <span class=${`verified ${tone}`} data-verified=${player.verified}>${said}</span></output>`;
}
