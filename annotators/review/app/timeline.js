/**
 * The timeline on screen: a canvas with the lanes, a focusable handle for the selected boundary, a loupe, and gestures.
 *
 * One gesture is one deed: while a boundary is dragged only a draft moves, and the player shows the picture under the
 * handle; the deed is made at release. It is drawn at most once per screen refresh.
 */

import { LEVELS, boundaryKey, room, spanAt } from "./document.js";
import { drawTimeline, edgeNear, rows } from "./lanes.js";
import { LOUPE, drawLoupe } from "./loupe.js";
import { palette } from "./palette.js";
import { suggestedBoundaries } from "./suggestions.js";

/** A drag snaps to a place this near on screen, and never over more pictures than a person would call the same place. */
const SNAP_PX = 8;
const SNAP_FRAMES = 15;
/** Below this many pixels per picture a hand cannot choose a picture: the loupe opens. */
const LOUPE_BELOW_PX = 5;

export class Timeline {
  /** @param {HTMLElement} host @param {import("./desk.js").Desk} desk @param {import("./viewport.js").Viewport} viewport @param {() => void} onView */
  constructor(host, desk, viewport, onView) {
    this.host = host;
    this.desk = desk;
    this.viewport = viewport;
    this.onView = onView;
    this.colours = palette();
    this.hovered = /** @type {string|null} */ (null);
    this.hasMoved = false;
    this.drag = /** @type {{kind: string, id?: string, x: number, fine: number, level?: any, last: number, event?: PointerEvent}|null} */ (null);
    this.canvas = host.appendChild(document.createElement("canvas"));
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Lanes of tasks, subtasks, actions and segments over time; the selected boundary is the slider that follows");
    this.handle = host.appendChild(document.createElement("div"));
    this.handle.className = "handle";
    Object.entries({ role: "slider", tabindex: "0", "aria-label": "Selected boundary", "aria-orientation": "horizontal" }).forEach(([name, value]) => this.handle.setAttribute(name, value));
    this.loupe = host.appendChild(document.createElement("div"));
    this.loupe.className = "loupe";
    this.loupe.hidden = true;
    this.loupe.innerHTML = '<div class="loupe-said"></div><canvas></canvas>';
    this.redraw = () => this.ask();
    this.onTheme = () => {
      this.colours = palette();
      this.ask();
    };
    this.desk.addEventListener("change", this.redraw);
    this.desk.player.addEventListener("frame", this.redraw);
    window.addEventListener("themechange", this.onTheme);
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(host);
    this.canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    this.canvas.addEventListener("pointermove", (event) => this.onMove(event));
    this.canvas.addEventListener("pointerup", (event) => this.onUp(event));
    this.canvas.addEventListener("pointercancel", () => this.onCancel());
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    host.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.onKeyInDrag(event);
    this.resize();
  }

  destroy() {
    this.sized.disconnect();
    this.desk.removeEventListener("change", this.redraw);
    this.desk.player.removeEventListener("frame", this.redraw);
    window.removeEventListener("themechange", this.onTheme);
    window.removeEventListener("keydown", this.onKey, true);
    cancelAnimationFrame(this.asked ?? 0);
    this.host.replaceChildren();
  }

