/**
 * The dispatcher: turns key events into actions by the table of keymap.js, and does nothing while somebody types.
 *
 * The modes stack: a reason list or a merge question on top of an episode has its own keys until it is gone. Dialogs
 * push the mode ``none``, in which only their own buttons work.
 */

import { KEYMAP, bindingOf, chordOf, remapped } from "./keymap.js";

const OWN_KEYS = "joinery.keys";
const TYPING = "input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable=true]";
const PRESSED_ALIKE = new Set(["Enter", "Space", "Tab", "Shift+Tab", "ArrowUp", "ArrowDown"]);

/** @typedef {Record<string, (event: KeyboardEvent) => void>} Actions */

export class Keyboard {
  constructor() {
    this.keymap = ownKeymap();
    /** @type {{mode: string, actions: Actions}[]} */
    this.stack = [];
    window.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Give keys a meaning until the function returned is called. @param {string} mode @param {Actions} actions */
  push(mode, actions) {
    const layer = { mode, actions };
    this.stack.push(layer);
    return () => {
      this.stack = this.stack.filter((other) => other !== layer);
    };
  }

  get mode() {
    return this.stack.length ? this.stack[this.stack.length - 1].mode : "none";
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const layer = this.stack[this.stack.length - 1];
    if (!layer || event.isComposing || event.defaultPrevented) return;
    const chord = chordOf(event);
    const target = /** @type {Element} */ (event.target);
    if (target.closest?.(TYPING)) return;
    // On a button or link the keys that work it, and Tab, keep their usual meaning.
    const inControl = target.closest?.("button, a[href], summary, input, [role=tab], [role=option]");
    if (inControl && PRESSED_ALIKE.has(chord)) return;
    if (inControl && chord === "Escape") return /** @type {HTMLElement} */ (target).blur();
    const binding = bindingOf(this.keymap, /** @type {any} */ (layer.mode), chord);
    const act = binding && layer.actions[binding.id];
    if (!binding || !act) return;
    event.preventDefault();
    if (!event.repeat || binding.repeats) act(event);
  }
}

/** The table with this person's own keys; a remapping that clashes is not used. */
function ownKeymap() {
  try {
    return remapped(JSON.parse(localStorage.getItem(OWN_KEYS) ?? "{}"));
  } catch {
    return KEYMAP;
  }
}

/** Keep and use own keys. Throws an Error that says what clashes. @param {Keyboard} keyboard @param {string} text JSON, or nothing for the standard keys */
export function remap(keyboard, text) {
  const own = text.trim() ? JSON.parse(text) : {};
  keyboard.keymap = remapped(own);
  localStorage.setItem(OWN_KEYS, JSON.stringify(own));
}

/** This person's own keys as JSON. */
export const ownKeys = () => localStorage.getItem(OWN_KEYS) ?? "{}";
