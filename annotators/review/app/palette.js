/** The colours of the present theme for what is drawn on canvas: the same custom properties that the style sheet uses. */

const NAMES = [
  "surface", "sunken", "raised", "line", "line-strong", "text", "text-dim", "text-faint", "accent", "accent-soft", "warn", "bad", "good", "human",
  "task", "task-alt", "subtask", "subtask-alt", "action", "action-alt", "segment", "segment-alt", "on-lane", "playhead",
];

/** @returns {Record<string, string>} */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
