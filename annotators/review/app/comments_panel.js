/** What people say to each other about an episode, at a picture or at a boundary. */

import { episodePath, get, post } from "./api.js";
import { html, useFetched, useState } from "./html.js";
import { Avatar, Trouble, ago } from "./marks.js";

/** @param {{desk: import("./desk.js").Desk, reviewId: string, fresh: number}} props */
export function CommentsPanel({ desk, reviewId, fresh }) {
  const path = `${episodePath(reviewId)}/comments`;
  const { value, error, again } = useFetched(() => get(path), [reviewId, fresh]);
  const [text, setText] = useState("");
  const [failed, setFailed] = useState("");
  const comments = value?.comments ?? [];
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim()) return;
    try {
      await post(path, { frame: desk.player.frame, boundary_id: (desk.item?.kind === "boundary" && desk.selected) || "", text: text.trim() });
      setText("");
      setFailed("");
      await again();
    } catch (trouble) {
      setFailed(/** @type {Error} */ (trouble).message); // the words stay in the field
    }
  };
  return html`<section class="card comments" aria-label="Comments"><div class="card-head"><h3>Comments</h3><span class="dim">${comments.length || ""}</span></div>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${comments.length > 0 && html`<ol>${comments.map((/** @type {any} */ one) => html`<li><${Avatar} name=${one.actor} /><div><p class="comment-head"><b>${one.actor}</b> <button class="link" tabindex="-1" onClick=${() => desk.goto(one.frame)}>${one.frame}</button> <span class="dim">${ago(one.at_ns)}</span></p><p>${one.text}</p></div></li>`)}</ol>`}
    <form onSubmit=${send}><input aria-label=${`Comment at picture ${desk.player.frame}`} placeholder="Say something about this picture" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} onKeyDown=${(/** @type {any} */ event) => event.code === "Escape" && event.target.blur()} />
      <button disabled=${!text.trim()}>Send</button></form>${failed && html`<p class="failed" role="alert">${failed}</p>`}</section>`;
}
