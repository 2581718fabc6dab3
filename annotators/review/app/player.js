/**
 * Several cameras of one episode, in step, always at a known picture: *the frame you see is the frame you save*.
 *
 * Frames are ordinals of the master view's pictures. Every other view shows the picture that was on its screen when the
 * master's picture began. The player owns time and pictures and nothing else: no buttons, no keys, no framework.
 *
 *     const player = new Player({ views: sheet.views, master: sheet.master });
 *     for (const [name, element] of player.elements) place(element);
 *     player.addEventListener("frame", () => draw(player.frame, player.readout));
 *     await player.load(123);
 *     await player.step(+1);
 *     const mark = await player.mark();            // {frame, frame_verified: true, mark_mode: "paused"}, or throws NotVerified
 *
 * Events (all are plain `Event`s; read the player): `frame` another picture or another answer to whether it is verified;
 * `state` loading, seeking, playing, pausing, paused, failed; `settings` rate, loop or the views shown; `error` the media
 * cannot be had (`player.error`). `frame` fires at most once per picture presented.
 */

import { View } from "./view.js";

export const RATES = [0.25, 0.5, 1, 2, 4];
/** A follower further off than this during playback is put back; nearer, it is sped up or slowed down a little. */
const JUMP_S = 0.2;
const DRIFT_S = 0.015;
const MOST_BEND = 0.1;
/** How many screen refreshes without a new picture mean that a paused video has come to rest. */
const QUIET_REFRESHES = 3;

/** @typedef {"loading" | "seeking" | "playing" | "pausing" | "paused" | "failed"} State */
/** Frames [start, end) to stay inside of while playing; `once` stops at the last of them.
 * @typedef {{start: number, end: number, once: boolean}} Loop */
/** What belongs into a saved operation. @typedef {{frame: number, frame_verified: true, mark_mode: "paused" | "live"}} Mark */

/** Nothing proves that the picture on the screen is the one that would be saved. */
export class NotVerified extends Error {
  name = "NotVerified";
}

export class Player extends EventTarget {
  /** @type {State} */
  #state = "loading";
  #frame = 0;
  #verified = false;
  #rate = 1;
  /** @type {Loop | null} */
  #loop = null;
  /** @type {Set<View>} */
  #hidden = new Set();
  /** Where to go; read anew after each picture, so that steps under key repeat run together. */
  #target = 0;
  /** The seek under way, which ends at the last target. @type {Promise<void> | null} */
  #seeking = null;
  /** Counts what people asked for; whoever waited looks whether something newer was asked since. */
  #asked = 0;
  #loopTimer = 0;
  /** What went wrong, in words; empty when nothing did. */
  error = "";

