/** The closed vocabulary of verbs, in the order of schemas/event.py; a test compares the two. */
export const VERBS = [
  "move", "adjust", "grasp", "place", "release", "move backward", "move forward", "lift", "close", "move laterally",
  "lower", "push", "pick up", "hold still", "hold", "align", "tap", "pour", "press", "enter", "scan", "unfold",
  "rotate", "pull", "flip", "drag", "open", "stack", "sweep", "hang", "fold", "wipe", "fold over", "insert",
  "hand over", "bend", "cut", "toss", "stack up", "tie", "seal", "stir", "shake hands", "scoop", "reach", "retreat",
  "other",
];
