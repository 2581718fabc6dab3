/** What there is to do: the two strata kept apart, why each episode is asked for, who is at it, and how far all are. */

import { get, post } from "./api.js";
import { html, useEffect, useFetched, useRef, useState } from "./html.js";
import { Avatar, Badge, Empty, Key, Meter, Trouble, duration } from "./marks.js";

const PAGE = 50;
const LOOK_AGAIN_MS = 15_000;

/** @param {{app: any, session: any, query: URLSearchParams}} props */
export function QueuePage({ app, session, query }) {
  const offset = Number(query.get("from") ?? 0);
  const [stratum, setStratum] = useState("all");
  const { value, error, again } = useFetched(() => get(`/api/queue?offset=${offset}&limit=${PAGE}`), [offset]);
  const [failed, setFailed] = useState("");
  const list = useRef(/** @type {HTMLElement|null} */ (null));
  const start = async () => {
    try {
      const { review_id } = await post("/api/queue/next");
      if (review_id) app.go(`#/episode/${encodeURIComponent(review_id)}`);
      else setFailed("Nothing is left for you. Thank you.");
    } catch (trouble) {
      setFailed(/** @type {Error} */ (trouble).message);
    }
  };
  useEffect(() => {
    const rows = () => /** @type {HTMLElement[]} */ ([...(list.current?.querySelectorAll("a.queue-row") ?? [])]);
    const by = (/** @type {number} */ step) => {
      const all = rows();
      const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
      all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
    };
    const open = () => /** @type {HTMLElement|null} */ (document.activeElement)?.closest("a.queue-row")?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    return app.keyboard.push("queue", { "start-next": start, "row-down": () => by(1), "row-up": () => by(-1), "open-row": open, help: () => app.help(), save: () => void app.sender.flush() });
  }, []);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && again(), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [again]);
  const items = (value?.items ?? []).filter((/** @type {any} */ item) => stratum === "all" || item.stratum === stratum);
  const most = Math.max(1, ...(value?.items ?? []).map((/** @type {any} */ item) => item.risk ?? 0)); // risk has no upper end
  return html`<main class="page queue">
    <header class="page-head"><div><h1>Queue</h1><p class="dim">${value ? `${value.total} ${value.total === 1 ? "episode" : "episodes"}, the most wanted first` : " "}</p></div>
      <span class="spring" /><${Totals} items=${value?.items ?? []} total=${value?.total ?? 0} />
      <button class="primary big" onClick=${start}>Start next <${Key} chord="Enter" /></button></header>
    ${failed && html`<p class="failed" role="alert">${failed}</p>`}
    <div class="filter" role="group" aria-label="Stratum">${[["all", "All"], ["audit", "Audit"], ["risk", "Risk"]].map(([name, said]) => html`<button class=${stratum === name ? "on" : ""} aria-pressed=${stratum === name} onClick=${() => setStratum(name)}>${said}</button>`)}
      <span class="dim">${{ all: "", audit: "Drawn at random with a seed. Only these give error rates that may be published.", risk: "Low confidence, doubts, short spans: where the machine is most likely wrong." }[stratum]}</span></div>
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${value && !items.length && !error && html`<${Empty} title="Nothing here">${value.total ? "No episode of this stratum on this page." : html`Put episodes under review with <code>joinery review import</code>.`}<//>`}
    <div class="queue-list" ref=${list}>${!value && !error ? Array.from({ length: 8 }, () => html`<div class="queue-row ghost" />`) : items.map((/** @type {any} */ item) => html`<${Row} key=${item.review_id} item=${item} me=${session.actor} most=${most} />`)}</div>
    ${value && value.total > PAGE && html`<nav class="pages" aria-label="Pages"><a class=${`button ${offset ? "" : "off"}`} href=${`#/?from=${Math.max(0, offset - PAGE)}`}>‹ Before</a><span class="dim">${offset + 1}–${Math.min(offset + PAGE, value.total)} of ${value.total}</span><a class=${`button ${offset + PAGE < value.total ? "" : "off"}`} href=${`#/?from=${offset + PAGE}`}>Next ›</a></nav>`}
  </main>`;
}

/** @param {{item: any, me: string, most: number}} props */
function Row({ item, me, most }) {
  const [broken, setBroken] = useState(false);
  const state = /** @type {Record<string, string>} */ ({ open: "open", mine: "yours", taken: "taken", done: "done" })[item.state];
  return html`<a class=${`queue-row ${item.state}`} href=${`#/episode/${encodeURIComponent(item.review_id)}`}>
    <span class="thumb">${item.thumbnail && !broken ? html`<img src=${item.thumbnail} alt="" loading="lazy" onError=${() => setBroken(true)} />` : html`<span class="thumb-none">${item.media === "ready" || !item.media ? "" : item.media}</span>`}</span>
    <span class="row-what"><b>${item.instruction || "No instruction"}</b><span class="dim">${item.source} · ${duration(item.duration_s)} · ${item.n_frames} pictures</span></span>
    <span class="row-why"><${Badge} tone=${item.stratum}>${item.stratum}<//>${item.blind && html`<${Badge} tone="blind" title="Without the machine's proposals">blind<//>`}${item.raters > 1 && html`<${Badge} title="Several people, independently">${item.raters} raters<//>`}${item.flagged && html`<${Badge} tone="warn">flagged<//>`}</span>
    <span class="row-risk">${item.risk === null || item.risk === undefined ? html`<span class="dim">–</span>` : html`<${Meter} value=${item.risk / most} tone=${item.risk / most > 0.8 ? "bad" : item.risk / most > 0.4 ? "warn" : "good"} label="Risk, of the greatest here" /><span class="num">${item.risk.toFixed(2)}</span>`}</span>
    <span class="row-talk dim">${item.n_comments ? `${item.n_comments} comment${item.n_comments > 1 ? "s" : ""}` : ""}</span>
    <span class="row-people">${item.at_work.map((/** @type {string} */ name) => html`<${Avatar} name=${name} own=${name === me} />`)}</span>
    <span class="row-state"><${Badge} tone=${`queue-${item.state}`}>${state}<//><span class="dim num">rev ${item.rev}</span></span></a>`;
}

/** @param {{items: any[], total: number}} props */
function Totals({ items, total }) {
  const done = items.filter((item) => item.state === "done").length;
  const shown = Math.max(1, items.length);
  return html`<div class="totals"><span class="num"><b>${done}</b> done</span><${Meter} value=${done / shown} tone="good" label="Done" /><span class="dim num">of ${items.length < total ? `the ${items.length} shown` : total}</span></div>`;
}
