/** One episode under review: opens it, keeps it fresh, and lays out pictures, lanes and cards in both modes. */

import { episodePath, post, server } from "./api.js";
import { CaptionCard } from "./caption_card.js";
import { CardBar, Progress } from "./card_mode.js";
import { CommentsPanel } from "./comments_panel.js";
import { ConflictDialog } from "./conflict_dialog.js";
import { Desk } from "./desk.js";
import { LEVELS, lane, spanAt } from "./document.js";
import { episodeActions } from "./episode_keys.js";
import { EpisodeQuestions } from "./episode_questions.js";
import { EvidencePanel } from "./evidence_panel.js";
import { Filmstrip } from "./filmstrip.js";
import { html, useEffect, useEvents, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { LanesPanel } from "./lanes_panel.js";
import { LiveDocument } from "./live_document.js";
import { Avatar, Badge, Key, Trouble, duration } from "./marks.js";
import { Player } from "./player.js";
import { Stage } from "./stage.js";
import { Viewport } from "./viewport.js";

const HEARTBEAT_MS = 60_000;
const LOOK_AGAIN_MS = 10_000;
const PREPARING_MS = 1_500;

/** @typedef {{outbox: import("./outbox.js").Outbox, sender: import("./sender.js").Sender, keyboard: import("./keyboard.js").Keyboard, go: (route: string) => void, setRev: (rev: number|null) => void}} App */

/** @param {{app: App, reviewId: string, query: URLSearchParams, conflictsOpen: boolean, setConflictsOpen: (on: boolean) => void}} props */
export function EpisodePage({ app, reviewId, query, conflictsOpen, setConflictsOpen }) {
  const [desk, setDesk] = useState(/** @type {Desk|null} */ (null));
  const [wait, setWait] = useState({ text: "Opening …", error: /** @type {any} */ (null) });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const opening = { over: false };
    const live = new LiveDocument(reviewId, app.outbox);
    /** @type {Player|null} */
    let player = null;
    setDesk(null);
    setWait({ text: "Opening …", error: null });
    opened(live, opening, (text) => setWait({ text, error: null }), query).then(
      (made) => {
        if (!made) return;
        if (opening.over) return made.player.destroy();
        player = made.player;
        Object.assign(window.joinery, { desk: made }); // for tests and for whoever wants to look
        setDesk(made);
      },
      (error) => !opening.over && setWait({ text: "", error }),
    );
    return () => {
      opening.over = true;
      live.close();
      player?.destroy();
      app.setRev(null);
    };
  }, [reviewId, turn]);
  if (wait.error) return html`<main class="page narrow"><${Trouble} error=${wait.error} again=${() => setTurn(turn + 1)} /><p><a href="#/">Back to the queue</a></p></main>`;
  if (!desk) return html`<main class="episode opening" aria-busy="true"><div class="opening-said">${wait.text}</div></main>`;
  return html`<${Open} key=${reviewId} app=${app} desk=${desk} reviewId=${reviewId} conflictsOpen=${conflictsOpen} setConflictsOpen=${setConflictsOpen} />`;
}

/** Document, media and player, ready to work with. @param {LiveDocument} live @param {{over: boolean}} opening @param {(text: string) => void} say @param {URLSearchParams} query */
async function opened(live, opening, say, query) {
  let page = await live.load();
  while (page.media && page.media !== "ready") {
    if (opening.over) return null;
    if (page.media === "failed" || page.media === "refused") throw new Error(page.media_said || "its media cannot be shown");
    say("Preparing the pictures; this is done once …");
    await new Promise((resolve) => setTimeout(resolve, PREPARING_MS));
    page = await live.load();
  }
  if (opening.over) return null;
  const { sheet } = page;
  const player = new Player({ views: sheet.views.filter((/** @type {any} */ view) => view.sha256), master: sheet.master });
  try {
    await player.load(Number(query.get("frame") ?? 0));
  } catch (error) {
    player.destroy();
    throw error;
  }
  const desk = new Desk(live, player, sheet);
  desk.markedLive = live.markedLive();
  const level = LEVELS.find((one) => one === query.get("level"));
  if (level) desk.level = level;
  else if (!lane(desk.document, "action").length) desk.level = "task";
  const asked = level && query.has("frame") && spanAt(desk.document, level, Number(query.get("frame")));
  if (asked && asked.label) desk.item = { kind: "caption", id: asked.start_id, level };
  return desk;
}

