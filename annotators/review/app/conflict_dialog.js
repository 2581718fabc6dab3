/** Two people, one boundary: both values side by side on the strip, and a person decides. Neither is lost either way. */

import { episodePath, post } from "./api.js";
import { idOfKey, isBoundaryKey } from "./document.js";
import { Dialog } from "./dialog.js";
import { Filmstrip } from "./filmstrip.js";
import { html, useState } from "./html.js";
import { ago } from "./marks.js";
import { same, valueOf } from "./operation.js";

/** @typedef {import("./outbox.js").Held} Held */

/** @param {{desk: import("./desk.js").Desk, held: Held[], sha256: string, keyboard: any, onClose: () => void}} props */
export function ConflictDialog({ desk, held, sha256, keyboard, onClose }) {
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const one = held[0];
  if (!one) return null;
  const { answer, why } = one;
  const yours = why === "conflict" ? wanted(one) : null;
  const key = yours ? Object.keys(yours)[0] : "";
  const theirs = key ? answer.current?.[key] ?? valueOf(desk.document, key) : null;
  const settle = async (/** @type {"mine"|"theirs"|"other"|null} */ how, /** @type {() => Promise<any>} */ act) => {
    setBusy(true);
    try {
      await act();
      if (how) await post(`/api/conflicts/${encodeURIComponent(one.op_id)}/resolve`, { how });
      await desk.live.outbox.settle(one.op_id, one.review_id);
      setTrouble("");
      if (held.length === 1) onClose();
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
    }
    setBusy(false);
  };
  const mine = () => settle("mine", async () => {
    const again = remade(one, desk.document);
    if (again) await desk.live.do(again, { verified: one.frame_verified, mark_mode: one.mark_mode });
  });
  const theirsStay = () => settle("theirs", async () => undefined);
  const adjudicate = () => settle(null, () => post(`${episodePath(one.review_id)}/flag`, { on: key, text: `conflict ${one.op_id}: ${said(key, yours?.[key] ?? null)} or ${said(key, theirs)}?` }));
  const title = why === "conflict" ? `${answer.by || "Somebody"} changed this while you did` : "The server did not take this";
  return html`<${Dialog} title=${title} wide keyboard=${keyboard} onClose=${onClose}>
    <p class="dim">${held.length > 1 ? `1 of ${held.length} · ` : ""}${deedSaid(one)}${answer.at_ns ? ` · theirs ${ago(answer.at_ns)}` : ""}. Both are in the log, whatever you choose.</p>
    ${why === "refused" && html`<p class="failed" role="alert">${answer.said}${answer.do ? `: ${answer.do}` : ""}</p>`}
    ${why === "conflict" && html`<div class="versus">
      <${Side} who=${`Theirs${answer.by ? ` · ${answer.by}` : ""}`} tone="theirs" value=${theirs} entity=${key} sha256=${sha256} n=${desk.document.n_frames} />
      <${Side} who="Yours" tone="mine" value=${yours?.[key] ?? null} entity=${key} sha256=${sha256} n=${desk.document.n_frames} /></div>`}
    ${trouble && html`<p class="failed" role="alert">${trouble}</p>`}
    <footer>${why === "conflict"
      ? html`<button data-first disabled=${busy} onClick=${theirsStay}>Keep theirs</button><button class="primary" disabled=${busy} onClick=${mine}>Keep mine</button><span class="spring" /><button class="quiet" disabled=${busy} onClick=${adjudicate}>Send to adjudication</button>`
      : html`<button data-first disabled=${busy} onClick=${() => settle(null, async () => undefined)}>I have seen it</button>`}</footer>
  <//>`;
}

/** What the deed would have made of each entity. @param {Held} held @returns {Record<string, any>|null} */
function wanted({ answer, operation }) {
  const change = answer.yours ?? {};
  const found = Object.fromEntries(Object.entries(change).map(([key, pair]) => [key, Array.isArray(pair) ? pair[1] : pair]));
  if (!Object.keys(found).length) return null;
  // The boundary or words that the deed names come first; what it only drags along after.
  const named = typeof operation === "string" ? "" : "boundary_id" in operation ? `boundary:${operation.boundary_id}` : operation.entity;
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => Number(b === named) - Number(a === named)));
}

/** The same deed on what is there now; null when it is there already. @param {Held} held @param {import("./document.js").Document} document @returns {any} */
function remade(held, document) {
  if (typeof held.operation !== "string") return held.operation;
  const [key, value] = Object.entries(wanted(held) ?? {})[0] ?? ["", null];
  if (!key || !value || same(valueOf(document, key), value)) return null;
  if (isBoundaryKey(key)) return { kind: "move", boundary_id: idOfKey(key), frame: value.frame };
  const { caption, verb, objects, arm } = value;
  return { kind: "label", level: key.split(":")[1], boundary_id: idOfKey(key), caption, verb, objects, arm };
}

/** @param {{who: string, tone: string, value: any, entity: string, sha256: string, n: number}} props */
function Side({ who, tone, value, entity, sha256, n }) {
  return html`<div class=${`side ${tone}`}><h3>${who}</h3><p class="side-said">${said(entity, value)}</p>
    ${isBoundaryKey(entity) && value && html`<${Filmstrip} sha256=${sha256} frame=${value.frame} nFrames=${n} height=${120} label=${`${who}: pictures round ${value.frame}`} />`}</div>`;
}

/** @param {string} key @param {any} value */
function said(key, value) {
  if (!value) return "removed";
  if (isBoundaryKey(key)) return `picture ${value.frame}, bounds ${["tasks", "subtasks", "actions", "segments"][value.rank]}, ${value.state}`;
  return `“${value.caption}” (${value.verb}), ${value.state}`;
}

/** @param {Held} held */
const deedSaid = ({ operation }) => (typeof operation === "string" ? `Your ${operation}` : /** @type {Record<string, string>} */ ({
  move: "Your move of a boundary", split: "Your split", merge: "Your merge", rank: "Your change of level", label: "Your caption", decide: "Your decision" })[operation.kind]);
