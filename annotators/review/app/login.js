/** Logging in: as a page of its own, and as a dialog over work in progress, which stays as it is. */

import { openSession, post } from "./api.js";
import { Dialog } from "./dialog.js";
import { html, useState } from "./html.js";

/** @param {{mode: "single"|"accounts"|null, onIn: () => Promise<void>}} props mode: null where no session has told it yet */
export function LoginForm({ mode: known, onIn }) {
  const [mode, setMode] = useState(known ?? "accounts");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [address, setAddress] = useState("");
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      if (mode === "single") {
        const token = new URL(address, location.href).searchParams.get("token") ?? address.trim();
        const answer = await fetch(`/?token=${encodeURIComponent(token)}`, { redirect: "manual", credentials: "same-origin" });
        if (answer.status >= 400) throw new Error("That is not the address printed last.");
      } else await post("/api/login", { name, password }, { quiet: true });
      await openSession();
      await onIn();
    } catch (error) {
      setFailed(/** @type {any} */ (error).status === 401 ? "Name or password is wrong." : /** @type {Error} */ (error).message);
    }
    setBusy(false);
  };
  return html`<form class="login" onSubmit=${submit}>${mode === "single"
    ? html`<label>The address that <code>joinery review serve</code> printed<input data-first autocomplete="off" placeholder="http://127.0.0.1:…/?token=…" value=${address} onInput=${(/** @type {any} */ event) => setAddress(event.target.value)} /></label>`
    : html`<label>Name<input data-first name="name" autocomplete="username" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></label>
      <label>Password<input name="password" type="password" autocomplete="current-password" value=${password} onInput=${(/** @type {any} */ event) => setPassword(event.target.value)} /></label>`}
    ${failed && html`<p class="failed" role="alert">${failed}</p>`}<button class="primary" disabled=${busy || !(mode === "single" ? address : name && password)}>Log in</button>
    ${!known && html`<button type="button" class="quiet" onClick=${() => setMode(mode === "single" ? "accounts" : "single")}>${mode === "single" ? "I have an account" : "I have a printed address"}</button>`}</form>`;
}

/** @param {{mode: "single"|"accounts"|null, onIn: () => Promise<void>}} props */
export const LoginPage = ({ mode, onIn }) => html`<main class="login-page"><div class="login-box"><div class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 4h18v5h-5v4h5v7H3v-7h5V9H3z" /></svg><span>Joinery</span></div><h1>Review</h1><${LoginForm} mode=${mode} onIn=${onIn} /></div></main>`;

/** @param {{mode: "single"|"accounts", actor: string, pending: number, keyboard: any, onIn: () => Promise<void>}} props */
export const LoginDialog = ({ mode, actor, pending, keyboard, onIn }) => html`<${Dialog} title="Your session has ended" keyboard=${keyboard}>
  <p>Nothing is lost: ${pending ? `${pending} of your deeds wait on this machine and are sent` : "your work is saved, and goes on"} when you log in again${actor ? ` as ${actor}` : ""}.</p><${LoginForm} mode=${mode} onIn=${onIn} /><//>`;
