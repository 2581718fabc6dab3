/**
 * Draws the timeline: overview, ruler, four nested lanes, and the lane of what people set.
 *
 * Only what is on screen is visited (binary search into sorted spans), and what would be thinner than a pixel is drawn
 * once per pixel, so that an hour with thousands of boundaries costs what a minute does.
 */

import { LEVELS, inOrder, lane, lastAtOrBefore } from "./document.js";
import { niceStep } from "./viewport.js";

export const LAYOUT = { overview: 16, ruler: 22, lane: 28, gap: 3, human: 26 };
const FONT = "12px system-ui, sans-serif";
const CHAR_PX = 6.4;

/**
 * @typedef {object} Scene
 * @property {import("./document.js").Document} document
 * @property {import("./viewport.js").Viewport} viewport
 * @property {Record<string, string>} colours
 * @property {import("./document.js").Level} level
 * @property {Set<import("./document.js").Level>} hidden
 * @property {string|null} selected
 * @property {string|null} hovered
 * @property {{id: string, frame: number}|null} draft a boundary on its way to another picture
 * @property {number} playhead
 * @property {boolean} verified
 * @property {(frame: number) => number} seconds
 * @property {(id: string) => import("./document.js").Boundary|null} machineValue
 * @property {import("./document.js").Placed[]} removed
 * @property {import("./suggestions.js").SuggestedBoundary[]} suggestions where newer runs would have a boundary
 * @property {Record<string, {doubts: string[]}>} evidence
 */

/** Top of everything that is drawn, from the top down. @param {Set<string>} hidden */
export function rows(hidden) {
  const found = { overview: 0, ruler: LAYOUT.overview + LAYOUT.gap, lanes: /** @type {Record<string, number>} */ ({}), human: 0, height: 0 };
  let y = found.ruler + LAYOUT.ruler;
  for (const level of LEVELS) {
    found.lanes[level] = y;
    y += (hidden.has(level) ? 8 : LAYOUT.lane) + LAYOUT.gap;
  }
  found.human = y;
  found.height = y + LAYOUT.human;
  return found;
}

/** @param {CanvasRenderingContext2D} canvas @param {Scene} scene */
export function drawTimeline(canvas, scene) {
  const { viewport, colours, hidden } = scene;
  const at = rows(hidden);
  canvas.clearRect(0, 0, viewport.width, at.height);
  canvas.font = FONT;
  canvas.textBaseline = "middle";
  drawOverview(canvas, scene);
  drawRuler(canvas, scene, at.ruler);
  for (const level of LEVELS) {
    const height = hidden.has(level) ? 8 : LAYOUT.lane;
    canvas.fillStyle = colours.sunken;
    canvas.fillRect(0, at.lanes[level], viewport.width, height);
    drawLane(canvas, scene, level, at.lanes[level], height);
  }
  drawHuman(canvas, scene, at.human);
  drawSuggestions(canvas, scene, at);
  drawEdges(canvas, scene, at);
  drawPlayhead(canvas, scene, at);
}

/** Where a boundary is drawn: its draft while it is dragged. @param {Scene} scene @param {string} id @param {number} frame */
const shownFrame = ({ draft }, id, frame) => (draft && draft.id === id ? draft.frame : frame);

/** @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {import("./document.js").Level} level @param {number} y @param {number} height */
function drawLane(canvas, scene, level, y, height) {
  const { viewport, colours, document, selected } = scene;
  const spans = lane(document, level);
  const first = Math.max(0, lastAtOrBefore(spans, viewport.start, (span) => span.frame_start) - 1);
  let drawnTo = -1;
  for (let i = first; i < spans.length; i++) {
    const span = spans[i];
    const left = viewport.x(shownFrame(scene, span.start_id, span.frame_start));
    const right = viewport.x(shownFrame(scene, span.end_id, span.frame_end));
    if (left > viewport.width) break;
    if (right - left < 1.5) { // one stroke per pixel stands for all that begins there
      if (Math.floor(left) === drawnTo) continue;
      drawnTo = Math.floor(left);
      canvas.fillStyle = i % 2 ? colours[level] : colours[`${level}-alt`];
      canvas.fillRect(drawnTo, y, 1, height);
      continue;
    }
    const [from, to] = [Math.max(left, -8), Math.min(right, viewport.width + 8)];
    const gap = right - left > 6 ? 1 : 0;
    const rejected = span.label?.state === "rejected";
    canvas.fillStyle = rejected ? colours.sunken : i % 2 ? colours[level] : colours[`${level}-alt`];
    canvas.beginPath();
    canvas.roundRect(from + gap, y, Math.max(0.5, to - from - 2 * gap), height, right - left > 8 ? 3 : 0);
    canvas.fill();
    if (rejected) outline(canvas, colours.bad, [3, 3]);
    const isSelected = selected === span.start_id && level === scene.level;
    if (isSelected) outline(canvas, colours.accent, []);
    if (height > 12) drawWords(canvas, scene, span, Math.max(left, 0), Math.min(right, viewport.width), y, height);
  }
}

