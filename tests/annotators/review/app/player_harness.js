/**
 * The player as the app uses it, with somebody who reads the barcode off what is really on the screen.
 * Loops run here and not in Python: 300 seeks are one call.
 */
import { Player } from "/app/player.js";

const [CELL, LEFT, TOP, N_CELLS] = [20, 30, 100, 13];
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [320, 240];
const context = canvas.getContext("2d", { willReadFrequently: true });

/** The number on a picture, −1 when its parity is wrong. */
function barcode(view) {
  context.drawImage(view.visible, 0, 0, canvas.width, canvas.height);
  const bits = [];
  for (let cell = 0; cell < N_CELLS; cell += 1) {
    const { data } = context.getImageData(LEFT + cell * CELL + 6, TOP + CELL - 4, 8, 8);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i + 1];
    bits.push(sum / 64 > 128 ? 1 : 0);
  }
  const parity = bits.pop();
  if (bits.reduce((a, b) => a + b) % 2 !== parity) return -1;
  return bits.reduce((number, bit, i) => number + (bit << i), 0);
}

/** What is on all screens, and what the player says about it. */
function seen(player, asked = null) {
  const { frame, verified, readout } = player;
  return { asked, frame, verified, readout, shown: player.views.map(barcode), how: player.views.map((view) => view.visible.tagName) };
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Strategies that other tools use. They name or aim wrongly, and nothing checks them. */
const NAIVE = {
  /** Frame number divided by the frame rate. */
  "i/fps": (player, fps) => {
    for (const view of player.views) {
      view.aim = (k) => k / fps;
      believing(view);
    }
  },
  /** The same aim, and the player left to find out. */
  "i/fps, verified": (player, fps) => {
    for (const view of player.views) view.aim = (k) => k / fps;
  },
  /** The picture's own time stamp, believed as soon as the browser says `seeked`. */
  "@seeked only": (player) => {
    for (const view of player.views) {
      view.aim = (k) => view.table.edgesNs[k] / 1e9;
      view.seek = (seconds, wanted) => new Promise((resolve) => {
        view.video.addEventListener("seeked", () => resolve(wanted), { once: true });
        view.video.currentTime = seconds;
      });
    }
  },
  /** What the clock says when the video is paused. */
  "currentTime at pause": (player, fps) => {
    player.named = () => Math.floor(player.master.video.currentTime * fps);
    for (const view of player.views) view.show = async () => "video";
  },
};

/** Whatever is presented first is taken for what was asked. */
function believing(view) {
  view.seek = (seconds, wanted) => new Promise((resolve) => {
    const presented = Promise.race([new Promise((seen) => view.video.requestVideoFrameCallback(seen)), wait(1000)]);
    view.video.addEventListener("seeked", () => presented.then(() => resolve(wanted)), { once: true });
    view.video.currentTime = seconds;
  });
}

const harness = {
  player: null,

  async open(views, master, { frame = 0 } = {}) {
    harness.player?.destroy();
    const player = new Player({ views, master });
    harness.player = player;
    for (const element of player.elements.values()) {
      Object.assign(element.style, { width: "320px", height: "240px", display: "inline-block" });
      document.body.append(element);
    }
    await player.load(frame);
    return seen(player, frame);
  },

  naive(strategy, fps) {
    NAIVE[strategy](harness.player, fps);
  },

  async gotos(frames) {
    const found = [];
    for (const k of frames) {
      const began = performance.now();
      await harness.player.goto(k);
      found.push({ ...seen(harness.player, k), ms: performance.now() - began });
    }
    return found;
  },

  async steps(n, by) {
    const found = [];
    for (let i = 0; i < n; i += 1) {
      const began = performance.now();
      await harness.player.step(by);
      found.push({ ...seen(harness.player), ms: performance.now() - began });
    }
    return found;
  },

  /** A key held down: steps every `every` ms, whether the one before has ended or not. */
  async hold(ms, every, by) {
    const player = harness.player;
    const passed = [];
    const note = () => passed.push({ frame: player.frame, verified: player.verified, shown: barcode(player.master) });
    player.addEventListener("frame", note);
    let n = 0;
    for (const end = performance.now() + ms; performance.now() < end; n += 1) {
      player.step(by);
      await wait(every);
    }
    await player.settled();
    player.removeEventListener("frame", note);
    return { n, passed, end: seen(player) };
  },

  /** Play for a while, pause, mark. `plays` are [start frame, ms, rate]. */
  async pauses(plays) {
    const found = [];
    for (const [start, ms, rate] of plays) {
      const player = harness.player;
      await player.goto(start);
      player.rate = rate;
      await player.play();
      await wait(ms);
      player.pause();
      found.push({ ...(await harness.mark()), ...seen(player, start) });
    }
    return found;
  },

  async mark() {
    try {
      return { mark: await harness.player.mark(), refused: "" };
    } catch (error) {
      return { mark: null, refused: `${error.name}: ${error.message}` };
    }
  },

  seen: (asked) => seen(harness.player, asked),
  wait,
};
window.harness = harness;
window.dispatchEvent(new Event("harness"));
