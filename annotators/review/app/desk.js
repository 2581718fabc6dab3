/**
 * One episode on somebody's desk: what is selected, what is on its way, and every deed, whether a key, a button or a
 * drag asked for it. No deed about a boundary is made while the player cannot prove which picture is on screen.
 */

import { newId } from "./api.js";
import { deckOf, isDecided, isSame, keyOf, neighbourIn } from "./deck.js";
import { LEVELS, inOrder, labelKey, room, spanAt, spanFrom } from "./document.js";
import { OperationError } from "./operation.js";

const COMMIT_AFTER_MS = 450;
const VIEW = "joinery.view";

/** @typedef {import("./deck.js").Item} Item */
/** @typedef {{id: string, frame: number, was: number, by: "key"|"drag"}} Draft */

export class Desk extends EventTarget {
  /** @param {import("./live_document.js").LiveDocument} live @param {import("./player.js").Player} player @param {any} sheet */
  constructor(live, player, sheet) {
    super();
    this.live = live;
    this.player = player;
    this.sheet = sheet;
    const kept = JSON.parse(localStorage.getItem(VIEW) ?? "{}");
    /** @type {"timeline"|"card"} */
    this.mode = kept.mode ?? "timeline";
    this.signals = kept.signals ?? true;
    /** @type {import("./document.js").Level} */
    this.level = "action";
    /** @type {Item|null} */
    this.item = null;
    /** @type {Draft|null} */
    this.draft = null;
    /** @type {Set<import("./document.js").Level>} */
    this.hidden = new Set();
    /** Boundaries set while playing: asked about again, at rest. @type {Set<string>} */
    this.markedLive = new Set();
    this.notice = { text: "", tone: "plain", n: 0 };
    this.commitTimer = 0;
    live.addEventListener("change", () => this.onDocument());
  }

  get document() {
    return this.live.document;
  }

  get selected() {
    return this.item?.id ?? null;
  }

  /** @returns {import("./document.js").Boundary|null} */
  get boundary() {
    return this.item ? this.document.boundaries[this.item.id] ?? null : null;
  }

  /** The event in question: the one that starts at the selected boundary, else the one that holds it. */
  get span() {
    if (!this.item || !this.boundary) return spanAt(this.document, this.level, this.player.frame);
    return spanFrom(this.document, this.level, this.item.id) ?? spanAt(this.document, this.level, this.boundary.frame);
  }

  get deck() {
    return deckOf(this.document, this.level, this.sheet.evidence ?? {}, this.markedLive);
  }