/** @param {CanvasRenderingContext2D} canvas @param {string} colour @param {number[]} dash */
function outline(canvas, colour, dash) {
  canvas.strokeStyle = colour;
  canvas.lineWidth = dash.length ? 1 : 2;
  canvas.setLineDash(dash);
  canvas.stroke();
  canvas.setLineDash([]);
}

/** @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {import("./document.js").Span} span @param {number} left @param {number} right @param {number} y @param {number} height */
function drawWords(canvas, { colours }, span, left, right, y, height) {
  const label = span.label;
  const mark = label && { accepted: "check", edited: "dot", rejected: "cross", proposed: "" }[label.state];
  const room = right - left - 14 - (mark ? 12 : 0);
  if (room < CHAR_PX * 2) return;
  const middle = y + height / 2;
  if (mark) drawMark(canvas, mark, left + 11, middle, mark === "cross" ? colours.bad : colours["on-lane"]);
  const words = label ? (room > CHAR_PX * 14 && label.caption) || label.verb : "no words";
  const most = Math.floor(room / CHAR_PX);
  canvas.fillStyle = label?.state === "rejected" ? colours["text-dim"] : colours["on-lane"];
  canvas.fillText(words.length > most ? `${words.slice(0, Math.max(1, most - 1))}…` : words, left + 7 + (mark ? 13 : 0), middle + 0.5);
}

/** @param {CanvasRenderingContext2D} canvas @param {string} mark @param {number} x @param {number} y @param {string} colour */
function drawMark(canvas, mark, x, y, colour) {
  canvas.strokeStyle = canvas.fillStyle = colour;
  canvas.lineWidth = 1.6;
  canvas.beginPath();
  if (mark === "check") canvas.moveTo(x - 4, y), canvas.lineTo(x - 1, y + 3), canvas.lineTo(x + 4, y - 4);
  else if (mark === "cross") canvas.moveTo(x - 3, y - 3), canvas.lineTo(x + 3, y + 3), canvas.moveTo(x + 3, y - 3), canvas.lineTo(x - 3, y + 3);
  else {
    canvas.arc(x, y, 2.5, 0, 7);
    return canvas.fill();
  }
  canvas.stroke();
}

/** Boundaries as lines through every lane they bound. @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {ReturnType<typeof rows>} at */
function drawEdges(canvas, scene, at) {
  const { viewport, colours, document, evidence } = scene;
  const edges = inOrder(document);
  const first = Math.max(0, lastAtOrBefore(edges, viewport.start, (edge) => edge.frame));
  const sparse = viewport.framesPerPixel < 4 || edges.length < viewport.width / 4;
  for (let i = first; i < edges.length && edges[i].frame <= viewport.end; i++) {
    const edge = edges[i];
    const [isSelected, isHovered] = [edge.id === scene.selected, edge.id === scene.hovered];
    const doubtful = sparse && !edge.pinned && edge.state === "proposed" && (edge.confidence < 0.5 || evidence[edge.id]?.doubts?.length);
    if (!isSelected && !isHovered && !doubtful) continue;
    const x = viewport.x(shownFrame(scene, edge.id, edge.frame));
    const top = at.lanes[LEVELS[edge.rank]];
    if (doubtful && !isSelected) {
      canvas.fillStyle = colours.warn;
      canvas.beginPath();
      canvas.moveTo(x - 4, top - 3);
      canvas.lineTo(x + 4, top - 3);
      canvas.lineTo(x, top + 4);
      canvas.fill();
    }
    if (!isSelected && !isHovered) continue;
    canvas.fillStyle = isSelected ? colours.accent : colours["text-dim"];
    canvas.fillRect(Math.round(x) - 1, top - 2, isSelected ? 3 : 2, at.human - top);
    if (isSelected) {
      canvas.beginPath();
      canvas.roundRect(Math.round(x) - 5, top - 6, 11, 9, 3);
      canvas.fill();
    }
  }
}

