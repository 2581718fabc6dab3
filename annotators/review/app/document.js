/**
 * A tree under review, as the server keeps it: the mirror of annotators/review/document.py.
 *
 * Boundaries have ranks, so that the four levels nest by construction; a lane is the tiling cut at all boundaries whose
 * rank is at most its depth. Documents are plain values that nobody changes in place, so what is derived from one is
 * computed once and kept as long as the document is. A test runs random operations through this and the Python.
 */

/** @typedef {"task"|"subtask"|"action"|"segment"} Level */
/**
 * @typedef {object} Boundary
 * @property {number} frame
 * @property {number} rank depth of the coarsest level it bounds
 * @property {string} kind
 * @property {number} confidence
 * @property {"machine"|"human"} origin
 * @property {"proposed"|"accepted"|"edited"|"rejected"} state
 * @property {boolean} pinned edge of what cleaning kept
 * @property {boolean} opens false where no event begins
 */
/**
 * @typedef {object} Label
 * @property {string} caption
 * @property {string} verb
 * @property {string[]} objects
 * @property {"left"|"right"|null} arm
 * @property {"machine"|"human"} origin
 * @property {"proposed"|"accepted"|"edited"|"rejected"} state
 */
/** @typedef {{episode_id: string, n_frames: number, boundaries: Record<string, Boundary>, labels: Record<string, Label>}} Document */
/** @typedef {Boundary & {id: string}} Placed */
/** @typedef {{level: Level, start_id: string, end_id: string, frame_start: number, frame_end: number, label: Label|null}} Span */

/** @type {Level[]} */
export const LEVELS = ["task", "subtask", "action", "segment"];
export const MIN_EVENT_FRAMES = 5;

/** @param {string} id */
export const boundaryKey = (id) => `boundary:${id}`;
/** @param {Level} level @param {string} id */
export const labelKey = (level, id) => `label:${level}:${id}`;
/** @param {string} key */
export const isBoundaryKey = (key) => key.startsWith("boundary:");
/** @param {string} key */
export const idOfKey = (key) => (isBoundaryKey(key) ? key.slice("boundary:".length) : key.split(":").slice(2).join(":"));
/** @param {Level} level */
export const depthOf = (level) => LEVELS.indexOf(level);

/** @type {WeakMap<Document, Placed[]>} */
const orders = new WeakMap();
/** @type {WeakMap<Document, Map<Level, Span[]>>} */
const lanes = new WeakMap();

/** Boundaries by frame. @param {Document} document @returns {Placed[]} */
export function inOrder(document) {
  let found = orders.get(document);
  if (!found) {
    found = Object.entries(document.boundaries)
      .map(([id, boundary]) => ({ id, ...boundary }))
      .sort((a, b) => a.frame - b.frame);
    orders.set(document, found);
  }
  return found;
}

/** The events of a level in time order, without what cleaning left out. @param {Document} document @param {Level} level */
export function lane(document, level) {
  let byLevel = lanes.get(document);
  if (!byLevel) lanes.set(document, (byLevel = new Map()));
  let spans = byLevel.get(level);
  if (!spans) byLevel.set(level, (spans = tiled(document, level)));
  return spans;
}

/** @param {Document} document @param {Level} level @returns {Span[]} */
function tiled(document, level) {
  const cuts = inOrder(document).filter((edge) => edge.rank <= depthOf(level));
  const spans = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [start, end] = [cuts[i], cuts[i + 1]];
    if (!start.opens) continue;
    const label = document.labels[labelKey(level, start.id)] ?? null;
    spans.push({ level, start_id: start.id, end_id: end.id, frame_start: start.frame, frame_end: end.frame, label });
  }
  return spans;
}

/** Index of the last element whose `frameOf` is at most `frame`; -1 when there is none. @template T @param {T[]} sorted @param {number} frame @param {(item: T) => number} frameOf */
export function lastAtOrBefore(sorted, frame, frameOf) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frameOf(sorted[middle]) <= frame) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The event of a level that holds a picture, if any. @param {Document} document @param {Level} level @param {number} frame */
export function spanAt(document, level, frame) {
  const spans = lane(document, level);
  const span = spans[lastAtOrBefore(spans, frame, (item) => item.frame_start)];
  return span && frame < span.frame_end ? span : null;
}

/** The event of a level that starts at a boundary, if any. @param {Document} document @param {Level} level @param {string} id */
export function spanFrom(document, level, id) {
  const boundary = document.boundaries[id];
  const span = boundary && spanAt(document, level, boundary.frame);
  return span && span.start_id === id ? span : null;
}

/** Boundaries before and after one. @param {Document} document @param {string} id @returns {[Placed|null, Placed|null]} */
export function neighbours(document, id) {
  const order = inOrder(document);
  const at = order.findIndex((edge) => edge.id === id);
  return [order[at - 1] ?? null, order[at + 1] ?? null];
}

/** Lowest and highest frame a boundary may move to. @param {Document} document @param {string} id @returns {[number, number]} */
export function room(document, id) {
  const [before, after] = neighbours(document, id);
  const low = before ? before.frame + (before.opens ? MIN_EVENT_FRAMES : 1) : 0;
  const high = after ? after.frame - MIN_EVENT_FRAMES : document.n_frames;
  return [low, high];
}

/** Every broken invariant as a sentence. @param {Document} document @returns {string[]} */
export function problems(document) {
  const order = inOrder(document);
  if (!order.length || !order[0].pinned || !order[order.length - 1].pinned) {
    return ["the first and the last boundary must be edges of a kept range"];
  }
  const found = [];
  for (let i = 0; i + 1 < order.length; i++) {
    const [start, end] = [order[i], order[i + 1]];
    const frames = end.frame - start.frame;
    if (start.opens && frames < MIN_EVENT_FRAMES) {
      found.push(`${start.id} to ${end.id}: ${frames} frames, expected at least ${MIN_EVENT_FRAMES}`);
    }
    if (frames <= 0) found.push(`${end.id} at frame ${end.frame} does not come after ${start.id} at ${start.frame}`);
    if (!start.opens && !(end.pinned && end.opens)) {
      found.push(`${end.id} at frame ${end.frame} lies where cleaning kept nothing`);
    }
  }
  if (order[0].frame < 0 || order[order.length - 1].frame > document.n_frames) {
    found.push(`boundaries leave the recording of ${document.n_frames} frames`);
  }
  const starts = new Set(LEVELS.flatMap((level) => lane(document, level).map((span) => labelKey(level, span.start_id))));
  for (const key of Object.keys(document.labels).sort()) {
    if (!starts.has(key)) found.push(`${key}: no event starts there`);
  }
  return found;
}
