/** A modal dialog: the browser's own, which keeps focus inside and gives it back; the page's keys sleep meanwhile. */

import { html, useLayoutEffect, useRef } from "./html.js";

/** @param {{title: string, onClose?: () => void, wide?: boolean, keyboard?: import("./keyboard.js").Keyboard|null, children?: any}} props */
export function Dialog({ title, onClose, wide = false, keyboard = null, children }) {
  const element = useRef(/** @type {HTMLDialogElement|null} */ (null));
  useLayoutEffect(() => {
    const dialog = /** @type {HTMLDialogElement} */ (element.current);
    const release = keyboard?.push("none", {});
    const before = /** @type {HTMLElement|null} */ (document.activeElement);
    dialog.showModal();
    /** @type {HTMLElement|null} */ (dialog.querySelector("[autofocus], [data-first]"))?.focus({ preventScroll: true });
    return () => {
      release?.();
      dialog.close();
      before?.focus?.();
    };
  }, []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose?.();
  };
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel=${cancel}>
    <header><h2 id="dialog-title">${title}</h2>${onClose && html`<button class="quiet icon" aria-label="Close" onClick=${onClose}>×</button>`}</header>
    ${children}
  </dialog>`;
}
