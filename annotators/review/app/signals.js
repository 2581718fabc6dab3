/**
 * Action and gripper signals under the lanes, on the same axis of pictures.
 *
 * Whatever the zoom, a signal is one upright bar per pixel column, over what it covers there: an hour of joint angles
 * draws as fast as a second. As a path it would be rasterised with every edge smoothed, which without a graphics card
 * took ten times as long as all else in a refresh. A sample that the source does not give is a gap.
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

/**
 * What a signal covers in each pixel column between two pictures: least and greatest of the line through its samples,
 * NaN where the source gives none. Columns side by side share the value on their common edge, so the line has no holes.
 * @param {Pick<Placed, "frames"|"values">} signal @param {number} start @param {number} end @param {number} columns
 */
export function covered({ frames, values }, start, end, columns) {
  const low = new Float64Array(columns).fill(NaN);
  const high = new Float64Array(columns).fill(NaN);
  const put = (/** @type {number} */ column, /** @type {number} */ value) => {
    if (column < 0 || column >= columns) return;
    if (!(low[column] <= value)) low[column] = value; // also where there is nothing yet: NaN is not below
    if (!(high[column] >= value)) high[column] = value;
  };
  const scale = columns / (end - start);
  let before = /** @type {number|null} */ (null);
  let at = 0;
  for (let i = Math.max(0, firstAtOrAfter(frames, start) - 1); i < frames.length && at <= columns; i++) {
    const value = values[i];
    const x = (frames[i] - start) * scale;
    if (value !== null) {
      const column = Math.floor(x);
      put(column, value);
      for (let edge = Math.max(Math.floor(at) + 1, 0); before !== null && edge <= Math.min(column, columns); edge++) {
        const there = before + ((value - before) * (edge - at)) / (x - at);
        put(edge - 1, there);
        put(edge, there);
      }
    }
    before = value;
    at = x;
  }
  return { low, high };
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
const LINE_PX = 1.4;

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
      series: [{}, ...this.signals.map((_, i) => ({ scale: `y${i}`, stroke: colour(`--series-${(i % SERIES_COLOURS) + 1}`), paths: () => null, points: { show: false } }))],
      hooks: { drawSeries: [(/** @type {any} */ plot, /** @type {number} */ i) => i && this.drawSignal(plot, i)], draw: [(/** @type {any} */ plot) => this.drawMarks(plot)] },
    }, this.data(), this.host);
  }

  /** The axis alone: what is drawn over it is `covered`, found once per part of the episode on screen. */
  data() {
    this.bars = this.signals.map(() => /** @type {ReturnType<typeof covered>|null} */ (null));
    const { start, end } = this.viewport;
    return [[start, end], ...this.signals.map(() => [null, null])];
  }

  /** The part on screen or the size has changed. */
  update() {
    if (this.plot.width !== this.viewport.width || this.plot.height !== this.host.clientHeight) this.plot.setSize({ width: this.viewport.width, height: this.host.clientHeight });
    this.plot.batch(() => { // drawn once, not once for the data and once for the scale
      this.plot.setData(this.data(), false);
      this.plot.setScale("x", { min: this.viewport.start, max: this.viewport.end });
    });
  }

  /** @param {any} plot @param {number} i from 1 */
  drawSignal(plot, i) {
    const { ctx, bbox } = plot;
    const { low, high } = (this.bars[i - 1] ??= covered(this.signals[i - 1], this.viewport.start, this.viewport.end, Math.round(bbox.width)));
    const [least, most] = [plot.scales[`y${i - 1}`].min, plot.scales[`y${i - 1}`].max];
    const perValue = bbox.height / (most - least);
    const thick = LINE_PX * (window.devicePixelRatio || 1);
    ctx.fillStyle = plot.series[i].stroke(plot, i);
    for (let column = 0; column < low.length; column++) {
      if (!(low[column] <= high[column])) continue;
      ctx.fillRect(bbox.left + column, bbox.top + (most - high[column]) * perValue - thick / 2, 1, (high[column] - low[column]) * perValue + thick);
    }
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
