/**
 * One episode as this person sees it: the server's document with the deeds still waiting replayed on top.
 *
 * A deed is on disk in the outbox, shown, and then sent. Others' deeds arrive by the log. The view is always the
 * confirmed document plus what waits, so a reload, another tab or a restart of the server change nothing of it.
 */

import { episodePath, get, newId, server } from "./api.js";
import { boundaryKey } from "./document.js";
import { OperationError, applied, changeOf, concerns, reversedChange, same, valueOf } from "./operation.js";

/** @typedef {import("./document.js").Document} Document */
/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {{op_id: string, rev: number, actor: string, at_ns: number, kind: string, status: string, change: import("./operation.js").Change}} LogEntry */
/** @typedef {{verified: boolean, mark_mode: "paused"|"live"}} Seen */

export class LiveDocument extends EventTarget {
  /** @param {string} reviewId @param {import("./outbox.js").Outbox} outbox */
  constructor(reviewId, outbox) {
    super();
    this.reviewId = reviewId;
    this.outbox = outbox;
    /** @type {LogEntry[]} */
    this.log = [];
    /** @type {(Entry & {change: import("./operation.js").Change|null})[]} */
    this.waiting = [];
    /** @type {import("./outbox.js").Held[]} */
    this.held = [];
    this.rev = -1;
    /** Deeds on screen whose way to the disk is not over. @type {Set<string>} */
    this.adding = new Set();
    this.making = Promise.resolve();
    this.pulling = Promise.resolve();
    this.listener = (/** @type {Event} */ event) => {
      if (/** @type {CustomEvent} */ (event).detail.review_id === this.reviewId) void this.onOutbox(/** @type {CustomEvent} */ (event));
    };
    for (const type of ["changed", "acknowledged", "held"]) outbox.addEventListener(type, this.listener);
  }

  close() {
    for (const type of ["changed", "acknowledged", "held"]) this.outbox.removeEventListener(type, this.listener);
  }

  /** Fetch everything anew. */
  async load() {
    this.waiting = (await this.mine(this.outbox.waiting(this.reviewId))).map((entry) => ({ ...entry, change: null }));
    const [page, { entries }] = await Promise.all([get(episodePath(this.reviewId)), get(`${episodePath(this.reviewId)}/log?after_rev=0`)]);
    this.page = page;
    this.rev = page.rev;
    /** @type {Document} */
    this.confirmed = page.document;
    this.log = entries.filter((/** @type {LogEntry} */ entry) => entry.rev <= page.rev);
    await this.readOutbox();
    await this.pull();
    return page;
  }

  /** What is on screen. @returns {Document} */
  get document() {
    return /** @type {Document} */ (this.view);
  }

  /** @template {Entry} T @param {Promise<T[]>} entries */
  async mine(entries) {
    return (await entries).filter((entry) => entry.actor === server.session?.actor);
  }

  /** Deeds on screen that are neither in the outbox nor in the log as we have it: the word of the server is on its way. */
  async between() {
    const added = this.waiting.filter((entry) => !this.adding.has(entry.op_id)); // before the outbox is read: it had them all
    const kept = [...(await this.mine(this.outbox.waiting(this.reviewId))), ...(await this.mine(this.outbox.held(this.reviewId)))];
    const known = new Set([...kept, ...this.log].map((entry) => entry.op_id));
    return added.filter((entry) => !known.has(entry.op_id));
  }

  /**
   * Take in what the outbox holds. A deed that has left it stays on screen until the log has it, or else an edit would
   * vanish for a moment and the next one would be made without it.
   * @param {Set<string>} [dropped] op_ids that left the outbox and that the server will not have
   */
  async readOutbox(dropped = new Set()) {
    this.held = await this.mine(this.outbox.held(this.reviewId));
    const kept = new Map((await this.mine(this.outbox.waiting(this.reviewId))).map((entry) => [entry.op_id, entry]));
    const over = new Set([...[...this.log, ...this.held].map((entry) => entry.op_id), ...dropped]);
    const here = new Set(this.waiting.map((entry) => entry.op_id));
    const others = [...kept.values()].filter((entry) => !here.has(entry.op_id));
    const waiting = [...this.waiting.map((entry) => kept.get(entry.op_id) ?? entry), ...others];
    this.replay(waiting.filter((entry) => !over.has(entry.op_id)));
  }

  /** @param {Entry[]} waiting */
  replay(waiting) {
    let view = /** @type {Document} */ (this.confirmed);
    this.waiting = [];
    for (const entry of waiting) {
      let change = null;
      try {
        change = this.intended(entry, view);
        view = applied(view, change);
      } catch (error) {
        if (!(error instanceof OperationError)) throw error; // it no longer makes sense here: the server will say so
      }
      this.waiting.push({ ...entry, change });
    }
    if (!this.view || !same(this.view, view)) this.view = view;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Pick<Entry, "operation"|"refers_to">} entry @param {Document} view */
  intended(entry, view) {
    if (typeof entry.operation !== "string") return changeOf(view, entry.operation);
    const target = [...this.log, ...this.waiting].find((past) => past.op_id === entry.refers_to);
    if (!target?.change) throw new OperationError(`nothing to ${entry.operation}`);
    const change = entry.operation === "undo" ? reversedChange(target.change) : target.change;
    if (Object.entries(change).some(([key, [before]]) => !same(valueOf(view, key), before))) {
      throw new OperationError(`what it would ${entry.operation} has been changed since`);
    }
    return change;
  }

