/**
 * What people can do to a document, and what each deed changes: the mirror of annotators/review/operation.py.
 *
 * The app shows a deed before the server has it, so it must know what the server will make of it. A change holds, per
 * entity, its value before and after; swapped, it is the undo.
 */

import { LEVELS, boundaryKey, isBoundaryKey, idOfKey, labelKey, lane, neighbours, problems } from "./document.js";

/** @typedef {import("./document.js").Document} Document */
/** @typedef {import("./document.js").Boundary} Boundary */
/** @typedef {import("./document.js").Label} Label */
/** @typedef {import("./document.js").Level} Level */
/** @typedef {Boundary|Label|null} Entity */
/** @typedef {Record<string, [Entity, Entity]>} Change */
/**
 * @typedef {{kind: "move", boundary_id: string, frame: number}
 *   | {kind: "split", boundary_id: string, frame: number, rank: number}
 *   | {kind: "merge", boundary_id: string, keep: "left"|"right"}
 *   | {kind: "rank", boundary_id: string, rank: number}
 *   | {kind: "label", level: Level, boundary_id: string, caption: string, verb: string, objects: string[], arm: string|null}
 *   | {kind: "decide", entity: string, state: string, reason: string}} Operation
 */

/** The operation makes no sense on this document, or would break it. */
export class OperationError extends Error {}

/** Whitespace as Python's ``str.strip`` sees it, so that both sides keep the same caption. */
const EDGE_SPACE = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

/** Deep equality of plain values. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => same(a[name], b[name]));
}

/** What an operation would change. Throws OperationError. @param {Document} document @param {Operation} operation @returns {Change} */
export function changeOf(document, operation) {
  const raw = RULES[operation.kind](document, /** @type {any} */ (operation));
  const change = Object.fromEntries(Object.entries(raw).filter(([, [before, after]]) => !same(before, after)));
  const broken = problems(applied(document, change));
  if (broken.length) throw new OperationError(broken.join("; "));
  return change;
}

/** The document after a change. @param {Document} document @param {Change} change @returns {Document} */
export function applied(document, change) {
  const boundaries = { ...document.boundaries };
  const labels = { ...document.labels };
  for (const [key, [, after]] of Object.entries(change)) {
    const [home, name] = isBoundaryKey(key) ? [boundaries, idOfKey(key)] : [labels, key];
    if (after === null) delete (/** @type {any} */ (home)[name]);
    else /** @type {any} */ (home)[name] = after;
  }
  return { ...document, boundaries, labels };
}

/** @param {Change} change @returns {Change} */
export const reversedChange = (change) =>
  Object.fromEntries(Object.entries(change).map(([key, [before, after]]) => [key, [after, before]]));

/** Entities that must not have changed meanwhile: those touched, and the boundaries next to touched ones. @param {Document} document @param {Change} change */
export function concerns(document, change) {
  const found = new Set(Object.keys(change));
  for (const state of [document, applied(document, change)]) {
    for (const key of Object.keys(change)) {
      const id = idOfKey(key);
      if (!isBoundaryKey(key) || !(id in state.boundaries)) continue;
      for (const other of neighbours(state, id)) if (other) found.add(boundaryKey(other.id));
    }
  }
  return [...found].sort();
}

/** @param {Document} document @param {string} key @returns {Entity} */
export const valueOf = (document, key) =>
  (isBoundaryKey(key) ? document.boundaries[idOfKey(key)] : document.labels[key]) ?? null;

/** @param {Document} document @param {string} id */
function boundaryOf(document, id) {
  const found = document.boundaries[id];
  if (!found) throw new OperationError(`boundary ${id}: there is none; it may have been merged away`);
  return found;
}

/** @param {Document} document @param {string} id */
function movable(document, id) {
  const found = boundaryOf(document, id);
  if (found.pinned) throw new OperationError(`boundary ${id}: it is the edge of what cleaning kept, which review does not move`);
  return found;
}

