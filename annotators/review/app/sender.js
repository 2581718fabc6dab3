/**
 * Sends what waits, in order, once, until the server has it: the same op_id at every try, so that a retry is no second deed.
 *
 * One tab sends at a time, for which browsers have locks. Where they do not (no secure context) two tabs may send the
 * same entry, which the server answers alike.
 */

import { ApiError, episodePath, get, openSession, post, server } from "./api.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 20_000;

/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {{state: "saved"|"pending"|"offline"|"login"|"full", n_pending: number, n_held: number, said: string}} SaveState */

export class Sender extends EventTarget {
  /** @param {import("./outbox.js").Outbox} outbox */
  constructor(outbox) {
    super();
    this.outbox = outbox;
    /** @type {SaveState} */
    this.state = { state: "saved", n_pending: 0, n_held: 0, said: "" };
    this.failures = 0;
    this.timer = 0;
    this.running = false;
    /** op_id → revision, of what the server has taken from here. @type {Map<string, number>} */
    this.taken = new Map();
    /** Counts begun; only the last one's word counts. */
    this.turn = 0;
    this.trouble = "";
    this.said = "";
    outbox.addEventListener("adding", () => this.unsaved());
    for (const type of ["changed", "acknowledged", "held"]) outbox.addEventListener(type, () => this.count());
    outbox.addEventListener("changed", () => this.kick());
    window.addEventListener("online", () => this.kick());
    window.addEventListener("beforeunload", (event) => {
      if (this.state.n_pending) event.preventDefault();
    });
    this.kick();
  }

  /** Try now. */
  kick() {
    clearTimeout(this.timer);
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    const work = () => this.drain().catch((error) => this.failed(error));
    const turn = navigator.locks ? navigator.locks.request("joinery-outbox", work) : work();
    void turn.finally(() => {
      this.running = false;
      if (this.again) {
        this.again = false;
        this.kick();
      }
    });
  }

  async drain() {
    for (;;) {
      const [entry] = (await this.outbox.waiting()).filter((one) => one.actor === server.session?.actor);
      if (!entry) break;
      await this.send(await this.caughtUp(entry));
      this.failures = 0;
    }
    if (this.state.state !== "login" || server.session) await this.count("");
  }

  /** @param {Entry} entry */
  async send(entry) {
    const { op_id, base_rev, operation, media_sha256, frame_verified, mark_mode } = entry;
    let answer;
    try {
      answer = await post(`${episodePath(entry.review_id)}/ops`, { op_id, base_rev, operation, media_sha256, frame_verified, mark_mode });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) return this.outbox.hold(entry, "conflict", error.body);
      // 410: quarantined meanwhile. 400, 404, 413, 422: it will never be taken as it is; a person must see why.
      if ([400, 404, 410, 413, 422].includes(error.status)) return this.outbox.hold(entry, "refused", { said: error.message, do: error.remedy });
      throw error;
    }
    this.taken.set(op_id, answer.rev);
    await this.outbox.acknowledge(entry, answer, await this.movedOn(entry, answer));
  }

  /**
   * An entry made while the one it builds on was being acknowledged: too late to be moved on with the others, and its
   * maker saw that deed. It moves on past its own forerunners, and past nothing that others did to what it concerns.
   * @param {Entry} entry @returns {Promise<Entry>}
   */
  async caughtUp(entry) {
    if (entry.after.every((id) => (this.taken.get(id) ?? Infinity) <= entry.base_rev)) return entry;
    const { entries: log } = await get(`${episodePath(entry.review_id)}/log?after_rev=${entry.base_rev}`);
    const since = log.filter((/** @type {any} */ past) => past.status !== "conflict" && past.rev > entry.base_rev);
    const rev = Math.max(entry.base_rev, ...since.filter((/** @type {any} */ past) => entry.after.includes(past.op_id)).map((/** @type {any} */ past) => past.rev));
    const foreign = since.some((/** @type {any} */ past) => past.rev <= rev && this.touches(past, entry));
    return foreign ? entry : { ...entry, base_rev: rev };
  }

  /** Whether somebody's deed changed what an entry concerns, other than those it builds on. @param {any} past @param {Entry} entry */
  touches(past, entry) {
    return !entry.after.includes(past.op_id) && Object.keys(past.change).some((key) => entry.concerns.includes(key));
  }

  /**
   * Entries behind an acknowledged one, on the new revision. One that others' deeds concern keeps its base, so that the
   * server sees the conflict: to move it on would be to overwrite what its maker never saw.
   * @param {Entry} entry @param {{rev: number, status: string}} answer
   */
  async movedOn(entry, answer) {
    const behind = (await this.outbox.waiting(entry.review_id)).filter((other) => other.op_id !== entry.op_id && other.base_rev < answer.rev);
    if (!behind.length) return [];
    const since = Math.min(entry.base_rev, ...behind.map((other) => other.base_rev));
    const log = answer.rev === since + 1 ? [] : (await get(`${episodePath(entry.review_id)}/log?after_rev=${since}`)).entries;
    return behind
      .filter((other) => !log.some((/** @type {any} */ past) => past.status !== "conflict" && past.rev > other.base_rev && past.rev <= answer.rev
        && past.op_id !== entry.op_id && this.touches(past, other)))
      .map((other) => ({ ...other, base_rev: answer.rev }));
  }

  /** @param {unknown} error */
  async failed(error) {
    const status = error instanceof ApiError ? error.status : -1;
    if (status === 401) {
      await this.count("login");
      return; // goes on when somebody has logged in
    }
    if (status === 403) await openSession().catch(() => null); // a new session has another token
    if (status === -1) console.error(error);
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures++) * (0.75 + Math.random() / 2);
    await this.count(status === 507 ? "full" : "offline", error instanceof Error ? error.message : String(error));
    this.timer = window.setTimeout(() => this.kick(), wait);
  }

  /** A deed is being made: from now on not everything is saved, whatever a count that has begun already may find. */
  unsaved() {
    this.turn += 1;
    const { n_pending, n_held } = this.state;
    this.show(n_pending + 1, n_held);
  }

  /**
   * Say anew how things stand; false when a deed or another count came between, whose word is newer.
   * @param {"offline"|"login"|"full"|""} [trouble] @param {string} [said]
   */
  async count(trouble, said = "") {
    if (trouble !== undefined) [this.trouble, this.said] = [trouble, said];
    const turn = ++this.turn;
    const mine = (/** @type {Entry} */ one) => one.actor === server.session?.actor;
    const waiting = (await this.outbox.waiting()).filter(mine).length;
    const held = (await this.outbox.held()).filter(mine).length;
    if (turn !== this.turn) return false;
    this.show(waiting, held);
    return true;
  }

  /** Resolves when what is shown has been counted: before that, "saved" would be a guess. @param {""} [trouble] */
  async counted(trouble) {
    while (!(await this.count(trouble)));
  }

  /** @param {number} waiting @param {number} held */
  show(waiting, held) {
    const state = /** @type {SaveState["state"]} */ (waiting ? this.trouble || "pending" : "saved");
    this.state = { state, n_pending: waiting, n_held: held, said: this.said };
    this.dispatchEvent(new Event("state"));
  }

  /** Resolves when nothing waits, or after a time. @param {number} [withinMs] */
  async flush(withinMs = 5_000) {
    this.failures = 0;
    this.kick();
    const until = performance.now() + withinMs;
    while ((await this.outbox.waiting()).length && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 30));
    await this.counted();
  }
}
