/**
 * When each picture of one media file is shown: the truth that seconds of a `<video>` are held against.
 *
 * Edges come from ingest, in integer nanoseconds, from the file's first picture = 0; the last edge is the end of the last
 * picture. A double holds them exactly: 2^53 ns are 104 days. Nothing here knows a frame rate.
 */

const NS_PER_S = 1e9;
/** A browser keeps microseconds. A `mediaTime` further than this from every edge belongs to no picture of this file. */
const NAMED_WITHIN_NS = 2000;

export class FrameTable {
  /**
   * @param {ArrayLike<number>} edgesNs n + 1 edges of n pictures
   * @param {number} [startNs] when the first picture is shown on the episode's clock
   */
  constructor(edgesNs, startNs = 0) {
    if (edgesNs.length < 2) throw new RangeError(`a frame table of ${edgesNs.length} edges, expected at least 2`);
    this.edgesNs = Float64Array.from(edgesNs);
    this.startNs = startNs;
  }

  /**
   * @param {string} url of a `.times` file: int64, little endian
   * @param {number} [startNs]
   * @returns {Promise<FrameTable>}
   */
  static async fetched(url, startNs = 0) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${await reason(answer)}`);
    return new FrameTable(Array.from(new BigInt64Array(await answer.arrayBuffer()), Number), startNs);
  }

  /** How many pictures there are. */
  get length() {
    return this.edgesNs.length - 1;
  }

  /** @param {number} k @returns {number} the picture nearest to `k` that there is */
  clamped(k) {
    return Math.min(Math.max(Math.round(k), 0), this.length - 1);
  }

  /** @param {number} k @param {number} share @returns {number} seconds of the file, `share` of the way into picture k */
  within(k, share) {
    return (this.edgesNs[k] + share * (this.edgesNs[k + 1] - this.edgesNs[k])) / NS_PER_S;
  }

  /** @param {number} k an edge, 0 … n @returns {number} nanoseconds on the episode's clock */
  timeNs(k) {
    return this.startNs + this.edgesNs[k];
  }

  /** @param {number} k an edge @returns {number} seconds on the episode's clock, for people */
  seconds(k) {
    return this.timeNs(k) / NS_PER_S;
  }

  /** @param {number} ns on the episode's clock @returns {number} the picture on screen then, held at both ends */
  frameAt(ns) {
    return this.clamped(this.#after(ns - this.startNs) - 1);
  }

  /** @param {number} mediaTime seconds of the file, as rVFC says them @returns {number | null} the picture that is */
  named(mediaTime) {
    const ns = mediaTime * NS_PER_S;
    const k = this.#after(ns + NAMED_WITHIN_NS) - 1;
    return k >= 0 && k < this.length && Math.abs(this.edgesNs[k] - ns) <= NAMED_WITHIN_NS ? k : null;
  }

  /** How many edges are at or before `ns` of the file. @param {number} ns */
  #after(ns) {
    let low = 0;
    let high = this.edgesNs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.edgesNs[middle] <= ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @param {Response} answer @returns {Promise<string>} what the server says is wrong */
async function reason(answer) {
  try {
    return (await answer.json()).error.what;
  } catch {
    return `the server answers ${answer.status}`;
  }
}
