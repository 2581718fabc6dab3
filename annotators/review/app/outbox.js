/**
 * What a person did and the server has not yet: kept in IndexedDB until the server says that its disk has it.
 *
 * IndexedDB because it outlives a killed browser, which localStorage does not within its flush interval. Every entry is
 * on disk before the deed counts as made, keeps one op_id for ever, and stays until it is acknowledged. Entries the
 * server would not apply move to ``held``, where they wait for a person; nothing leaves without somebody knowing.
 */

const DATABASE = "joinery-review";

/**
 * @typedef {object} Entry
 * @property {number} [seq] order of making, over all tabs
 * @property {string} op_id
 * @property {string} actor
 * @property {string} review_id
 * @property {number} base_rev revision on screen when it was made; moves on past what it does not concern
 * @property {import("./operation.js").Operation|"undo"|"redo"} operation
 * @property {string} refers_to for undo and redo, the op_id it is about
 * @property {string} media_sha256
 * @property {boolean} frame_verified
 * @property {"paused"|"live"} mark_mode
 * @property {string[]} concerns entity keys that must not have changed meanwhile
 * @property {string[]} after op_ids that waited when it was made and that it builds on
 * @property {number} made_ms
 */
/** @typedef {Entry & {why: "conflict"|"refused", answer: any}} Held */

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Outbox extends EventTarget {
  /** @param {IDBDatabase} database */
  constructor(database) {
    super();
    this.database = database;
    this.channel = new BroadcastChannel(DATABASE);
    this.channel.onmessage = (event) => this.dispatchEvent(new CustomEvent(event.data.type, { detail: event.data.detail }));
  }

  static async open() {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("waiting", { keyPath: "seq", autoIncrement: true });
      request.result.createObjectStore("held", { keyPath: "op_id" });
    };
    const database = await done(request);
    navigator.storage?.persist?.().catch(() => false);
    return new Outbox(database);
  }

  /** Resolves when the entry is on disk. @param {Entry} entry @returns {Promise<Entry>} */
  async add(entry) {
    this.dispatchEvent(new Event("adding"));
    const seq = await this.write(["waiting"], (store) => done(store("waiting").add(entry)));
    const kept = { ...entry, seq: Number(seq) };
    this.tell("changed", { review_id: entry.review_id });
    return kept;
  }

  /** Entries still to be acknowledged, in the order they were made. @param {string} [reviewId] @returns {Promise<Entry[]>} */
  async waiting(reviewId) {
    const entries = await done(this.database.transaction("waiting").objectStore("waiting").getAll());
    return reviewId === undefined ? entries : entries.filter((entry) => entry.review_id === reviewId);
  }

  /** Entries that wait for a person. @param {string} [reviewId] @returns {Promise<Held[]>} */
  async held(reviewId) {
    const entries = await done(this.database.transaction("held").objectStore("held").getAll());
    const some = reviewId === undefined ? entries : entries.filter((entry) => entry.review_id === reviewId);
    return some.sort((a, b) => a.made_ms - b.made_ms);
  }

  /** The server has it: it leaves, and those after it may move their base. @param {Entry} entry @param {any} answer @param {Entry[]} moved */
  async acknowledge(entry, answer, moved) {
    await this.write(["waiting"], (store) => {
      store("waiting").delete(/** @type {number} */ (entry.seq));
      for (const other of moved) store("waiting").put(other);
    });
    this.tell("acknowledged", { review_id: entry.review_id, op_id: entry.op_id, answer });
  }

  /** The server did not apply it: it waits for a person, and undo and redo of it go with it. @param {Entry} entry @param {"conflict"|"refused"} why @param {any} answer */
  async hold(entry, why, answer) {
    const dropped = (await this.waiting(entry.review_id)).filter((other) => other.refers_to === entry.op_id);
    await this.write(["waiting", "held"], (store) => {
      store("waiting").delete(/** @type {number} */ (entry.seq));
      for (const other of dropped) store("waiting").delete(/** @type {number} */ (other.seq));
      store("held").put({ ...entry, why, answer });
    });
    this.tell("held", { review_id: entry.review_id, op_id: entry.op_id, answer });
  }

  /** A person has decided what becomes of it. @param {string} opId @param {string} reviewId */
  async settle(opId, reviewId) {
    await this.write(["held"], (store) => void store("held").delete(opId));
    this.tell("changed", { review_id: reviewId });
  }

  /** @template T @param {string[]} stores @param {(store: (name: string) => IDBObjectStore) => T|Promise<T>} act @returns {Promise<T>} */
  write(stores, act) {
    return new Promise((resolve, reject) => {
      // strict: the transaction is complete when the disk has it, not when the operating system does.
      const transaction = this.database.transaction(stores, "readwrite", { durability: "strict" });
      const result = act((name) => transaction.objectStore(name));
      transaction.commit?.(); // not when the page has heard of every request, for which a busy one takes its time
      transaction.oncomplete = () => resolve(/** @type {T} */ (result));
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  /** Here and in the other tabs. @param {string} type @param {any} detail */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    this.channel.postMessage({ type, detail });
  }
}
