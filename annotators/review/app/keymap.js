/**
 * The keyboard, as one table: the dispatcher, the overlay, the documentation and the tests read this and nothing else.
 *
 * Chords name `event.code`, so a key is where it is on every layout. A key has one meaning per mode; `clashes` proves
 * it, also for what a person remaps. Deciding lies under the left hand, time under the right.
 */

/** @typedef {"timeline"|"card"|"queue"|"reason"|"merge"|"any"} Mode */
/**
 * @typedef {object} Binding
 * @property {string} id
 * @property {string} group
 * @property {string[]} keys chords such as ``Shift+KeyF``
 * @property {string} says
 * @property {Mode[]} modes
 * @property {boolean} [repeats] whether holding the key goes on
 */

/** @type {Mode[]} */
const EPISODE = ["timeline", "card"];

/** @param {string} group @param {string} id @param {string[]} keys @param {string} says @param {Mode[]} [modes] @param {boolean} [repeats] @returns {Binding} */
const row = (group, id, keys, says, modes = EPISODE, repeats = false) => ({ group, id, keys, says, modes, repeats });

/** @type {Binding[]} */
export const KEYMAP = [
  row("Time", "play", ["Space"], "Play or pause; pausing stops at a verified picture"),
  row("Time", "step-forward", ["KeyF", "ArrowRight"], "One picture on", EPISODE, true),
  row("Time", "step-back", ["KeyD", "ArrowLeft"], "One picture back", EPISODE, true),
  row("Time", "jump-forward", ["KeyV", "Shift+ArrowRight"], "Ten pictures on", EPISODE, true),
  row("Time", "jump-back", ["KeyC", "Shift+ArrowLeft"], "Ten pictures back", EPISODE, true),
  row("Time", "shuttle-back", ["KeyJ"], "Step backwards while held", EPISODE, true),
  row("Time", "shuttle-pause", ["KeyK"], "Pause"),
  row("Time", "shuttle-play", ["KeyL"], "Play; again for 2x, then 4x"),
  row("Time", "slower", ["Minus"], "Slower, down to 0.25x"),
  row("Time", "faster", ["Equal"], "Faster, up to 4x"),
  row("Time", "go-to", ["KeyG"], "Go to a picture by its number"),
  row("Boundary", "next-queued", ["Tab"], "Next boundary, the least certain first"),
  row("Boundary", "previous-queued", ["Shift+Tab"], "The one before it"),
  row("Boundary", "next-in-time", ["KeyN"], "Next boundary in time at the active level", EPISODE, true),
  row("Boundary", "previous-in-time", ["KeyP"], "Previous boundary in time at the active level", EPISODE, true),
  row("Boundary", "nudge-back", ["BracketLeft"], "Move the boundary one picture back", EPISODE, true),
  row("Boundary", "nudge-forward", ["BracketRight"], "Move the boundary one picture on", EPISODE, true),
  row("Boundary", "nudge-back-10", ["Shift+BracketLeft"], "Move the boundary ten pictures back", EPISODE, true),
  row("Boundary", "nudge-forward-10", ["Shift+BracketRight"], "Move the boundary ten pictures on", EPISODE, true),
  row("Boundary", "set-here", ["KeyB"], "Set the boundary to the picture on screen"),
  row("Boundary", "split", ["KeyS"], "Split here, at the active level"),
  row("Boundary", "merge", ["KeyM"], "Merge: remove the boundary, choosing which words stay"),
  row("Boundary", "promote", ["Shift+ArrowUp"], "Promote: bound a coarser level too"),
  row("Boundary", "demote", ["Shift+ArrowDown"], "Demote: bound only finer levels"),
  row("Boundary", "loop", ["KeyR"], "Loop one second each side of the boundary"),
  row("Boundary", "play-span", ["Shift+Space"], "Play the event once"),
  row("Level", "level-task", ["Digit1"], "Task"),
  row("Level", "level-subtask", ["Digit2"], "Subtask"),
  row("Level", "level-action", ["Digit3"], "Action"),
  row("Level", "level-segment", ["Digit4"], "Segment"),
  row("Decide", "accept", ["KeyA"], "Accept and go on"),
  row("Decide", "reject", ["KeyX"], "Reject; then a reason, 1 to 6"),
  row("Decide", "skip", ["KeyW"], "Skip"),
  row("Decide", "flag", ["KeyU"], "Flag for adjudication, with a comment"),
  row("Decide", "quarantine", ["Shift+Digit1"], "Quarantine: a person can be recognised (!)"),
  row("Decide", "edit-caption", ["Enter"], "Edit the caption; Ctrl+Enter saves and goes on, Esc cancels"),
  ...Array.from({ length: 9 }, (_, i) =>
    row("Decide", `alternative-${i + 1}`, [`Alt+Digit${i + 1}`], `Take alternative caption ${i + 1}`)),
  row("Safety", "undo", ["Ctrl+KeyZ"], "Undo", EPISODE, true),
  row("Safety", "redo", ["Ctrl+Shift+KeyZ", "Ctrl+KeyY"], "Redo", EPISODE, true),
  row("Safety", "save", ["Ctrl+KeyS"], "Send what waits now, and say what is saved", ["timeline", "card", "queue"]),
  row("View", "fit-span", ["KeyI"], "Fit the event"),
  row("View", "fit-episode", ["KeyO"], "Fit the episode"),
  row("View", "hide-level", ["KeyH"], "Hide or show the active level"),
  row("View", "signals", ["KeyT"], "Signals on or off"),
  row("View", "help", ["Shift+Slash"], "This overview (?)", ["timeline", "card", "queue"]),
  row("View", "mode", ["KeyQ"], "Card mode or timeline mode"),
  row("View", "controls", ["F6"], "Into the buttons and fields of the page, where Tab works as usual; Esc comes back"),
  row("View", "finish", ["Ctrl+Enter"], "Finish the episode and take the next"),
  row("Queue", "start-next", ["Enter"], "Start the next episode", ["queue"]),
  row("Queue", "row-down", ["ArrowDown", "KeyJ"], "Down a row", ["queue"], true),
  row("Queue", "row-up", ["ArrowUp", "KeyK"], "Up a row", ["queue"], true),
  row("Queue", "open-row", ["KeyO"], "Open the row", ["queue"]),
  ...Array.from({ length: 6 }, (_, i) => row("Reason", `reason-${i + 1}`, [`Digit${i + 1}`], `Reason ${i + 1}`, ["reason"])),
  row("Reason", "reason-none", ["Enter"], "No reason given", ["reason"]),
  row("Reason", "reason-cancel", ["Escape"], "Do not reject", ["reason"]),
  row("Merge", "merge-left", ["ArrowLeft", "Digit1"], "Keep the words on the left", ["merge"]),
  row("Merge", "merge-right", ["ArrowRight", "Digit2"], "Keep the words on the right", ["merge"]),
  row("Merge", "merge-cancel", ["Escape"], "Do not merge", ["merge"]),
];

