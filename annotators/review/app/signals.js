/**
 * Action and gripper signals under the lanes, on the same axis of pictures.
 *
 * Whatever the zoom, a plot is fed two points per pixel column, the least and the greatest sample in it: an hour of joint
 * angles draws as fast as a second. A sample that the source does not give is a gap.
 */

const PANELS = /** @type {const} */ ([["gripper", /gripper|opening|grip|aperture|finger/i], ["motion", /./]]);

/** @typedef {{name: string, unit: string, arm: string|null, times_ns: number[], values: (number|null)[]}} Signal */
/** @typedef {Signal & {frames: Float64Array, low: number, high: number}} Placed */

/** Signals by panel, their times as positions among pictures. @param {Signal[]} signals @param {import("./frame_table.js").FrameTable} table @returns {{name: string, signals: Placed[]}[]} */
export function panelsOf(signals, table) {
  const panels = PANELS.map(([name]) => ({ name, signals: /** @type {Placed[]} */ ([]) }));
  for (const signal of signals) {
    const known = signal.values.filter((value) => value !== null);
    if (!known.length) continue;
    const at = PANELS.findIndex(([, pattern]) => pattern.test(signal.name));
    const [low, high] = known.reduce(([least, most], value) => [Math.min(least, Number(value)), Math.max(most, Number(value))], [Infinity, -Infinity]);
    panels[at].signals.push({ ...signal, frames: positions(signal.times_ns, table), low, high });
  }
  return panels.filter((panel) => panel.signals.length);
}

/** @param {number[]} times @param {import("./frame_table.js").FrameTable} table */
function positions(times, table) {
  const found = new Float64Array(times.length);
  let k = 0;
  times.forEach((time, i) => {
    while (k + 1 < table.length && table.timeNs(k + 1) <= time) k++;
    found[i] = k + (time - table.timeNs(k)) / Math.max(1, table.timeNs(k + 1) - table.timeNs(k));
  });
  return found;
}

/** Least and greatest per column between two pictures. @param {Placed} signal @param {number} start @param {number} end @param {number} columns @returns {(number|null|undefined)[]} */
export function sampled({ frames, values }, start, end, columns) {
  /** @type {(number|null|undefined)[]} */
  const found = new Array(2 * columns).fill(undefined);
  const width = (end - start) / columns;
  let i = firstAtOrAfter(frames, start - width);
  for (let column = 0; column < columns; column++) {
    const until = start + (column + 1) * width;
    let [least, most, seen] = [Infinity, -Infinity, false];
    for (; i < frames.length && frames[i] < until; i++) {
      const value = values[i];
      seen = true;
      if (value === null) continue;
      if (value < least) least = value;
      if (value > most) most = value;
    }
    if (seen) [found[2 * column], found[2 * column + 1]] = least <= most ? [least, most] : [null, null];
  }
  // The line goes on to the samples on either side of what is on screen.
  if (found[found.length - 1] === undefined && i < frames.length) found[found.length - 1] = values[i];
  return found;
}

/** @param {Float64Array} sorted @param {number} wanted */
function firstAtOrAfter(sorted, wanted) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A signal's value at a picture, as the sample before it says. @param {Placed} signal @param {number} frame */
export const valueAt = ({ frames, values }, frame) => values[Math.max(0, firstAtOrAfter(frames, frame + 1) - 1)] ?? null;

export const SERIES_COLOURS = 6;

/** One panel of signals, drawn by uPlot. */
export class Plot {
  /** @param {HTMLElement} host @param {Placed[]} signals @param {import("./viewport.js").Viewport} viewport @param {() => {playhead: number, edge: number|null}} marks */
  constructor(host, signals, viewport, marks) {
    this.host = host;
    this.signals = signals;
    this.viewport = viewport;
    this.marks = marks;
    this.build();
  }

  build() {
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    this.colours = { playhead: colour("--playhead"), accent: colour("--accent") };
    const range = (/** @type {Placed} */ { low, high }) => [low - (high - low || 1) * 0.08, high + (high - low || 1) * 0.08];
    this.plot?.destroy();
    this.plot = new window.uPlot({
      width: this.viewport.width,
      height: this.host.clientHeight,
      padding: [2, 0, 2, 0],
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      cursor: { sync: { key: "joinery" }, drag: { x: false, y: false }, y: false, points: { show: false } },
      scales: { x: { time: false, auto: false, range: () => [this.viewport.start, this.viewport.end] }, ...Object.fromEntries(this.signals.map((signal, i) => [`y${i}`, { auto: false, range: () => range(signal) }])) },
      series: [{}, ...this.signals.map((_, i) => ({ scale: `y${i}`, stroke: colour(`--series-${(i % SERIES_COLOURS) + 1}`), width: 1.4, points: { show: false } }))],
      hooks: { draw: [(/** @type {any} */ plot) => this.drawMarks(plot)] },
    }, this.data(), this.host);
  }

  data() {
    const { start, end, width } = this.viewport;
    const columns = Math.max(2, Math.floor(width));
    const step = (end - start) / columns / 2;
    return [Float64Array.from({ length: 2 * columns }, (_, i) => start + (i + 0.5) * step), ...this.signals.map((signal) => sampled(signal, start, end, columns))];
  }

  /** The part on screen or the size has changed. */
  update() {
    if (this.plot.width !== this.viewport.width || this.plot.height !== this.host.clientHeight) this.plot.setSize({ width: this.viewport.width, height: this.host.clientHeight });
    this.plot.batch(() => { // drawn once, not once for the data and once for the scale
      this.plot.setData(this.data(), false);
      this.plot.setScale("x", { min: this.viewport.start, max: this.viewport.end });
    });
  }

  /** @param {any} plot */
  drawMarks(plot) {
    const { ctx, bbox } = plot;
    const { playhead, edge } = this.marks();
    const ratio = window.devicePixelRatio || 1;
    for (const [frame, colour, width] of [[edge, this.colours.accent, 2], [playhead, this.colours.playhead, 1.5]]) {
      if (frame === null) continue;
      ctx.fillStyle = colour;
      ctx.fillRect(bbox.left + this.viewport.x(frame) * ratio - ratio, bbox.top, width * ratio, bbox.height);
    }
  }

  redraw() {
    this.plot.redraw(false, false);
  }

  destroy() {
    this.plot.destroy();
  }
}