/** What people set, beside where the machine had it. @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {number} y */
function drawHuman(canvas, scene, y) {
  const { viewport, colours, document } = scene;
  canvas.fillStyle = colours.sunken;
  canvas.fillRect(0, y, viewport.width, LAYOUT.human);
  const middle = y + LAYOUT.human / 2;
  const edges = inOrder(document);
  const first = Math.max(0, lastAtOrBefore(edges, viewport.start, (edge) => edge.frame));
  let drawnTo = -1;
  for (let i = first; i < edges.length && edges[i].frame <= viewport.end; i++) {
    const edge = edges[i];
    const x = viewport.x(shownFrame(scene, edge.id, edge.frame));
    if (edge.origin !== "human") {
      if (Math.floor(x) === drawnTo) continue;
      drawnTo = Math.floor(x);
      canvas.fillStyle = colours["line-strong"];
      canvas.fillRect(drawnTo, middle - 3, 1, 6);
      continue;
    }
    const was = scene.machineValue(edge.id);
    if (was && was.frame !== edge.frame) {
      const from = viewport.x(was.frame);
      canvas.strokeStyle = canvas.fillStyle = colours["text-faint"];
      canvas.lineWidth = 1.5;
      canvas.beginPath();
      canvas.moveTo(from, middle);
      canvas.lineTo(x, middle);
      canvas.stroke();
      diamond(canvas, from, middle, 4, colours.surface, colours["text-dim"]);
    }
    diamond(canvas, x, middle, 5.5, edge.state === "rejected" ? colours.bad : colours.human, colours.surface);
    if (edge.state === "accepted") drawMark(canvas, "check", x, y + 5, colours.human);
  }
  for (const gone of scene.removed) {
    const x = viewport.x(gone.frame);
    if (x < -5 || x > viewport.width + 5) continue;
    diamond(canvas, x, middle, 4, colours.surface, colours["text-faint"]);
    drawMark(canvas, "cross", x, middle, colours.bad);
  }
}

/** @param {CanvasRenderingContext2D} canvas @param {number} x @param {number} y @param {number} size @param {string} fill @param {string} stroke */
function diamond(canvas, x, y, size, fill, stroke) {
  canvas.beginPath();
  canvas.moveTo(x, y - size);
  canvas.lineTo(x + size, y);
  canvas.lineTo(x, y + size);
  canvas.lineTo(x - size, y);
  canvas.closePath();
  canvas.fillStyle = fill;
  canvas.fill();
  canvas.strokeStyle = stroke;
  canvas.lineWidth = 1.2;
  canvas.stroke();
}

/** Where newer runs would have a boundary. @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {ReturnType<typeof rows>} at */
function drawSuggestions(canvas, { suggestions, viewport, colours }, at) {
  canvas.strokeStyle = colours.accent;
  canvas.lineWidth = 1.5;
  canvas.setLineDash([2, 3]);
  for (const { frame, rank } of suggestions) {
    const x = viewport.x(frame);
    if (x < 0 || x > viewport.width) continue;
    canvas.beginPath();
    canvas.moveTo(x, at.lanes[LEVELS[rank]]);
    canvas.lineTo(x, at.human + LAYOUT.human);
    canvas.stroke();
  }
  canvas.setLineDash([]);
}

