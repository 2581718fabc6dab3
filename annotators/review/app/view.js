/**
 * One camera on the screen: a `<video>` that shows exactly the picture it is asked for, or admits that it does not.
 *
 * `currentTime` is where playback aims, not what is on the screen; `requestVideoFrameCallback` names the picture that was
 * really presented. So a picture counts as shown when the seek has ended *and* the browser has presented the picture whose
 * time stamp stands in the frame table. What the browser will not confirm the server draws: the same picture as JPEG.
 */

import { FrameTable } from "./frame_table.js";

/** Where in a picture to seek: the middle is furthest from both edges. The retry aims elsewhere so that it is a new seek. */
const AIMS = [0.5, 0.25];
/** How long after the end of a seek its picture may take to be presented. */
const GRACE_MS = 400;
/** How long a seek may take at all before it counts as lost; a slow line delivers a group of pictures in this time. */
const SEEK_MS = 10_000;

/**
 * @typedef {object} ViewFile
 * @property {string} name
 * @property {string} sha256 of the media file
 * @property {number} [start_ns] when its first picture is shown on the episode's clock
 */

/** How a picture came onto the screen; the empty string when nothing proves that it is there.
 * @typedef {"video" | "picture" | ""} How */

export class View {
  /** @type {FrameTable} */
  table;
  /** The picture presented last, null when its time belongs to none. @type {number | null} */
  presented = null;
  /** How many pictures were presented so far. */
  nPresented = 0;
  /** Called with every picture presented. @type {((frame: number | null, mediaTime: number) => void) | null} */
  onPresented = null;

  /** @param {ViewFile} file @param {string} media where the server keeps media */
  constructor(file, media) {
    this.name = file.name;
    this.file = file;
    this.url = `${media}/${file.sha256}`;
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
    this.video.tabIndex = -1;
    this.picture = document.createElement("img");
    this.picture.alt = "";
    this.element = document.createElement("div");
    this.element.className = "view";
    this.element.dataset.view = file.name;
    this.element.append(this.video, this.picture);
    this.element.style.position = "relative";
    for (const child of [this.video, this.picture]) {
      Object.assign(child.style, { display: "block", width: "100%", height: "100%", objectFit: "contain" });
    }
    Object.assign(this.picture.style, { position: "absolute", inset: "0", visibility: "hidden" });
  }

  /** Fetch the frame table and the file's header. Rejects with what the server or the decoder says. */
  async load() {
    const header = new Promise((resolve, reject) => {
      this.video.addEventListener("loadedmetadata", resolve, { once: true });
      this.video.addEventListener("error", () => reject(new Error(this.video.error?.message || "it cannot be played")));
    });
    header.catch(() => {}); // the table's own answer says more, and comes first
    this.video.src = `${this.url}.mp4`;
    this.table = await FrameTable.fetched(`${this.url}.times`, this.file.start_ns ?? 0);
    await header;
    this.#watch();
  }

  /** What is on the screen now, for whoever wants its pixels. @returns {HTMLVideoElement | HTMLImageElement} */
  get visible() {
    return this.picture.style.visibility === "visible" ? this.picture : this.video;
  }

  /**
   * Put picture k on the screen: seek, ask what was presented, try once more, else have the server draw it.
   * @param {number} k @returns {Promise<How>}
   */
  async show(k) {
    for (const share of AIMS) {
      if ((await this.seek(this.aim(k, share), k)) === k) {
        this.uncover();
        return "video";
      }
      if (!this.nPresented) break; // a browser that never says what it presents will not the next time
    }
    return this.#cover(k);
  }

  /** Where to seek for picture k. @param {number} k @param {number} share @returns {number} */
  aim(k, share) {
    return this.table.within(k, share);
  }

  /**
   * Seek, and wait until both the seek has ended and the wanted picture was presented.
   * @param {number} seconds @param {number} wanted @returns {Promise<number | null>} what was presented last, null: nothing
   */
  seek(seconds, wanted) {
    return new Promise((resolve) => {
      /** @type {number | null} */
      let named = null;
      let ended = false;
      let timer = 0;
      const done = () => {
        clearTimeout(timer);
        this.video.removeEventListener("seeked", onEnded);
        this.#arrival = null;
        resolve(named);
      };
      const onEnded = () => {
        ended = true;
        clearTimeout(timer);
        if (named === wanted) done();
        else timer = window.setTimeout(done, GRACE_MS);
      };
      this.#arrival = (frame) => {
        named = frame;
        if (ended && named === wanted) done();
      };
      timer = window.setTimeout(done, SEEK_MS);
      this.video.addEventListener("seeked", onEnded);
      this.video.currentTime = seconds;
    });
  }

  /** Let the video be seen again. */
  uncover() {
    this.picture.style.visibility = "hidden";
  }

  /** Stop, and forget what is loaded. */
  destroy() {
    this.onPresented = this.#arrival = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.element.remove();
  }

  /** @type {((frame: number | null) => void) | null} */
  #arrival = null;

  #watch() {
    /** @param {number} _now @param {VideoFrameCallbackMetadata} seen */
    const onPicture = (_now, seen) => {
      this.presented = this.table.named(seen.mediaTime);
      this.nPresented += 1;
      this.#arrival?.(this.presented);
      this.onPresented?.(this.presented, seen.mediaTime);
      this.video.requestVideoFrameCallback(onPicture);
    };
    this.video.requestVideoFrameCallback?.(onPicture);
  }

  /** Lay the server's drawing of picture k over the video. @param {number} k @returns {Promise<How>} */
  async #cover(k) {
    this.picture.src = `${this.url}/frames/${k}.jpg?h=${this.video.videoHeight || 480}`;
    try {
      await this.picture.decode();
    } catch {
      this.uncover();
      return "";
    }
    this.picture.style.visibility = "visible";
    return "picture";
  }
}