/** @param {{app: App, desk: Desk, reviewId: string, conflictsOpen: boolean, setConflictsOpen: (on: boolean) => void}} props */
function Open({ app, desk, reviewId, conflictsOpen, setConflictsOpen }) {
  useEvents(desk, "change");
  const { live, player, sheet } = desk;
  const page = live.page;
  const [editing, setEditing] = useState(false);
  const [question, setQuestion] = useState("");
  const [atWork, setAtWork] = useState(/** @type {string[]} */ ([]));
  const [fresh, setFresh] = useState(0);
  const viewport = useMemo(() => Object.assign(window.joinery, { viewport: new Viewport(player.nFrames) }).viewport, [desk]);
  const timeline = useRef(/** @type {import("./timeline.js").Timeline|null} */ (null));
  const centredOn = useRef(/** @type {string|null} */ (null));
  const root = useRef(/** @type {HTMLElement|null} */ (null));
  const master = sheet.views.find((/** @type {any} */ view) => view.name === sheet.master);
  const actions = useMemo(() => episodeActions(desk, {
    ask: setQuestion,
    edit: () => setEditing(true),
    fit: (start, end) => {
      viewport.show(start, end);
      timeline.current?.moved();
    },
    save: () => void app.sender.flush().then(() => desk.say(saidSaved(app.sender, live), app.sender.state.n_pending ? "bad" : "good")),
    finish: () => setQuestion("finish"),
    controls: () => /** @type {HTMLElement|null} */ (root.current?.querySelector(".side button, .side input"))?.focus(),
  }), [desk]);
  useLayoutEffect(() => app.keyboard.push(desk.mode, actions), [desk, desk.mode, actions]);
  useEffect(() => {
    const revealed = () => {
      const frame = desk.draft?.by === "drag" ? null : desk.draft?.frame ?? (player.playing || desk.item ? player.frame : null);
      if (frame !== null && desk.mode === "timeline") viewport.reveal(frame), timeline.current?.moved();
    };
    // A card shows what is about its boundary, two and a half seconds each side.
    const centred = () => {
      if (desk.mode !== "card" || !desk.boundary || centredOn.current === desk.selected) return;
      centredOn.current = desk.selected;
      const ns = player.table.timeNs(desk.boundary.frame);
      viewport.show(player.table.frameAt(ns - 2.5e9), player.table.frameAt(ns + 2.5e9) + 1);
      timeline.current?.moved();
    };
    const done = () => setQuestion("done");
    const tell = () => app.setRev(live.rev);
    player.addEventListener("state", revealed);
    desk.addEventListener("done", done);
    desk.addEventListener("change", centred);
    live.addEventListener("change", tell);
    tell();
    if (desk.mode === "card") void desk.begin();
    return () => {
      player.removeEventListener("state", revealed);
      desk.removeEventListener("done", done);
      desk.removeEventListener("change", centred);
      live.removeEventListener("change", tell);
    };
  }, [desk]);
  useEffect(() => {
    const beat = () => post(`${episodePath(reviewId)}/lease`, {}, { quiet: true }).then((lease) => {
      setAtWork(lease.at_work);
      if (lease.rev > live.rev) void live.pull();
    }).catch(() => undefined); // offline is said elsewhere; a lost lease loses nothing
    void beat();
    const timers = [setInterval(beat, HEARTBEAT_MS), setInterval(() => document.visibilityState === "visible" && live.pull(), LOOK_AGAIN_MS)];
    return () => timers.forEach(clearInterval);
  }, [desk]);
  useEffect(() => {
    if (live.held.some((one) => !seenHeld.has(one.op_id))) setConflictsOpen(true);
    live.held.forEach((one) => seenHeld.add(one.op_id));
  }, [live.held.length]);
  const boundary = desk.boundary;
  const stripFrame = desk.draft?.id === desk.selected && desk.draft ? desk.draft.frame : boundary?.frame;
  return html`<main class=${`episode ${desk.mode}`} ref=${root}>
    <div class="episode-head">
      <a class="back" href="#/" aria-label="Back to the queue">‹ Queue</a>
      <h1 title=${page.episode_id}>${sheet.instruction || "No instruction"}</h1>
      <span class="dim episode-facts">${sheet.source} · ${duration(player.table.seconds(player.nFrames) - player.table.seconds(0))}</span>
      ${page.stratum && html`<${Badge} tone=${page.stratum} title=${page.stratum === "audit" ? "Drawn at random: what published error rates rest on" : "Among the least certain"}>${page.stratum}<//>`}
      ${page.blind && html`<${Badge} tone="blind" title="You see this episode without what the machine made of it">blind<//>`}
      ${sheet.personal && html`<${Badge} tone="warn" title="People may be recognised; every look at it is logged">personal<//>`}
      <span class="spring" />
      <${Undoing} desk=${desk} />
      <span class="people" aria-label="At work here">${atWork.map((name) => html`<${Avatar} key=${name} name=${name} own=${name === server.session?.actor} />`)}</span>
      <div class="mode-switch" role="group" aria-label="Mode">${[["card", "Card"], ["timeline", "Timeline"]].map(([mode, said]) => html`<button tabindex="-1" aria-pressed=${desk.mode === mode} class=${desk.mode === mode ? "on" : ""} title="Q" onClick=${() => desk.setView({ mode: /** @type {any} */ (mode) })}>${said}</button>`)}</div>
      <button class="primary finish" tabindex="-1" title="Ctrl+Enter" onClick=${actions.finish}>Finish</button>
      <${Progress} desk=${desk} />
    </div>
    <${Stage} desk=${desk} sheet=${{ ...sheet, views: sheet.views.filter((/** @type {any} */ view) => view.sha256) }} />
    <div class="strip">${stripFrame !== undefined ? html`<${Filmstrip} sha256=${master.sha256} frame=${stripFrame} nFrames=${player.nFrames} height=${desk.mode === "card" ? 240 : 150} onPick=${(/** @type {number} */ k) => desk.goto(k)} />`
      : html`<div class="filmstrip none"><p class="hint">Select a boundary to see the pictures on both sides of it: <${Key} chord="Tab" /> the least certain, <${Key} chord="KeyN" /> the next.</p></div>`}</div>
    ${desk.mode === "card" ? html`<${CardBar} desk=${desk} act=${actions} />` : null}
    <${LanesPanel} desk=${desk} viewport=${viewport} onTimeline=${(/** @type {any} */ made) => Object.assign(window.joinery, { timeline: (timeline.current = made) })} />
    <aside class="side" aria-label="About the selection">
      <${EvidencePanel} desk=${desk} />
      <${CaptionCard} desk=${desk} editing=${editing} setEditing=${setEditing} blind=${page.blind} />
      <${Findings} findings=${sheet.findings ?? []} />
      <${CommentsPanel} desk=${desk} reviewId=${reviewId} fresh=${fresh} />
    </aside>
    <${EpisodeQuestions} app=${app} desk=${desk} reviewId=${reviewId} question=${question} close=${() => setQuestion("")} actions=${actions} onComment=${() => setFresh(fresh + 1)} />
    ${conflictsOpen && live.held.length > 0 && html`<${ConflictDialog} desk=${desk} held=${live.held} sha256=${master.sha256} keyboard=${app.keyboard} onClose=${() => setConflictsOpen(false)} />`}
    <${Notice} desk=${desk} />
  </main>`;
}

/** Conflicts that opened the dialog by themselves once; after that they wait to be opened. */
const seenHeld = new Set();

/** @param {App["sender"]} sender @param {LiveDocument} live */
const saidSaved = ({ state }, live) => (state.n_pending ? `${state.n_pending} still wait: ${state.said || "sending"}` : `Saved rev ${live.rev}.`);

/** @param {{desk: Desk}} props */
function Undoing({ desk }) {
  const { undo, redo } = desk.live.stacks();
  return html`<span class="undoing" role="group" aria-label="History">
    <button class="icon quiet" tabindex="-1" disabled=${!undo.length} aria-label="Undo" title=${`Undo (Ctrl+Z), ${undo.length} to take back`} onClick=${() => desk.back("undo")}>
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M6 3 2.5 6.5 6 10M3 6.5h6a4 4 0 0 1 0 8H6" /></svg></button>
    <button class="icon quiet" tabindex="-1" disabled=${!redo.length} aria-label="Redo" title=${`Redo (Ctrl+Shift+Z), ${redo.length} to do again`} onClick=${() => desk.back("redo")}>
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M10 3l3.5 3.5L10 10M13 6.5H7a4 4 0 0 0 0 8h3" /></svg></button></span>`;
}

/** What checks found about the recording, where one found something. @param {{findings: {check: string, verdict: string, said: string}[]}} props */
function Findings({ findings }) {
  if (!findings.length) return null;
  return html`<section class="card findings" aria-label="Findings"><div class="card-head"><h3>Findings</h3></div><ul>${findings.map((one) => html`<li><${Badge} tone=${one.verdict === "drop" || one.verdict === "fail" ? "bad" : one.verdict === "pass" ? "good" : "warn"}>${one.verdict}<//> <span><b>${one.check}</b> ${one.said}</span></li>`)}</ul></section>`;
}

/** What the page has to say, for some seconds. @param {{desk: Desk}} props */
function Notice({ desk }) {
  const { text, tone, n } = desk.notice;
  const [shown, setShown] = useState(0);
  useEffect(() => {
    if (!text) return undefined;
    setShown(n);
    const timer = setTimeout(() => setShown(0), tone === "bad" ? 7_000 : 3_500);
    return () => clearTimeout(timer);
  }, [n]);
  return html`<div class=${`notice ${tone} ${shown === n && text ? "shown" : ""}`} role="status" aria-live="polite">${shown === n ? text : ""}</div>`;
}
