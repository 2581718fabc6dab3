/** What waits for a decision: conflicts, flags, and episodes that several people rated, to be adjudicated side by side. */

import { get, post } from "./api.js";
import { LEVELS, lane } from "./document.js";
import { html, useFetched, useState } from "./html.js";
import { Avatar, Badge, Empty, Trouble, ago } from "./marks.js";

/** @param {{app: any, id: string}} props */
export function ConflictsPage({ app, id }) {
  return id ? html`<${Adjudication} app=${app} episodeId=${id} />` : html`<${OpenConflicts} />`;
}

function OpenConflicts() {
  const { value, error, again } = useFetched(() => get("/api/conflicts"), []);
  const [failed, setFailed] = useState("");
  const resolve = async (/** @type {string} */ opId, /** @type {string} */ how) => {
    try {
      await post(`/api/conflicts/${encodeURIComponent(opId)}/resolve`, { how });
      await again();
    } catch (trouble) {
      setFailed(/** @type {Error} */ (trouble).message);
    }
  };
  const conflicts = value?.conflicts ?? [];
  const flagged = value?.flags ?? [];
  return html`<main class="page conflicts"><header class="page-head"><div><h1>Conflicts and flags</h1><p class="dim">Where two people said different things of the same boundary or words, and where one asked for another look</p></div></header>
    ${error && html`<${Trouble} error=${error} again=${again} />`}${failed && html`<p class="failed" role="alert">${failed}</p>`}
    <section><h2>Conflicts <span class="dim">${conflicts.length}</span></h2>${value && !conflicts.length && html`<${Empty} title="No open conflict">When somebody saves over what somebody else has changed since, both values are kept and appear here.<//>`}
      <ol class="cases">${conflicts.map((/** @type {any} */ one) => html`<li key=${one.op_id} class="case"><div class="case-said"><p><${Avatar} name=${one.actor} /> <b>${one.actor}</b> wanted ${told(one.yours)}</p><p><${Avatar} name=${one.by || "?"} /> <b>${one.by || "somebody"}</b> had made it ${told(one.current)}</p><p class="dim">${one.kind} · ${one.review_id} · ${ago(one.at_ns)}</p></div>
        <div class="case-do"><a class="button primary" href=${`#/episode/${encodeURIComponent(one.review_id)}?frame=${frameOf(one)}`}>Look</a><button onClick=${() => resolve(one.op_id, "theirs")}>Leave as it is</button></div></li>`)}</ol></section>
    <section><h2>Flagged <span class="dim">${flagged.length}</span></h2>${value && !flagged.length && html`<p class="dim">Nothing is flagged.</p>`}
      <ol class="cases">${flagged.map((/** @type {any} */ one) => html`<li class="case"><div class="case-said"><p><${Avatar} name=${one.actor} /> <b>${one.actor}</b> ${one.text}</p><p class="dim">${one.on} · ${one.review_id} · ${ago(one.at_ns)}</p></div><div class="case-do"><a class="button primary" href=${`#/episode/${encodeURIComponent(one.review_id)}`}>Look</a><a class="button" href=${`#/conflicts/${encodeURIComponent(one.episode_id)}`}>Raters</a><button onClick=${() => resolve(one.flag_id, "other")}>Settled</button></div></li>`)}</ol></section></main>`;
}

/** @param {Record<string, any>|null} values */
function told(values) {
  const [key, value] = Object.entries(values ?? {})[0] ?? ["", null];
  if (!value) return html`<b>removed</b>`;
  return key.startsWith("boundary:") ? html`picture <b>${value.frame}</b>` : html`“<b>${value.caption}</b>”`;
}

/** @param {any} one */
const frameOf = (one) => Object.values(one.current ?? {}).concat(Object.values(one.yours ?? {})).find((value) => value && typeof value === "object" && "frame" in value)?.frame ?? 0;

/** The raters' documents under each other, on one axis. @param {{app: any, episodeId: string}} props */
function Adjudication({ app, episodeId }) {
  const { value, error, again } = useFetched(() => get(`/api/adjudication/${encodeURIComponent(episodeId)}`), [episodeId]);
  const [level, setLevel] = useState(/** @type {import("./document.js").Level} */ ("action"));
  const sides = value ? [{ actor: "the result so far", ...value.main }, ...value.raters] : [];
  const most = Math.max(1, ...sides.map((/** @type {any} */ one) => one.document.n_frames));
  return html`<main class="page adjudication"><header class="page-head"><div><h1>Side by side</h1><p class="dim">${episodeId}</p></div><span class="spring" /><div class="filter" role="group" aria-label="Level">${LEVELS.map((one) => html`<button class=${one === level ? "on" : ""} aria-pressed=${one === level} onClick=${() => setLevel(one)}>${one}</button>`)}</div>
    <button class="primary" onClick=${() => app.go(`#/episode/${encodeURIComponent(episodeId)}`)}>Set the result</button></header>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${sides.map((/** @type {any} */ one) => html`<div class="rater"><span class="rater-who"><${Avatar} name=${one.actor} /> ${one.actor} ${one.finished === false && html`<${Badge} tone="warn">at it<//>`}</span>
      <svg viewBox="0 0 1000 30" preserveAspectRatio="none" role="img" aria-label=${`${level}s of ${one.actor}`}>${lane(one.document, level).map((span, i) => html`<rect class=${`${level} ${i % 2 ? "alt" : ""}`} x=${(span.frame_start / most) * 1000} width=${Math.max(0.5, ((span.frame_end - span.frame_start) / most) * 1000 - 1)} y="0" height="30"><title>${`${span.frame_start}–${span.frame_end} ${span.label?.caption ?? ""}`}</title></rect>`)}</svg></div>`)}
    ${value && !value.raters.length && html`<${Empty} title="Nobody has rated it yet">Results of several people appear here under each other.<//>`}</main>`;
}