/** @param {CanvasRenderingContext2D} canvas @param {Scene} scene */
function drawOverview(canvas, { document, viewport, colours, playhead }) {
  const { width, nFrames } = viewport;
  canvas.fillStyle = colours.sunken;
  canvas.fillRect(0, 0, width, LAYOUT.overview);
  const counts = new Uint16Array(Math.ceil(width / 2));
  let most = 1;
  for (const edge of inOrder(document)) {
    const at = Math.min(counts.length - 1, Math.floor((edge.frame / nFrames) * counts.length));
    most = Math.max(most, ++counts[at]);
  }
  canvas.fillStyle = colours["text-faint"];
  counts.forEach((count, i) => {
    if (count) canvas.fillRect(i * 2, LAYOUT.overview - 2 - (count / most) * (LAYOUT.overview - 5), 1.5, (count / most) * (LAYOUT.overview - 5));
  });
  const [left, right] = [(viewport.start / nFrames) * width, (viewport.end / nFrames) * width];
  canvas.fillStyle = colours["accent-soft"];
  canvas.fillRect(left, 0, right - left, LAYOUT.overview);
  canvas.strokeStyle = colours.accent;
  canvas.lineWidth = 1;
  canvas.strokeRect(left + 0.5, 0.5, Math.max(3, right - left - 1), LAYOUT.overview - 1);
  canvas.fillStyle = colours.playhead;
  canvas.fillRect((playhead / nFrames) * width - 0.5, 0, 1.5, LAYOUT.overview);
}

/** @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {number} y */
function drawRuler(canvas, { viewport, colours, seconds }, y) {
  const step = Math.max(1, niceStep(viewport.framesPerPixel, 96));
  const minor = Math.max(1, step / 5);
  canvas.font = "11px system-ui, sans-serif";
  canvas.fillStyle = colours["line-strong"];
  for (let frame = Math.ceil(viewport.start / minor) * minor; frame <= viewport.end; frame += minor) {
    canvas.fillRect(Math.round(viewport.x(frame)), y + LAYOUT.ruler - 5, 1, 4);
  }
  for (let frame = Math.ceil(viewport.start / step) * step; frame <= viewport.end; frame += step) {
    const x = Math.round(viewport.x(frame));
    canvas.fillStyle = colours["line-strong"];
    canvas.fillRect(x, y + 4, 1, LAYOUT.ruler - 5);
    if (x > viewport.width - 70) continue;
    canvas.fillStyle = colours["text-dim"];
    canvas.fillText(String(frame), x + 4, y + 10);
    const width = String(frame).length * 7;
    canvas.fillStyle = colours["text-faint"];
    canvas.fillText(clock(seconds(frame)), x + 9 + width, y + 10);
  }
  canvas.font = FONT;
}

/** @param {number} s */
const clock = (s) => (s >= 60 ? `${Math.floor(s / 60)}:${(s % 60).toFixed(s < 600 ? 1 : 0).padStart(s < 600 ? 4 : 2, "0")}` : `${s.toFixed(2)} s`);

/** @param {CanvasRenderingContext2D} canvas @param {Scene} scene @param {ReturnType<typeof rows>} at */
function drawPlayhead(canvas, { viewport, colours, playhead, verified }, at) {
  const x = viewport.x(playhead);
  if (x < -20 || x > viewport.width + 20) return;
  const wide = viewport.x(playhead + 1) - x;
  canvas.fillStyle = verified ? colours.playhead : colours.bad;
  if (wide > 4) { // near enough that a picture is an area, not an instant
    canvas.globalAlpha = 0.18;
    canvas.fillRect(x, at.ruler, wide, at.height - at.ruler);
    canvas.globalAlpha = 1;
  }
  canvas.fillRect(Math.round(x) - 0.5, at.ruler + 8, 1.5, at.height - at.ruler - 8);
  canvas.beginPath();
  canvas.moveTo(x - 5, at.ruler + 3);
  canvas.lineTo(x + 5, at.ruler + 3);
  canvas.lineTo(x, at.ruler + 11);
  canvas.fill();
}

/** The boundary to grasp at a point, if one is near enough. With `coarsest`, of those near the one that most lanes share. @param {Scene} scene @param {import("./document.js").Level} level @param {number} x @param {boolean} coarsest */
export function edgeNear({ document, viewport }, level, x, coarsest) {
  const edges = inOrder(document);
  const reach = 7;
  const from = Math.max(0, lastAtOrBefore(edges, viewport.frame(x - reach), (edge) => edge.frame));
  let best = null;
  let least = Infinity;
  for (let i = from; i < edges.length && viewport.x(edges[i].frame) <= x + reach; i++) {
    const away = Math.abs(viewport.x(edges[i].frame) - x);
    if (edges[i].pinned || away > reach || (!coarsest && edges[i].rank > LEVELS.indexOf(level))) continue;
    const cost = coarsest ? edges[i].rank * 100 + away : away;
    if (cost < least) [best, least] = [edges[i], cost];
  }
  return best;
}