const MODIFIERS = /** @type {const} */ (["Ctrl", "Alt", "Shift"]);

/** The chord of a keyboard event; Cmd counts as Ctrl. @param {KeyboardEvent} event */
export function chordOf(event) {
  const held = { Ctrl: event.ctrlKey || event.metaKey, Alt: event.altKey, Shift: event.shiftKey };
  return [...MODIFIERS.filter((name) => held[name]), event.code].join("+");
}

/** Every chord with two meanings in one mode, as a sentence. @param {Binding[]} keymap */
export function clashes(keymap) {
  /** @type {Map<string, string>} */
  const taken = new Map();
  const found = [];
  for (const { id, keys, modes } of keymap) {
    for (const mode of modes) {
      for (const chord of keys) {
        const place = `${mode} ${chord}`;
        if (taken.has(place)) found.push(`${chord} means both ${taken.get(place)} and ${id} in mode ${mode}`);
        taken.set(place, id);
      }
    }
  }
  return found;
}

const CHORD = /^(Ctrl\+)?(Alt\+)?(Shift\+)?(Key[A-Z]|Digit\d|F\d{1,2}|Numpad\w+|Arrow(Up|Down|Left|Right)|Space|Tab|Enter|Escape|Backspace|Delete|Home|End|PageUp|PageDown|Minus|Equal|BracketLeft|BracketRight|Semicolon|Quote|Backquote|Backslash|Comma|Period|Slash|IntlBackslash)$/;

/**
 * The table with a person's own keys, given as ``{"step-forward": ["KeyE"]}``. Throws an Error that says what is wrong.
 * @param {Record<string, string[]>} own @returns {Binding[]}
 */
export function remapped(own) {
  const known = new Set(KEYMAP.map((binding) => binding.id));
  for (const [id, keys] of Object.entries(own)) {
    if (!known.has(id)) throw new Error(`${id}: no such action; actions are named as in the overview (?)`);
    if (!Array.isArray(keys) || !keys.length) throw new Error(`${id}: expected a list of keys such as ["KeyE"]`);
    for (const chord of keys) {
      if (!CHORD.test(chord)) throw new Error(`${id}: ${chord} is no key; expected such as "Ctrl+Shift+KeyE", modifiers in that order`);
    }
  }
  const table = KEYMAP.map((binding) => ({ ...binding, keys: own[binding.id] ?? binding.keys }));
  const found = clashes(table);
  if (found.length) throw new Error(found.join("; "));
  return table;
}

/** The binding of a chord in a mode, if any. @param {Binding[]} keymap @param {Mode} mode @param {string} chord */
export const bindingOf = (keymap, mode, chord) =>
  keymap.find((binding) => binding.modes.includes(mode) && binding.keys.includes(chord)) ?? null;

/** @type {Record<string, string>} */
const NAMES = {
  Space: "Space", Minus: "-", Equal: "=", BracketLeft: "[", BracketRight: "]", Slash: "/", Semicolon: ";", Quote: "'", Comma: ",",
  Period: ".", Backslash: "\\", Backquote: "`", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc",
};

/** A chord as people say it, with the letters of the person's layout where the browser tells. @param {string} chord @param {Map<string, string>|null} [layout] */
export function shown(chord, layout = null) {
  const parts = chord.split("+");
  const code = parts.pop() ?? "";
  const own = layout?.get(code);
  const name = NAMES[code] ?? (own ? own.toUpperCase() : code.replace(/^(Key|Digit)/, ""));
  return [...parts, /^(Bracket|Slash|Semicolon|Quote)/.test(code) && own ? own : name].join("+");
}
