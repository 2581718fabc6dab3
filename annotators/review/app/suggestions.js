/**
 * What a newer run of the machine has otherwise than people, as far as it still differs from what is on screen.
 *
 * A suggestion stands beside an entity of people's: a boundary beside theirs or inside an event they hold, words beside
 * their words. Several may stand beside one, so they are a list.
 */

import { inOrder, lastAtOrBefore } from "./document.js";

/** @typedef {{beside: string, value: any}} Suggestion */
/** @typedef {{beside: string, frame: number, rank: number}} SuggestedBoundary */

/** @param {{sheet: any, document: import("./document.js").Document}} desk @returns {SuggestedBoundary[]} */
export function suggestedBoundaries({ sheet, document }) {
  const edges = inOrder(document);
  const isThere = (/** @type {{frame: number, rank: number}} */ { frame, rank }) => {
    const edge = edges[lastAtOrBefore(edges, frame, (one) => one.frame)];
    return edge?.frame === frame && edge.rank <= rank;
  };
  return all(sheet)
    .filter(({ value }) => "frame" in value && !isThere(value))
    .map(({ beside, value }) => ({ beside, frame: value.frame, rank: value.rank }));
}

/** The machine's newer words for an event that people worded, unless they are the same. @param {{sheet: any, document: import("./document.js").Document}} desk @param {string} key of the words */
export function suggestedWords({ sheet, document }, key) {
  const found = all(sheet).find(({ beside, value }) => beside === key && "caption" in value)?.value;
  const { caption, verb } = document.labels[key] ?? {};
  return found && (found.caption !== caption || found.verb !== verb) ? found : null;
}

/** @param {any} sheet @returns {Suggestion[]} */
const all = (sheet) => sheet.suggestions ?? [];
