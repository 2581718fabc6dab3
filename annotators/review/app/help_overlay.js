/** The keyboard, from the table that the keys themselves go by; and own keys, checked for clashes before they count. */

import { Dialog } from "./dialog.js";
import { html, useEffect, useState } from "./html.js";
import { shown } from "./keymap.js";
import { ownKeys, remap } from "./keyboard.js";

/** @param {{keyboard: import("./keyboard.js").Keyboard, onClose: () => void}} props */
export function HelpOverlay({ keyboard, onClose }) {
  const [layout, setLayout] = useState(/** @type {Map<string, string>|null} */ (null));
  useEffect(() => void (/** @type {any} */ (navigator)).keyboard?.getLayoutMap?.().then(setLayout, () => null), []);
  const groups = [...new Set(keyboard.keymap.map((binding) => binding.group))];
  const rowsOf = (/** @type {string} */ group) => folded(keyboard.keymap.filter((binding) => binding.group === group));
  return html`<${Dialog} title="Keyboard" wide keyboard=${keyboard} onClose=${onClose}>
    <div class="help" data-first tabindex="-1">${groups.map((group) => html`<section><h3>${group}</h3><dl>${rowsOf(group).map(({ keys, says }) => html`<div>
      <dt>${keys.map((chord) => html`<kbd>${shown(chord, layout)}</kbd>`)}</dt><dd>${says}</dd></div>`)}</dl></section>`)}
      <section><h3>Mouse</h3><dl>${[["drag", "Move a boundary; near others, Shift takes the one that most lanes share"], ["Alt+drag", "Without snapping"], ["wheel", "Zoom at the cursor"], ["Shift+wheel", "Pan"]].map(([key, says]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${says}</dd></div>`)}</dl></section>
    </div><${OwnKeys} keyboard=${keyboard} /><//>`;
}

/** Rows that differ only by a number are one. @param {import("./keymap.js").Binding[]} bindings */
function folded(bindings) {
  const numbered = (/** @type {string} */ id) => /^(alternative|reason)-\d$/.test(id);
  return bindings.filter(({ id }) => !numbered(id) || id.endsWith("-1")).map((binding) => (numbered(binding.id)
    ? { keys: [binding.id.startsWith("a") ? "Alt+1 … 9" : "1 … 6"], says: binding.id.startsWith("a") ? "Take that alternative caption" : "That reason" }
    : binding));
}

/** @param {{keyboard: import("./keyboard.js").Keyboard}} props */
function OwnKeys({ keyboard }) {
  const [text, setText] = useState(ownKeys());
  const [said, setSaid] = useState({ text: "", tone: "" });
  const use = () => {
    try {
      remap(keyboard, text);
      setSaid({ text: "These keys are in force, in this browser.", tone: "good" });
    } catch (error) {
      setSaid({ text: /** @type {Error} */ (error).message, tone: "failed" });
    }
  };
  return html`<details class="own-keys"><summary>Own keys</summary><p class="dim">JSON: action to keys, such as <code>{"step-forward": ["KeyE"]}</code>. Actions: ${keyboard.keymap.map((binding) => binding.id).join(", ")}.</p>
    <textarea rows="3" aria-label="Own keys as JSON" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} /><div class="editor-do"><button onClick=${use}>Use these</button><span class=${said.tone} role="status">${said.text}</span></div></details>`;
}