  resize() {
    const { height } = rows(this.desk.folded);
    const ratio = window.devicePixelRatio || 1;
    this.viewport.width = Math.max(50, this.host.clientWidth);
    Object.assign(this.canvas.style, { width: `${this.viewport.width}px`, height: `${height}px` });
    this.canvas.width = Math.round(this.viewport.width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.onView();
    this.draw();
  }

  /** Draw at the next refresh. */
  ask() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = undefined;
      if (this.hasMoved) this.onView();
      this.hasMoved = false;
      if (rows(this.desk.folded).height !== parseFloat(this.canvas.style.height)) this.resize();
      else this.draw();
    });
  }

  /** The part of the episode on screen has changed; a wheel may say so several times before the next refresh. */
  moved() {
    this.hasMoved = true;
    this.ask();
  }

  get scene() {
    const { desk, viewport, colours, hovered } = this;
    const { table } = desk.player;
    return {
      document: desk.document, viewport, colours, level: desk.level, hidden: desk.folded, selected: desk.selected, hovered, draft: desk.draft,
      playhead: desk.player.frame, verified: desk.player.verified || desk.player.state !== "paused",
      seconds: (/** @type {number} */ frame) => (table ? table.seconds(Math.min(Math.max(Math.round(frame), 0), table.length)) : 0),
      machineValue: (/** @type {string} */ id) => this.machine().get(id) ?? null, removed: this.gone,
      suggestions: suggestedBoundaries(desk), evidence: desk.sheet.evidence ?? {},
    };
  }

  /** The machine's values of what people changed, computed once per document. */
  machine() {
    const { live } = this.desk;
    if (this.machineOf !== live.document) {
      this.machineOf = live.document;
      const human = Object.entries(live.document.boundaries).filter(([, edge]) => edge.origin === "human");
      this.machineValues = new Map(human.map(([id]) => [id, live.machineValue(id)]));
      this.removedEdges = live.removed();
    }
    return /** @type {Map<string, any>} */ (this.machineValues);
  }

  get gone() {
    this.machine();
    return /** @type {import("./document.js").Placed[]} */ (this.removedEdges);
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const canvas = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    canvas.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawTimeline(canvas, this.scene);
    this.placeHandle();
    this.drawLoupe();
  }

  placeHandle() {
    const { desk, viewport, handle } = this;
    const boundary = desk.boundary;
    const frame = desk.draft && desk.draft.id === desk.selected ? desk.draft.frame : boundary?.frame;
    const x = frame === undefined ? -1 : viewport.x(frame);
    handle.style.visibility = frame === undefined || x < 0 || x > viewport.width ? "hidden" : "visible";
    if (frame === undefined || !boundary || !desk.selected) return;
    const at = rows(desk.folded);
    Object.assign(handle.style, { transform: `translate(${x - 6}px, ${at.lanes[LEVELS[boundary.rank]]}px)`, height: `${at.human - at.lanes[LEVELS[boundary.rank]]}px` });
    const [low, high] = room(desk.document, desk.selected);
    for (const [name, value] of Object.entries({ valuemin: low, valuemax: high, valuenow: frame, valuetext: `picture ${frame}, ${boundary.kind.replace("_", " ")}, bounds ${LEVELS[boundary.rank]}s, ${boundary.state}` })) {
      handle.setAttribute(`aria-${name}`, String(value));
    }
  }

  drawLoupe() {
    const { desk, viewport, loupe } = this;
    const draft = this.drag?.kind === "edge" ? desk.draft : null;
    const wanted = !!draft && 1 / viewport.framesPerPixel < LOUPE_BELOW_PX;
    loupe.hidden = !wanted;
    if (!wanted || !draft) return;
    const canvas = /** @type {HTMLCanvasElement} */ (loupe.querySelector("canvas"));
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== LOUPE.width * ratio) {
      Object.assign(canvas.style, { width: `${LOUPE.width}px`, height: `${LOUPE.height}px` });
      [canvas.width, canvas.height] = [LOUPE.width * ratio, LOUPE.height * ratio];
    }
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawLoupe(context, { document: desk.document, id: draft.id, frame: draft.frame, was: draft.was, colours: this.colours });
    const by = draft.frame - draft.was;
    /** @type {HTMLElement} */ (loupe.firstElementChild).textContent = `picture ${draft.frame} · ${by >= 0 ? "+" : "−"}${Math.abs(by)} · arrow keys move it by one`;
    const left = Math.min(Math.max(viewport.x(draft.frame) - LOUPE.width / 2 - 8, 0), viewport.width - LOUPE.width - 18);
    loupe.style.transform = `translate(${left}px, 0)`;
  }

  /** @param {PointerEvent} event */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const at = rows(this.desk.folded);
    const level = [...LEVELS].reverse().find((one) => y >= at.lanes[one]) ?? "task";
    const zone = y < at.ruler ? "overview" : y < at.lanes.task ? "ruler" : y < at.human ? "lanes" : "human";
    return { x, y, zone, level };
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button !== 0) return;
    const { x, zone, level } = this.place(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { kind: zone, x, fine: 0, level, last: x };
    if (zone === "overview") return this.panTo(x);
    if (zone === "ruler") return void this.desk.goto(Math.floor(this.viewport.frame(x)));
    const edge = edgeNear(this.scene, zone === "human" ? "segment" : level, x, event.shiftKey);
    if (!edge) {
      this.drag.kind = "click";
      return;
    }
    this.drag = { kind: "edge", id: edge.id, x, fine: 0, level, last: x };
    window.addEventListener("keydown", this.onKey, true);
    void this.desk.select({ kind: "boundary", id: edge.id, level: zone === "human" ? this.desk.level : level });
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { x, zone, level } = this.place(event);
    const { drag, viewport } = this;
    if (!drag) {
      const edge = zone === "lanes" || zone === "human" ? edgeNear(this.scene, zone === "human" ? "segment" : level, x, event.shiftKey) : null;
      this.hover(edge?.id ?? null);
      this.canvas.style.cursor = edge ? "ew-resize" : zone === "ruler" || zone === "lanes" ? "pointer" : "default";
      return;
    }
    if (drag.kind === "overview") return this.panTo(x);
    if (drag.kind === "ruler") return void this.desk.player.goto(Math.floor(viewport.frame(x)));
    if (drag.kind === "click" && Math.abs(x - drag.x) > 4) drag.kind = "pan";
    if (drag.kind === "pan") {
      viewport.pan(drag.last - x);
      this.moved();
    }
    drag.last = x;
    if (drag.kind === "edge" && (this.desk.draft || Math.abs(x - drag.x) > 2)) {
      drag.event = event;
      this.dragTo(x, event.altKey);
    }
  }

  /** @param {number} x @param {boolean} free without snapping */
  dragTo(x, free) {
    const { drag, desk, viewport } = this;
    if (!drag?.id) return;
    const boundary = desk.document.boundaries[drag.id];
    if (!boundary) return;
    // The hand moves the boundary by what it moves itself: taking it a pixel beside must not shift it.
    const wanted = viewport.frame(viewport.x(desk.draft?.was ?? boundary.frame) + (x - drag.x)) + drag.fine;
    desk.startDraft(drag.id, free || drag.fine ? Math.round(wanted) : this.snapped(wanted, drag.id), "drag");
  }

  /** Where a drag wants to rest: the machine's own picture, and what newer runs propose. @param {number} frame @param {string} id */
  snapped(frame, id) {
    const { desk, viewport } = this;
    const suggested = suggestedBoundaries(desk).filter((one) => one.beside === boundaryKey(id)).map((one) => one.frame);
    const places = [desk.live.machineValue(id)?.frame, ...suggested, desk.draft ? undefined : desk.player.frame].filter((place) => place !== undefined);
    const near = places.find((place) => Math.abs(place - frame) < Math.min(SNAP_PX * viewport.framesPerPixel, SNAP_FRAMES));
    return near ?? Math.round(frame);
  }

  /** Arrows finish the job while the button is down; Esc lets go. @param {KeyboardEvent} event */
  onKeyInDrag(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, BracketLeft: -1, BracketRight: 1 }[event.code];
    if (event.code === "Escape") {
      this.onCancel();
      this.desk.cancelDraft();
    } else if (by && this.drag && this.desk.draft) {
      this.desk.startDraft(this.desk.draft.id, this.desk.draft.frame + by, "drag");
      this.drag.fine += by;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { drag, desk } = this;
    const { x } = this.place(event);
    this.onCancel();
    if (drag?.kind === "edge") return void desk.commitDraft();
    if (drag?.kind !== "click") return;
    const frame = Math.floor(this.viewport.frame(x));
    this.pick(drag.level, frame);
  }

  /** A click on an event selects it and goes to the picture clicked. @param {import("./document.js").Level} level @param {number} frame */
  pick(level, frame) {
    const { desk } = this;
    desk.setLevel(level);
    const span = spanAt(desk.document, level, frame);
    if (span) void desk.select({ kind: "caption", id: span.start_id, level }, { seek: false });
    void desk.goto(frame);
  }

  onCancel() {
    this.drag = null;
    window.removeEventListener("keydown", this.onKey, true);
    this.ask();
  }

  /** @param {string|null} id */
  hover(id) {
    if (this.hovered === id) return;
    this.hovered = id;
    this.ask();
  }

  /** @param {number} x */
  panTo(x) {
    const { viewport } = this;
    const [length, middle] = [viewport.end - viewport.start, (x / viewport.width) * viewport.nFrames];
    viewport.show(middle - length / 2, middle + length / 2);
    this.moved();
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    event.preventDefault();
    const scale = event.deltaMode === 1 ? 16 : 1;
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.viewport.pan(sideways * scale);
    else this.viewport.zoomAt(x, Math.exp(event.deltaY * scale * 0.0018));
    this.moved();
  }
}
