/** Find events by words, likeness and filters, and open one at its picture. */

import { get } from "./api.js";
import { LEVELS } from "./document.js";
import { html, useEffect, useFetched, useRef, useState } from "./html.js";
import { Badge, Empty, Trouble } from "./marks.js";
import { VERBS } from "./verbs.js";

/** @param {{app: any, query: URLSearchParams}} props */
export function SearchPage({ app, query }) {
  const asked = Object.fromEntries(["q", "like", "level", "verb", "source"].map((name) => [name, query.get(name) ?? ""]));
  const [form, setForm] = useState(asked);
  const field = useRef(/** @type {HTMLInputElement|null} */ (null));
  const wanted = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
  const { value, error, loading, again } = useFetched(() => (wanted.size ? get(`/api/search?${wanted}&limit=60`) : Promise.resolve(null)), [String(wanted)]);
  useEffect(() => setForm(asked), [String(wanted)]);
  useEffect(() => field.current?.focus(), []);
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setForm({ ...form, [name]: event.target.value });
  const go = (/** @type {Record<string, string>} */ next) => app.go(`#/search?${new URLSearchParams(Object.entries(next).filter(([, one]) => one))}`);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    go(form);
  };
  return html`<main class="page search"><header class="page-head"><div><h1>Search</h1><p class="dim">Captions, verbs, objects, flags; and events like one you have seen</p></div></header>
    <form class="search-form" role="search" onSubmit=${submit}>
      <input ref=${field} class="search-words" type="search" aria-label="Words" placeholder="re-grasp after slip" value=${form.q} onInput=${set("q")} />
      <select aria-label="Level" value=${form.level} onChange=${set("level")}><option value="">Any level</option>${LEVELS.map((level) => html`<option value=${level} selected=${form.level === level}>${level}</option>`)}</select>
      <select aria-label="Verb" value=${form.verb} onChange=${set("verb")}><option value="">Any verb</option>${VERBS.map((verb) => html`<option value=${verb} selected=${form.verb === verb}>${verb}</option>`)}</select>
      <input class="search-source" aria-label="Source" placeholder="Any source" value=${form.source} onInput=${set("source")} /><button class="primary">Search</button></form>
    ${asked.like && html`<p class="like">Like event <code>${asked.like}</code> <button class="link" onClick=${() => go({ ...form, like: "" })}>drop</button></p>`}
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${!value && !error && !loading && html`<${Empty} title="Say what to look for">Words as people would say them: “grasp the red cup”, “release”, “re-grasp after slip”.<//>`}
    ${value && !value.hits.length && !error && html`<${Empty} title="Nothing found">Fewer or other words, or any level, may find more.<//>`}
    <div class=${`hits ${loading ? "waiting" : ""}`}>${(value?.hits ?? []).map((/** @type {any} */ hit) => html`<article key=${hit.event_id} class="hit">
      <a href=${`#/episode/${encodeURIComponent(hit.review_id ?? hit.episode_id)}?frame=${hit.frame_start}&event=${hit.event_id}&level=${hit.level}`}>
        <span class="thumb">${hit.thumbnail && html`<img src=${hit.thumbnail} alt="" loading="lazy" />`}</span>
        <span class="hit-said"><b>${hit.caption || hit.verb}</b><span><${Badge} tone=${`level ${hit.level}`}>${hit.level}<//> <span class="dim">${hit.verb}${hit.objects?.length ? ` · ${hit.objects.join(", ")}` : ""}</span></span><span class="dim num">${hit.frame_start}–${hit.frame_end} · score ${Number(hit.score).toFixed(2)}</span></span></a>
      <button class="quiet" onClick=${() => go({ ...asked, like: hit.event_id })}>More like this</button></article>`)}</div></main>`;
}
