/** The questions an episode asks in passing, each where a key or a button opened it. */

import { episodePath, post } from "./api.js";
import { Dialog } from "./dialog.js";
import { labelKey, neighbours, spanFrom } from "./document.js";
import { HelpOverlay } from "./help_overlay.js";
import { html, useState } from "./html.js";
import { Ask, Choose, REASONS } from "./questions.js";

/** @param {{app: any, desk: import("./desk.js").Desk, reviewId: string, question: string, close: () => void, actions: any, onComment: () => void}} props */
export function EpisodeQuestions({ app, desk, reviewId, question, close, onComment }) {
  const { keyboard } = app;
  if (question === "help") return html`<${HelpOverlay} keyboard=${keyboard} onClose=${close} />`;
  if (question === "go-to") {
    return html`<${Ask} title="Go to a picture" label=${`Number, 0 … ${desk.player.nFrames - 1}`} type="number" go="Go" keyboard=${keyboard} onClose=${close} onAnswer=${async (/** @type {string} */ text) => {
      const frame = Number(text);
      if (!Number.isInteger(frame) || frame < 0 || frame >= desk.player.nFrames) throw new Error(`${text}: expected 0 … ${desk.player.nFrames - 1}`);
      void desk.goto(frame);
    }} />`;
  }
  if (question === "flag") {
    return html`<${Ask} title="Flag for adjudication" label="What should somebody look at?" long go="Flag" keyboard=${keyboard} onClose=${close} onAnswer=${async (/** @type {string} */ text) => {
      const item = desk.item;
      const on = item ? (item.kind === "boundary" ? `boundary:${item.id}` : labelKey(item.level, item.id)) : `frame:${desk.player.frame}`;
      await post(`${episodePath(reviewId)}/flag`, { on, text });
      desk.say("Flagged.", "good");
      onComment();
    }} />`;
  }
  if (question === "quarantine") {
    return html`<${Ask} title="Quarantine this episode" label="Who or what can be recognised?" long danger go="Quarantine" keyboard=${keyboard} onClose=${close} onAnswer=${async (/** @type {string} */ text) => {
      await post(`${episodePath(reviewId)}/quarantine`, { reason: text });
      app.go("#/");
    }}><p class="dim">It leaves the queue and every export at once, its pictures are no longer served, and it is logged. An administrator can bring it back.</p><//>`;
  }
  if (question === "reason") return html`<${Reasons} desk=${desk} keyboard=${keyboard} close=${close} />`;
  if (question === "merge") return html`<${MergeChoice} desk=${desk} keyboard=${keyboard} close=${close} />`;
  if (question === "finish" || question === "done") return html`<${Finish} app=${app} desk=${desk} reviewId=${reviewId} done=${question === "done"} close=${close} />`;
  return null;
}

/** @param {{desk: import("./desk.js").Desk, keyboard: any, close: () => void}} props */
function Reasons({ desk, keyboard, close }) {
  const reasons = REASONS[desk.item?.kind ?? "boundary"];
  const reject = (/** @type {string} */ reason) => {
    close();
    void desk.decide("rejected", reason);
  };
  const actions = Object.fromEntries([...reasons.map((reason, i) => [`reason-${i + 1}`, () => reject(reason)]), ["reason-none", () => reject("")], ["reason-cancel", close]]);
  return html`<${Choose} mode="reason" title="Why not?" keyboard=${keyboard} actions=${actions} cancel=${close} choices=${[...reasons.map((reason, i) => [`Digit${i + 1}`, reason, () => reject(reason)]), ["Enter", "No reason given", () => reject("")]]} />`;
}

/** @param {{desk: import("./desk.js").Desk, keyboard: any, close: () => void}} props */
function MergeChoice({ desk, keyboard, close }) {
  const id = desk.selected ?? "";
  const merge = (/** @type {"left"|"right"} */ keep) => {
    close();
    void desk.merge(keep);
  };
  const right = spanFrom(desk.document, desk.level, id)?.label;
  const before = neighbours(desk.document, id)[0];
  const left = before && spanFrom(desk.document, desk.level, before.id)?.label;
  const words = (/** @type {any} */ label) => label?.caption || label?.verb || "no words";
  return html`<${Choose} mode="merge" title="Merge: which words stay?" keyboard=${keyboard} cancel=${close} actions=${{ "merge-left": () => merge("left"), "merge-right": () => merge("right"), "merge-cancel": close }}
    choices=${[["ArrowLeft", words(left), () => merge("left")], ["ArrowRight", words(right), () => merge("right")]]} />`;
}

/** @param {{app: any, desk: import("./desk.js").Desk, reviewId: string, done: boolean, close: () => void}} props */
function Finish({ app, desk, reviewId, done, close }) {
  const [failed, setFailed] = useState("");
  const { done: decided, total } = desk.progress;
  const finish = async () => {
    try {
      await app.sender.flush();
      if (app.sender.state.n_pending) throw new Error("Some of your work is not saved yet; it is kept here. Finish when the server is back.");
      await post(`${episodePath(reviewId)}/finish`);
      const { review_id } = await post("/api/queue/next");
      close();
      app.go(review_id ? `#/episode/${encodeURIComponent(review_id)}` : "#/");
    } catch (error) {
      setFailed(/** @type {Error} */ (error).message);
    }
  };
  return html`<${Dialog} title=${done ? "All decided" : "Finish this episode?"} keyboard=${app.keyboard} onClose=${close}>
    <p>${decided} of ${total} decided${decided < total ? ": the rest stays as the machine proposed it" : ""}.</p>${failed && html`<p class="failed" role="alert">${failed}</p>`}
    <footer><button class="primary" data-first onClick=${finish}>Finish, take the next</button><button class="quiet" onClick=${close}>Stay here</button></footer><//>`;
}