  get progress() {
    const deck = this.deck;
    return { done: deck.filter((item) => isDecided(this.document, item, this.markedLive)).length, total: deck.length };
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  onDocument() {
    if (this.item && !this.document.boundaries[this.item.id]) this.item = null;
    if (this.draft && !this.document.boundaries[this.draft.id]) this.draft = null;
    this.changed();
  }

  /** Something to tell the person, for some seconds. @param {string} text @param {"plain"|"bad"|"good"} [tone] */
  say(text, tone = "plain") {
    this.notice = { text, tone, n: this.notice.n + 1 };
    this.changed();
  }

  /** @param {Partial<{mode: "timeline"|"card", signals: boolean}>} view */
  setView(view) {
    Object.assign(this, view);
    localStorage.setItem(VIEW, JSON.stringify({ mode: this.mode, signals: this.signals }));
    this.changed();
    if (view.mode === "card") void this.begin();
  }

  /** Card mode starts at what most wants a person. */
  begin() {
    const isOpen = this.item && !isDecided(this.document, this.item, this.markedLive);
    return this.select(isOpen ? this.item : this.nextOpen() ?? this.deck[0] ?? null);
  }

  nextOpen() {
    return neighbourIn(this.deck, this.item, 1, (item) => isDecided(this.document, item, this.markedLive));
  }

  /** @param {Item|null} item @param {{seek?: boolean}} [how] */
  async select(item, { seek = true } = {}) {
    await this.commitDraft();
    this.item = item;
    if (item) this.level = item.level;
    this.changed();
    const boundary = this.boundary;
    if (!item || !boundary || !seek) return;
    this.player.loop = null;
    await this.player.goto(boundary.frame);
    // A key that moved the boundary meanwhile goes before the loop, which would take its picture off the screen.
    const busy = this.draft || this.committing;
    if (this.mode === "card" && !busy && isSame(this.item, item) && this.player.frame === boundary.frame) await this.loop();
  }

  /** @param {import("./document.js").Level} level */
  setLevel(level) {
    this.level = level;
    if (this.item) this.item = { ...this.item, level };
    if (this.item?.kind === "caption" && !spanFrom(this.document, level, this.item.id)) this.item = { ...this.item, kind: "boundary" };
    this.changed();
  }

  /** Levels drawn as a thin line: those a person hid; in card mode all but the one that is asked about. */
  get folded() {
    return this.mode === "card" ? new Set(LEVELS.filter((level) => level !== this.level)) : this.hidden;
  }

  toggleLevel(level = this.level) {
    if (this.hidden.has(level)) this.hidden.delete(level);
    else this.hidden.add(level);
    this.changed();
  }

  /** @param {1|-1} by */
  queued(by) {
    return this.select(neighbourIn(this.deck, this.item, by));
  }

  /** @param {1|-1} by */
  inTime(by) {
    const depth = LEVELS.indexOf(this.level);
    const here = this.boundary?.frame ?? this.player.frame;
    const edges = inOrder(this.document).filter((edge) => edge.rank <= depth && (edge.frame - here) * by > 0);
    const edge = by > 0 ? edges[0] : edges.at(-1);
    return edge ? this.select({ kind: "boundary", id: edge.id, level: this.level }) : undefined;
  }

  /** Go to a picture. @param {number} frame */
  async goto(frame) {
    await this.commitDraft();
    await this.player.goto(frame);
  }

  /** @param {number} by */
  async step(by) {
    await this.commitDraft();
    await this.player.step(by);
  }

  /** Loop a second each side of the boundary, or the event whose caption is asked about. */
  async loop() {
    const { table } = this.player;
    const span = this.item?.kind === "caption" ? this.span : null;
    if (span) return this.player.playSpan(span.frame_start, span.frame_end);
    const at = table.timeNs(this.boundary?.frame ?? this.player.frame);
    return this.player.playSpan(table.frameAt(at - 1e9), table.frameAt(at + 1e9) + 1);
  }

  /** @param {string} id @param {number} frame @param {"key"|"drag"} by */
  startDraft(id, frame, by) {
    const boundary = this.document.boundaries[id];
    if (boundary.pinned) return this.say("This is the edge of what cleaning kept; review does not move it.", "bad");
    const [low, high] = room(this.document, id);
    const to = Math.min(Math.max(frame, low), high);
    const was = this.draft?.id === id ? this.draft.was : boundary.frame;
    if (this.draft?.frame !== to || this.draft?.id !== id) {
      this.draft = { id, frame: to, was, by };
      this.player.loop = null;
      void this.player.goto(to);
    }
    this.changed();
  }

  /** Steps of a held key are one deed: it is made when they stop. @param {number} by */
  async nudge(by) {
    if (!this.item || !this.boundary) return this.say("Select a boundary first: Tab, or a click on it.");
    if (this.draft && this.draft.id !== this.item.id) await this.commitDraft();
    this.startDraft(this.item.id, (this.draft?.frame ?? this.boundary.frame) + by, "key");
    this.commitLater();
  }

  cancelDraft() {
    clearTimeout(this.commitTimer);
    this.draft = null;
    this.changed();
  }

  /** Make the deed of a draft, once the picture it names is proven to be on screen. */
  async commitDraft() {
    clearTimeout(this.commitTimer);
    this.committing ??= this.proven(() => this.settleDraft()).then((made) => {
      this.committing = undefined;
      if (!made) this.draft = null;
      else if (this.draft) this.commitLater(); // a key went on while the deed before was made
      this.changed();
    });
    return this.committing;
  }

  commitLater() {
    clearTimeout(this.commitTimer);
    this.commitTimer = window.setTimeout(() => this.commitDraft(), COMMIT_AFTER_MS);
  }

  async settleDraft() {
    let tries = 0;
    for (let draft = this.draft; draft; draft = this.draft) {
      if (draft.frame === draft.was) return this.cancelDraft();
      const { id, frame } = draft;
      await this.player.goto(frame);
      const mark = await this.player.mark();
      if (this.draft?.id !== id || this.draft.frame !== frame) continue; // it has moved on meanwhile
      if (mark.frame !== frame && ++tries < 3) continue; // something else had asked for a picture
      if (mark.frame !== frame) throw new Error(`picture ${mark.frame} is on screen, not ${frame}: nothing was saved`);
      await this.live.do({ kind: "move", boundary_id: id, frame }, { verified: true, mark_mode: mark.mark_mode });
      if (this.draft === draft) this.draft = null;
      else if (this.draft?.id === id) this.draft = { ...this.draft, was: frame };
      return undefined;
    }
    return undefined;
  }

  /** @param {string} id @param {number} frame */
  async move(id, frame) {
    await this.proven(async () => {
      await this.player.goto(frame);
      const mark = await this.player.mark();
      if (mark.frame !== frame) throw new Error(`picture ${mark.frame} is on screen, not ${frame}: nothing was saved`);
      await this.live.do({ kind: "move", boundary_id: id, frame }, { verified: true, mark_mode: mark.mark_mode });
    });
  }

  async setHere() {
    if (!this.item || !this.boundary) return this.say("Select a boundary first: Tab, or a click on it.");
    const id = this.item.id;
    await this.proven(async () => {
      const mark = await this.player.mark();
      if (this.draft) this.cancelDraft();
      await this.live.do({ kind: "move", boundary_id: id, frame: mark.frame }, { verified: true, mark_mode: mark.mark_mode });
      if (mark.mark_mode === "live") this.markedLive.add(id);
    });
  }

  async split() {
    await this.commitDraft();
    await this.proven(async () => {
      const mark = await this.player.mark();
      const id = newId();
      const rank = LEVELS.indexOf(this.level);
      await this.live.do({ kind: "split", boundary_id: id, frame: mark.frame, rank }, { verified: true, mark_mode: mark.mark_mode });
      if (mark.mark_mode === "live") this.markedLive.add(id);
      this.item = { kind: "boundary", id, level: this.level };
      this.changed();
    });
  }

  /** A boundary that a newer run proposes. @param {number} frame @param {number} rank */
  async splitAt(frame, rank) {
    await this.commitDraft();
    await this.proven(async () => {
      await this.player.goto(frame);
      const mark = await this.player.mark();
      if (mark.frame !== frame) throw new Error(`picture ${mark.frame} is on screen, not ${frame}: nothing was saved`);
      await this.live.do({ kind: "split", boundary_id: newId(), frame, rank }, { verified: true, mark_mode: mark.mark_mode });
    });
  }

  /** @param {"left"|"right"} keep */
  async merge(keep) {
    const id = this.selected;
    if (!id) return;
    const next = neighbourIn(this.deck.filter((item) => item.kind === "boundary"), this.item, 1);
    this.cancelDraft();
    const made = await this.proven(() => this.settledDeed({ kind: "merge", boundary_id: id, keep }));
    if (made && next && next.id !== id) await this.select(next);
  }

  /** @param {1|-1} by towards the segment, or the task */
  async rank(by) {
    if (!this.item || !this.boundary) return this.say("Select a boundary first: Tab, or a click on it.");
    await this.commitDraft();
    const rank = this.boundary.rank + by;
    if (rank < 0 || rank > 3) return this.say(rank < 0 ? "It bounds tasks already." : "It bounds segments only already.");
    const id = this.item.id;
    await this.proven(() => this.settledDeed({ kind: "rank", boundary_id: id, rank }));
  }

  async accept() {
    await this.decide("accepted");
  }

  /** @param {"accepted"|"rejected"} state @param {string} [reason] */
  async decide(state, reason = "") {
    await this.commitDraft();
    const item = this.item;
    if (!item) return this.begin();
    const entity = keyOf(item);
    if (item.kind === "boundary" && this.boundary?.pinned) {
      this.say("The edge of what cleaning kept needs no decision.");
      return this.advance();
    }
    const made = await this.proven(async () => {
      if (item.kind === "boundary") await this.settledDeed({ kind: "decide", entity, state, reason });
      else await this.live.do({ kind: "decide", entity, state, reason }, { verified: this.player.verified, mark_mode: "paused" });
    });
    if (!made) return;
    this.markedLive.delete(item.id);
    await this.advance();
  }

  /** On to what nobody has decided yet. */
  async advance() {
    const next = this.nextOpen();
    if (next) return this.select(next);
    this.dispatchEvent(new Event("done"));
  }

  /** @param {import("./document.js").Level} level @param {string} id @param {{caption: string, verb: string, objects: string[], arm: string|null}} words */
  async relabel(level, id, words) {
    return this.proven(async () => {
      await this.live.do({ kind: "label", level, boundary_id: id, ...words }, { verified: this.player.verified, mark_mode: "paused" });
    });
  }

  get alternatives() {
    const span = this.span;
    return (span && this.sheet.alternatives?.[labelKey(this.level, span.start_id)]) || [];
  }

  /** @param {number} k from 1 */
  async takeAlternative(k) {
    const [span, words] = [this.span, this.alternatives[k - 1]];
    if (!span || !words) return this.say(`There is no alternative ${k} for this ${this.level}.`);
    const { caption, verb, objects, arm } = words;
    if (await this.relabel(this.level, span.start_id, { caption, verb, objects: objects ?? [], arm: arm ?? null })) this.say(`Took “${caption}”.`, "good");
  }

  /** @param {"undo"|"redo"} direction */
  async back(direction) {
    if (this.draft?.by === "key") await this.commitDraft();
    this.cancelDraft();
    if (!this.live.stacks()[direction].length) return this.say(`Nothing to ${direction}.`);
    await this.proven(() => this.live.do(direction, { verified: this.player.verified, mark_mode: "paused" }).then(() => undefined));
  }

  /** A deed about boundaries that names no picture: the one on screen must still be proven. @param {import("./operation.js").Operation} operation */
  async settledDeed(operation) {
    const mark = await this.player.mark();
    await this.live.do(operation, { verified: true, mark_mode: mark.mark_mode });
  }

  /** Make a deed and say why not when it cannot be. @param {() => Promise<any>} act @returns {Promise<boolean>} */
  async proven(act) {
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof OperationError) && !(error instanceof Error)) throw error;
      this.say(error.message, "bad");
      return false;
    }
  }
}
