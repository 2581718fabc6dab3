/** The timeline with its gutter, and the signals under it on the same axis. */

import { html, useEffect, useEvents, useMemo, useRef } from "./html.js";
import { LEVELS } from "./document.js";
import { LAYOUT, rows } from "./lanes.js";
import { Plot, SERIES_COLOURS, panelsOf, valueAt } from "./signals.js";
import { Timeline } from "./timeline.js";

/** @param {{desk: import("./desk.js").Desk, viewport: import("./viewport.js").Viewport, onTimeline: (timeline: Timeline) => void}} props */
export function LanesPanel({ desk, viewport, onTimeline }) {
  useEvents(desk, "change");
  const host = useRef(/** @type {HTMLElement|null} */ (null));
  const plots = useRef(/** @type {Set<Plot>} */ (new Set()));
  useEffect(() => {
    const refresh = () => plots.current.forEach((plot) => plot.update());
    const timeline = new Timeline(/** @type {HTMLElement} */ (host.current), desk, viewport, refresh);
    onTimeline(timeline);
    return () => timeline.destroy();
  }, [desk]);
  const panels = useMemo(() => panelsOf(desk.sheet.signals ?? [], desk.player.table), [desk]);
  const at = rows(desk.folded);
  return html`<section class="lanes" aria-label="Timeline">
    <div class="gutter" style=${{ height: `${at.height}px` }}>
      ${LEVELS.map((level, i) => html`<div class=${`gutter-row ${desk.level === level ? "active" : ""} ${desk.folded.has(level) ? "folded" : ""}`} style=${{ top: `${at.lanes[level]}px`, height: `${desk.folded.has(level) ? 8 : LAYOUT.lane}px` }}>
        <button class=${`gutter-level ${level}`} tabindex="-1" aria-pressed=${desk.level === level} title=${`Active level (${i + 1})`} aria-label=${level} onClick=${() => desk.setLevel(level)}><span>${level[0].toUpperCase() + level.slice(1)}</span></button>
        <button class="gutter-eye" tabindex="-1" aria-label=${`${desk.hidden.has(level) ? "Show" : "Hide"} ${level}s`} title=${desk.hidden.has(level) ? "Show" : "Hide (H)"} onClick=${() => desk.toggleLevel(level)}>${desk.hidden.has(level) ? "+" : "–"}</button>
      </div>`)}
      <div class="gutter-row human" style=${{ top: `${at.human}px`, height: `${LAYOUT.human}px` }} title="What people set: filled where it is now, hollow where the machine had it"><span class="gutter-human">Human</span></div>
    </div>
    <div class="lanes-host" ref=${host} style=${{ height: `${at.height}px` }} />
    ${desk.signals && panels.map((panel) => html`<${SignalPanel} key=${panel.name} panel=${panel} desk=${desk} viewport=${viewport} plots=${plots.current} />`)}
    ${desk.signals && !panels.length && html`<p class="no-signals">This source gives no signals.</p>`}
  </section>`;
}

/** @param {{panel: {name: string, signals: import("./signals.js").Placed[]}, desk: import("./desk.js").Desk, viewport: import("./viewport.js").Viewport, plots: Set<Plot>}} props */
function SignalPanel({ panel, desk, viewport, plots }) {
  const host = useRef(/** @type {HTMLElement|null} */ (null));
  const own = useRef(/** @type {Plot|null} */ (null));
  useEffect(() => {
    const marks = () => ({ playhead: desk.player.frame, edge: desk.draft?.frame ?? desk.boundary?.frame ?? null });
    const plot = new Plot(/** @type {HTMLElement} */ (host.current), panel.signals, viewport, marks);
    own.current = plot;
    plots.add(plot);
    let asked = 0;
    const redraw = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        plot.redraw();
      });
    };
    const rebuild = () => plot.build();
    desk.player.addEventListener("frame", redraw);
    desk.addEventListener("change", redraw);
    window.addEventListener("themechange", rebuild);
    return () => {
      cancelAnimationFrame(asked);
      plots.delete(plot);
      desk.player.removeEventListener("frame", redraw);
      desk.removeEventListener("change", redraw);
      window.removeEventListener("themechange", rebuild);
      plot.destroy();
    };
  }, [panel]);
  return html`<div class="gutter signal-names"><${Values} panel=${panel} player=${desk.player} /></div>
    <div class="signal-host" ref=${host} role="img" aria-label=${`${panel.name} signals: ${panel.signals.map((signal) => signal.name).join(", ")}`} />`;
}

/** Names of the signals and their values at the picture on screen. @param {{panel: {name: string, signals: import("./signals.js").Placed[]}, player: import("./player.js").Player}} props */
function Values({ panel, player }) {
  useEvents(player, "frame");
  return panel.signals.slice(0, 5).map((signal, i) => {
    const value = valueAt(signal, player.frame);
    return html`<span class="signal-name" title=${`${signal.name}${signal.unit ? ` in ${signal.unit}` : ""}`}><i class=${`series-${(i % SERIES_COLOURS) + 1}`} />
      <span>${signal.name}</span><b>${value === null ? "–" : Number(value).toFixed(2)}</b></span>`;
  });
}