/** @param {Boundary} boundary @param {Partial<Boundary>} values @returns {Boundary} */
const touched = (boundary, values) => ({ ...boundary, origin: "human", state: "edited", ...values });

/** An event of `level` no longer starts at the boundary. @param {Document} document @param {Level} level @param {string} id @param {boolean} right @returns {Change} */
function withoutStart(document, level, id, right) {
  const gone = labelKey(level, id);
  const words = document.labels[gone];
  if (!words) return {};
  /** @type {Change} */
  const found = { [gone]: [words, null] };
  if (right) {
    for (const span of lane(document, level)) {
      if (span.end_id === id) found[labelKey(level, span.start_id)] = [span.label, { ...words, origin: "human", state: "edited" }];
    }
  }
  return found;
}

/** Labels that the events divided at `frame` give to what starts there now. @param {Document} document @param {Level[]} levels @param {string} id @param {number} frame */
function inherited(document, levels, id, frame) {
  /** @type {Change} */
  const found = {};
  for (const level of levels) {
    for (const span of lane(document, level)) {
      if (span.frame_start < frame && frame < span.frame_end && span.label) found[labelKey(level, id)] = [null, span.label];
    }
  }
  return found;
}

/** @type {Record<string, (document: Document, operation: any) => Change>} */
const RULES = {
  move(document, { boundary_id: id, frame }) {
    const before = movable(document, id);
    for (const other of neighbours(document, id)) {
      if (other && (other.frame - before.frame) * (other.frame - frame) < 0) {
        throw new OperationError(`frame ${frame}: boundary ${other.id} at ${other.frame} is in the way; merge it first`);
      }
    }
    return { [boundaryKey(id)]: [before, touched(before, { frame })] };
  },
  split(document, { boundary_id: id, frame, rank }) {
    if (id in document.boundaries) throw new OperationError(`boundary ${id}: there is one already; a new boundary needs a new id`);
    if (Object.values(document.boundaries).some((edge) => edge.frame === frame)) {
      throw new OperationError(`frame ${frame}: there is a boundary already; promote it instead`);
    }
    /** @type {Boundary} */
    const edge = { frame, rank, kind: "annotation", confidence: 1, origin: "human", state: "edited", pinned: false, opens: true };
    return { [boundaryKey(id)]: [null, edge], ...inherited(document, LEVELS.slice(rank), id, frame) };
  },
  merge(document, { boundary_id: id, keep }) {
    const before = movable(document, id);
    /** @type {Change} */
    let change = { [boundaryKey(id)]: [before, null] };
    for (const level of LEVELS.slice(before.rank)) change = { ...change, ...withoutStart(document, level, id, keep === "right") };
    return change;
  },
  rank(document, { boundary_id: id, rank }) {
    const before = movable(document, id);
    /** @type {Change} */
    let change = { [boundaryKey(id)]: [before, touched(before, { rank })] };
    change = { ...change, ...inherited(document, LEVELS.slice(rank, Math.max(rank, before.rank)), id, before.frame) };
    for (const level of LEVELS.slice(before.rank, Math.max(rank, before.rank))) {
      change = { ...change, ...withoutStart(document, level, id, false) };
    }
    return change;
  },
  label(document, { level, boundary_id: id, caption, verb, objects, arm }) {
    if (!lane(document, level).some((span) => span.start_id === id)) {
      throw new OperationError(`no ${level} starts at boundary ${id}`);
    }
    const key = labelKey(level, id);
    /** @type {Label} */
    const words = { caption: caption.replace(EDGE_SPACE, ""), verb, objects, arm, origin: "human", state: "edited" };
    return { [key]: [document.labels[key] ?? null, words] };
  },
  decide(document, { entity, state }) {
    const before = valueOf(document, entity);
    if (before === null) throw new OperationError(`${entity}: there is none; it may have been merged away`);
    return { [entity]: [before, { ...before, origin: "human", state }] };
  },
};