  /** What this person can take back and do again, the latest last: the mirror of the server's rule. */
  stacks() {
    /** @type {{op_id: string}[]} */
    let undo = [];
    /** @type {{op_id: string}[]} */
    let redo = [];
    const mine = this.log.filter((entry) => entry.actor === server.session?.actor && entry.status !== "conflict");
    for (const entry of [...mine, ...this.waiting]) {
      const kind = "kind" in entry ? entry.kind : typeof entry.operation === "string" ? entry.operation : entry.operation.kind;
      if (kind === "undo") redo = [...redo, ...undo.splice(-1)];
      else if (kind === "redo") undo = [...undo, ...redo.splice(-1)];
      else [undo, redo] = [[...undo, entry], []];
    }
    return { undo, redo };
  }

  /**
   * Make a deed: resolves with its op_id when it is on disk here and on screen. Throws OperationError when it makes no sense.
   * @param {import("./operation.js").Operation|"undo"|"redo"} operation @param {Seen} [seen] @returns {Promise<string>}
   */
  do(operation, seen = { verified: true, mark_mode: "paused" }) {
    const made = this.making.then(() => this.make(operation, seen)); // one after the other, in the order of the keys
    this.making = made.then(() => undefined, () => undefined);
    return made;
  }

  /** @param {import("./operation.js").Operation|"undo"|"redo"} operation @param {Seen} seen */
  async make(operation, seen) {
    const refersTo = typeof operation === "string" ? this.stacks()[operation].at(-1)?.op_id ?? "" : "";
    const change = this.intended({ operation, refers_to: refersTo }, this.document);
    if (!Object.keys(change).length) return "";
    /** @type {Entry} */
    const entry = {
      op_id: newId(),
      actor: server.session?.actor ?? "",
      review_id: this.reviewId,
      base_rev: this.rev,
      operation,
      refers_to: refersTo,
      media_sha256: this.page.media_sha256,
      frame_verified: seen.verified,
      mark_mode: seen.mark_mode,
      concerns: concerns(this.document, change),
      after: this.waiting.map((other) => other.op_id),
      made_ms: Date.now(),
    };
    this.adding.add(entry.op_id);
    // On its way to the disk before anything is drawn: a browser may be killed while it draws.
    const kept = this.outbox.add(entry).finally(() => this.adding.delete(entry.op_id));
    this.view = applied(this.document, change);
    this.waiting = [...this.waiting, { ...entry, change }];
    this.dispatchEvent(new Event("change"));
    await kept;
    return entry.op_id;
  }

  /** @param {CustomEvent} event */
  async onOutbox({ type, detail }) {
    const { op_id, answer } = detail;
    const entry = this.waiting.find((one) => one.op_id === op_id);
    if (type === "acknowledged" && entry?.change && this.rev >= 0 && answer.status === "applied" && answer.rev === this.rev + 1) {
      this.accept({ op_id, rev: answer.rev, actor: entry.actor, at_ns: Date.now() * 1e6, status: "applied", change: answer.change ?? entry.change,
        kind: typeof entry.operation === "string" ? entry.operation : entry.operation.kind });
      await this.making;
      return this.readOutbox();
    }
    if (type === "changed") {
      await this.making;
      if (this.rev >= 0) await this.readOutbox();
      return;
    }
    if (this.rev >= 0) await this.pull();
  }

  /** @param {LogEntry} entry */
  accept(entry) {
    if (this.log.some((past) => past.op_id === entry.op_id)) return;
    this.log = [...this.log, entry];
    this.waiting = this.waiting.filter((other) => other.op_id !== entry.op_id); // at once: nothing is counted twice
    if (entry.status === "conflict") return;
    this.confirmed = applied(/** @type {Document} */ (this.confirmed), entry.change);
    this.rev = entry.rev;
  }

  /** Take in what others did, and what the server has of ours. */
  pull() {
    this.pulling = this.pulling.then(async () => {
      const left = await this.between(); // before the log is asked: what left the outbox before that is in it, or never will be
      const { entries } = await get(`${episodePath(this.reviewId)}/log?after_rev=${this.rev}`);
      for (const entry of entries) if (entry.rev > this.rev || entry.status === "conflict") this.accept(entry);
      await this.making;
      await this.readOutbox(new Set(left.map((entry) => entry.op_id)));
    }).catch(() => undefined); // offline: the next heartbeat asks again
    return this.pulling;
  }

  /** Where the machine had put a boundary that people have moved, if they have. @param {string} id @returns {import("./document.js").Boundary|null} */
  machineValue(id) {
    const key = boundaryKey(id);
    const first = [...this.log, ...this.waiting].find((entry) => /** @type {any} */ (entry).status !== "conflict" && entry.change && key in entry.change);
    const before = /** @type {any} */ (first?.change?.[key]?.[0]);
    return before?.origin === "machine" ? before : null;
  }

  /** Boundaries last set while playing: they want a second look at rest. */
  markedLive() {
    /** @type {Map<string, boolean>} */
    const found = new Map();
    for (const entry of this.log) {
      for (const key of Object.keys(entry.change)) if (key.startsWith("boundary:")) found.set(key.slice("boundary:".length), /** @type {any} */ (entry).mark_mode === "live");
    }
    return new Set([...found].filter(([, live]) => live).map(([id]) => id));
  }

  /** Boundaries that the machine had and people took away. @returns {import("./document.js").Placed[]} */
  removed() {
    /** @type {Map<string, any>} */
    const found = new Map();
    for (const entry of [...this.log, ...this.waiting]) {
      if (/** @type {any} */ (entry).status === "conflict" || !entry.change) continue;
      for (const [key, [before, after]] of Object.entries(entry.change)) {
        if (!key.startsWith("boundary:")) continue;
        const id = key.slice("boundary:".length);
        if (before && !after) found.set(id, { id, ...before });
        if (after) found.delete(id);
      }
    }
    return [...found.values()];
  }
}
