/** Which part of an episode is on screen: pictures to pixels and back. Picture k lies between its edges at x(k) and x(k + 1). */

const LEAST_FRAMES = 12;

export class Viewport {
  /** @param {number} nFrames */
  constructor(nFrames) {
    this.nFrames = nFrames;
    this.width = 1;
    this.start = 0;
    this.end = nFrames;
  }

  get framesPerPixel() {
    return (this.end - this.start) / this.width;
  }

  /** @param {number} frame */
  x(frame) {
    return (frame - this.start) / this.framesPerPixel;
  }

  /** @param {number} x */
  frame(x) {
    return this.start + x * this.framesPerPixel;
  }

  /** @param {number} start @param {number} end */
  show(start, end) {
    const least = Math.min(LEAST_FRAMES, this.nFrames);
    const length = Math.min(Math.max(end - start, least), this.nFrames);
    const middle = (start + end) / 2;
    this.start = Math.min(Math.max(middle - length / 2, 0), this.nFrames - length);
    this.end = this.start + length;
  }

  /** Zoom so that what is under the cursor stays there. @param {number} x @param {number} factor above 1 shows more */
  zoomAt(x, factor) {
    const frame = this.frame(x);
    const length = Math.min(Math.max((this.end - this.start) * factor, Math.min(LEAST_FRAMES, this.nFrames)), this.nFrames);
    const start = frame - (x / this.width) * length;
    this.show(start, start + length);
  }

  /** @param {number} pixels */
  pan(pixels) {
    const by = pixels * this.framesPerPixel;
    this.show(this.start + by, this.end + by);
  }

  /** Pan by as little as brings a picture on screen, with some room round it. @param {number} frame */
  reveal(frame) {
    const length = this.end - this.start;
    const margin = length * 0.08;
    if (frame < this.start + margin) this.show(frame - margin, frame - margin + length);
    else if (frame > this.end - margin) this.show(frame + margin - length, frame + margin);
  }
}

/** A step between ticks that leaves `room` pixels each: 1, 2 or 5 times a power of ten. @param {number} unitsPerPixel @param {number} room */
export function niceStep(unitsPerPixel, room) {
  const least = unitsPerPixel * room;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least) ?? least;
}
