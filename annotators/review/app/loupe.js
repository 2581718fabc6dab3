/** What hides between pixels: while a boundary is dragged far out, its surroundings picture by picture, and both sides of it. */

import { inOrder } from "./document.js";

const REACH = 14;
const CELL = 12;
export const LOUPE = { width: (2 * REACH + 1) * CELL, height: 40 };

/** @param {CanvasRenderingContext2D} canvas @param {{document: import("./document.js").Document, id: string, frame: number, was: number, colours: Record<string, string>}} scene */
export function drawLoupe(canvas, { document, id, frame, was, colours }) {
  const x = (/** @type {number} */ k) => (k - frame + REACH) * CELL;
  canvas.clearRect(0, 0, LOUPE.width, LOUPE.height);
  canvas.font = "10px system-ui, sans-serif";
  for (let k = frame - REACH; k <= frame + REACH; k++) {
    canvas.fillStyle = k < frame ? colours["action-alt"] : colours.action;
    canvas.fillRect(x(k) + 0.5, 4, CELL - 1, 18);
    if (k % 5 === 0 && k >= 0) {
      canvas.fillStyle = colours["text-dim"];
      canvas.fillText(String(k), x(k), 36);
    }
  }
  for (const edge of inOrder(document)) {
    if (edge.id === id || Math.abs(edge.frame - frame) > REACH) continue;
    canvas.fillStyle = colours["text-dim"];
    canvas.fillRect(x(edge.frame) - 1, 2, 2, 22);
  }
  if (Math.abs(was - frame) <= REACH && was !== frame) {
    canvas.fillStyle = colours.warn;
    canvas.fillRect(x(was) - 1, 2, 2, 22);
  }
  canvas.fillStyle = colours.accent;
  canvas.fillRect(x(frame) - 1.5, 0, 3, 26);
}
