/** Short questions in the middle of work: which picture, which reason, which words stay, what is wrong. One key or one line each. */

import { Dialog } from "./dialog.js";
import { html, useLayoutEffect, useState } from "./html.js";
import { Key } from "./marks.js";

export const REASONS = {
  boundary: ["No boundary here", "Too early", "Too late", "Wrong level", "There twice", "Cannot be seen"],
  caption: ["Wrong verb", "Wrong object", "Wrong arm", "Made up", "Wrong span", "Cannot be seen"],
};

/** @param {{title: string, label: string, value?: string, type?: string, long?: boolean, go: string, danger?: boolean, keyboard: any, onAnswer: (text: string) => void|Promise<void>, onClose: () => void, children?: any}} props */
export function Ask({ title, label, value = "", type = "text", long = false, go, danger = false, keyboard, onAnswer, onClose, children }) {
  const [text, setText] = useState(value);
  const [failed, setFailed] = useState("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await onAnswer(text);
      onClose();
    } catch (error) {
      setFailed(/** @type {Error} */ (error).message);
    }
  };
  const onInput = (/** @type {any} */ event) => setText(event.target.value);
  const onKey = (/** @type {KeyboardEvent} */ event) => event.code === "Enter" && event.ctrlKey && void submit(event);
  return html`<${Dialog} title=${title} keyboard=${keyboard} onClose=${onClose}><form onSubmit=${submit}>${children}
    <label>${label}${long ? html`<textarea data-first rows="3" value=${text} onInput=${onInput} onKeyDown=${onKey} />` : html`<input data-first type=${type} value=${text} onInput=${onInput} />`}</label>
    ${failed && html`<p class="failed" role="alert">${failed}</p>`}
    <footer><button type="submit" class=${danger ? "danger" : "primary"} disabled=${!text.trim()}>${go}</button><button type="button" class="quiet" onClick=${onClose}>Cancel</button></footer></form><//>`;
}

/** A list that takes one key. @param {{mode: "reason"|"merge", title: string, choices: [string, string, () => void][], cancel: () => void, keyboard: import("./keyboard.js").Keyboard, actions: Record<string, () => void>}} props */
export function Choose({ mode, title, choices, cancel, keyboard, actions }) {
  useLayoutEffect(() => keyboard.push(mode, actions), []); // before the next key, which is the answer
  return html`<div class="choose" role="dialog" aria-label=${title}><h3>${title}</h3><ol>${choices.map(([chord, said, act]) => html`<li><button tabindex="-1" onClick=${act}><${Key} chord=${chord} /> ${said}</button></li>`)}</ol>
    <button class="quiet" tabindex="-1" onClick=${cancel}>Cancel <${Key} chord="Escape" /></button></div>`;
}
