/**
 * In which order a person is asked: boundaries first, the least certain before the others, then the captions in time.
 *
 * Boundaries are the machine's weakest part, and a caption is about the span that its boundaries make.
 */

import { boundaryKey, inOrder, labelKey, lane } from "./document.js";

/** @typedef {{kind: "boundary"|"caption", id: string, level: import("./document.js").Level}} Item */

/**
 * @param {import("./document.js").Document} document @param {import("./document.js").Level} level whose captions are asked about
 * @param {Record<string, {confidence?: number, doubts?: string[]}>} evidence @param {Set<string>} markedLive boundaries set while playing, to be confirmed
 * @returns {Item[]}
 */
export function deckOf(document, level, evidence, markedLive) {
  const doubt = (/** @type {import("./document.js").Placed} */ edge) =>
    markedLive.has(edge.id) ? -9 : edge.confidence - 0.3 * (evidence[edge.id]?.doubts?.length ?? 0);
  const edges = inOrder(document).filter((edge) => !edge.pinned).sort((a, b) => doubt(a) - doubt(b) || a.frame - b.frame);
  return [
    ...edges.map((edge) => /** @type {Item} */ ({ kind: "boundary", id: edge.id, level })),
    ...lane(document, level).filter((span) => span.label).map((span) => /** @type {Item} */ ({ kind: "caption", id: span.start_id, level })),
  ];
}

/** The entity a decision about an item is about. @param {Item} item */
export const keyOf = (item) => (item.kind === "boundary" ? boundaryKey(item.id) : labelKey(item.level, item.id));

/** Whether people have said anything about an item. @param {import("./document.js").Document} document @param {Item} item @param {Set<string>} markedLive */
export function isDecided(document, item, markedLive) {
  const value = item.kind === "boundary" ? document.boundaries[item.id] : document.labels[keyOf(item)];
  return !value || (value.state !== "proposed" && !markedLive.has(item.id));
}

/** @param {Item|null} a @param {Item|null} b */
export const isSame = (a, b) => a?.kind === b?.kind && a?.id === b?.id && (a?.kind === "boundary" || a?.level === b?.level);

/** The item after (or before) one, round the end; with `undecided`, the next that nobody has decided, or null. @param {Item[]} deck @param {Item|null} from @param {1|-1} by @param {(item: Item) => boolean} [skip] */
export function neighbourIn(deck, from, by, skip = () => false) {
  if (!deck.length) return null;
  const at = deck.findIndex((item) => isSame(item, from));
  for (let n = 1; n <= deck.length; n++) {
    const item = deck[(((at < 0 && by < 0 ? 0 : at) + by * n) % deck.length + deck.length) % deck.length];
    if (!skip(item)) return item;
  }
  return null;
}