  /**
   * @param {object} options
   * @param {import("./view.js").ViewFile[]} options.views as in an episode's sheet
   * @param {string} options.master name of the view whose pictures are counted
   * @param {string} [options.media] where the server keeps media
   */
  constructor({ views, master, media = "/media" }) {
    super();
    /** @type {View[]} */
    this.views = views.map((file) => new View(file, media));
    const found = this.views.find((view) => view.name === master);
    if (!found) throw new Error(`no view ${master}, found ${views.map((view) => view.name).join(", ")}`);
    this.master = found;
    this.master.onPresented = (frame) => this.#onPresented(frame);
    this.master.video.addEventListener("ended", () => this.#onEnded());
    for (const view of this.views) view.video.addEventListener("error", () => this.#fail(view));
  }

  /** Name → element to place, in the order of the views. @returns {Map<string, HTMLElement>} */
  get elements() {
    return new Map(this.views.map((view) => [view.name, view.element]));
  }

  /** The master's picture that is on the screen, as far as is known: the truth for marks when `verified`. */
  get frame() {
    return this.#frame;
  }

  /** Whether every view shown is proven to show its picture of `frame`. False while a seek is under way. */
  get verified() {
    return this.#verified;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  get playing() {
    return this.#state === "playing";
  }

  get nFrames() {
    return this.table?.length ?? 0;
  }

  /** The master's frame table; seconds and nanoseconds of frames. */
  get table() {
    return this.master.table;
  }

  get rate() {
    return this.#rate;
  }

  /** @param {number} rate 0.25 … 4 */
  set rate(rate) {
    this.#rate = Math.min(Math.max(rate, RATES[0]), RATES[RATES.length - 1]);
    for (const view of this.views) view.video.playbackRate = this.#rate;
    this.#tell("settings");
  }

  get loop() {
    return this.#loop;
  }

  /** @param {Loop | null} loop */
  set loop(loop) {
    this.#loop = loop;
    this.#tell("settings");
  }

  /** `frame 1234 / 8120 · 41.133 s · verified`. */
  get readout() {
    if (!this.nFrames) return this.error || "loading";
    const said = this.#verified ? "verified" : this.#state === "paused" ? "frame not verified" : this.#state;
    return `frame ${this.#frame} / ${this.nFrames} · ${this.table.seconds(this.#frame).toFixed(3)} s · ${said}`;
  }

  /** Load all views and show a picture. Rejects when the master view cannot be had. @param {number} [frame] */
  async load(frame = 0) {
    const loaded = await Promise.allSettled(this.views.map((view) => view.load()));
    this.views = this.views.filter((view, i) => {
      const outcome = loaded[i];
      if (outcome.status === "rejected") this.error = `${view.name}: ${outcome.reason.message}`;
      return outcome.status === "fulfilled";
    });
    if (!this.views.includes(this.master)) {
      this.#enter("failed");
      this.#tell("error");
      throw new Error(this.error);
    }
    if (this.error) this.#tell("error"); // a follower is missing: it can be told, and the rest can be worked with
    await this.goto(frame);
  }

  /**
   * Show a picture on all views. Resolves when the player has come to rest, at the last picture that was asked for.
   * @param {number} frame clamped to the recording
   */
  goto(frame) {
    if (!this.nFrames || this.#state === "failed") return Promise.resolve();
    this.#asked += 1;
    this.#halt();
    this.#target = this.table.clamped(frame);
    this.#seeking ??= this.#seek().finally(() => {
      this.#seeking = null;
    });
    return this.#seeking;
  }

  /** Some pictures on from where the player is, or is going to. @param {number} by */
  step(by) {
    return this.goto((this.#seeking ? this.#target : this.#frame) + by);
  }

  /** Play on from the present picture. */
  async play() {
    if (this.playing) return;
    const asked = ++this.#asked;
    await this.#seeking;
    if (asked !== this.#asked || this.#state === "failed") return;
    if (this.#frame === this.nFrames - 1) await this.goto(this.#loop?.start ?? 0);
    for (const view of this.#shown) {
      view.uncover();
      view.video.playbackRate = this.#rate;
    }
    this.#enter("playing");
    try {
      await Promise.all(this.#shown.map((view) => (this.#isOver(view) ? null : view.video.play())));
    } catch (refusal) {
      // Paused again before it began is no failure; a browser that forbids playing is.
      if (this.playing && refusal instanceof DOMException && refusal.name !== "AbortError") await this.goto(this.#frame);
    }
  }

  /** Stop at the picture presented last, and prove it. Resolves when that is done. */
  async pause() {
    if (!this.playing) return this.settled();
    const asked = ++this.#asked;
    this.#halt();
    this.#verified = false;
    this.#enter("pausing");
    await this.#rest();
    if (asked !== this.#asked) return this.settled();
    return this.goto(this.named());
  }

  /** Play or pause. */
  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** Play frames [start, end), again and again or once. @param {number} start @param {number} end @param {{once?: boolean}} [how] */
  async playSpan(start, end, { once = false } = {}) {
    this.loop = { start: this.table.clamped(start), end: this.table.clamped(end - 1) + 1, once };
    const arrival = this.goto(this.#loop?.start ?? start);
    const asked = this.#asked;
    await arrival;
    if (asked === this.#asked) await this.play(); // else somebody has asked for another picture meanwhile
  }

  /** Resolves when no seek is under way and no video runs down. */
  async settled() {
    while (this.#seeking || this.#state === "pausing") {
      await (this.#seeking ?? new Promise((resolve) => this.addEventListener("state", resolve, { once: true })));
    }
  }

  /**
   * What to save for "here". During playback the picture presented last (`live`), else the picture the player rests at.
   * @returns {Promise<Mark>} Rejects with `NotVerified` when nothing proves what is on the screen: save nothing then.
   */
  async mark() {
    const live = this.playing;
    if (!live) await this.settled();
    if (!this.#verified) throw new NotVerified(`${this.readout}: nothing was saved`);
    return { frame: this.#frame, frame_verified: true, mark_mode: live ? "live" : "paused" };
  }

  /** Show a view or leave it out; what is left out is neither kept in step nor verified. @param {string} name @param {boolean} on */
  async showView(name, on) {
    const view = this.views.find((one) => one.name === name);
    if (!view || view === this.master || this.#hidden.has(view) !== on) return;
    if (on) this.#hidden.delete(view);
    else this.#hidden.add(view);
    view.video.pause();
    this.#tell("settings");
    if (on && !this.playing) await this.goto(this.#frame);
    else if (on) await view.video.play();
  }

  /** Let go of all videos. */
  destroy() {
    this.#asked += 1;
    this.#halt();
    for (const view of this.views) view.destroy();
  }

  /** After a pause: which picture to come to rest at. What follows proves it. @returns {number} */
  named() {
    return this.master.presented ?? this.table.frameAt(this.table.startNs + this.master.video.currentTime * 1e9);
  }

  get #shown() {
    return this.views.filter((view) => !this.#hidden.has(view));
  }

  async #seek() {
    this.#enter("seeking");
    let arrived = -1;
    while (arrived !== this.#target && this.#state !== "failed") {
      arrived = this.#target;
      this.#verified = false;
      const at = this.table.timeNs(arrived);
      const how = await Promise.all(
        this.#shown.map((view) => view.show(view === this.master ? arrived : view.table.frameAt(at))),
      );
      this.#frame = arrived;
      this.#verified = how.every((one) => one !== "");
      this.#tell("frame");
    }
    if (this.#state !== "failed") this.#enter("paused");
  }

  /** Wait until the master presents nothing new. */
  async #rest() {
    let quiet = 0;
    while (quiet < QUIET_REFRESHES) {
      const before = this.master.nPresented;
      await new Promise(requestAnimationFrame);
      quiet = this.master.nPresented === before ? quiet + 1 : 0;
    }
  }

  #halt() {
    clearTimeout(this.#loopTimer);
    for (const view of this.views) view.video.pause();
  }

  /** @param {number | null} frame */
  #onPresented(frame) {
    if (!this.playing) return;
    this.#verified = frame !== null;
    if (frame !== null) this.#frame = frame;
    this.#tell("frame");
    this.#followUp();
    if (this.#loop && frame !== null && frame >= this.#loop.end - 1) this.#turnBack(frame, this.#loop);
  }

  /**
   * At the last picture of a span: hold it for as long as it lasts, then go back. Holding, not a timer alone, keeps the
   * picture after it off the screen. @param {number} frame @param {Loop} loop
   */
  #turnBack(frame, loop) {
    const leftMs = (1000 * (this.table.seconds(loop.end) - this.table.seconds(frame))) / this.#rate;
    for (const view of this.#shown) view.video.pause();
    clearTimeout(this.#loopTimer);
    this.#loopTimer = window.setTimeout(() => {
      if (loop.once) {
        this.loop = null;
        this.goto(loop.end - 1);
        return;
      }
      for (const view of this.#shown) {
        const again = view.table.frameAt(this.table.timeNs(loop.start));
        if (this.#loop) view.video.currentTime = view.table.within(again, 0.5);
        view.video.play().catch(() => {});
      }
    }, Math.max(0, leftMs));
  }

  /** Keep the followers near the master during playback; at rest they are exact. */
  #followUp() {
    const ns = this.table.startNs + this.master.video.currentTime * 1e9;
    for (const view of this.#shown) {
      if (view === this.master || view.video.seeking) continue;
      const wanted = (ns - view.table.startNs) / 1e9;
      const ahead = view.video.currentTime - wanted;
      if (wanted < 0 || this.#isOver(view)) view.video.pause();
      else if (view.video.paused) view.video.play().catch(() => {});
      if (Math.abs(ahead) > JUMP_S && wanted >= 0 && !this.#isOver(view)) view.video.currentTime = wanted;
      const bend = Math.abs(ahead) < DRIFT_S ? 0 : Math.max(-MOST_BEND, Math.min(MOST_BEND, ahead));
      view.video.playbackRate = this.#rate * (1 - bend);
    }
  }

  /** Whether a view has no more pictures at the master's present time. @param {View} view */
  #isOver(view) {
    if (view === this.master) return false;
    return this.table.startNs + this.master.video.currentTime * 1e9 >= view.table.timeNs(view.table.length);
  }

  #onEnded() {
    if (!this.playing) return;
    if (this.#loop && !this.#loop.once) {
      this.#turnBack(this.nFrames - 1, this.#loop);
      return;
    }
    this.goto(this.nFrames - 1);
  }

  /** @param {View} view */
  #fail(view) {
    this.error = `${view.name}: ${view.video.error?.message || "the media cannot be read"}`;
    if (view === this.master) {
      this.#verified = false;
      this.#enter("failed");
    }
    this.#tell("error");
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state;
    this.#tell("state");
  }

  /** @param {"frame" | "state" | "settings" | "error"} kind */
  #tell(kind) {
    this.dispatchEvent(new Event(kind));
  }
}
