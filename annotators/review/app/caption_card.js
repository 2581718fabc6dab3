/** What the event is called: words and slots, whose they are, the alternatives on offer, and editing without the mouse. */

import { labelKey } from "./document.js";
import { State } from "./evidence_panel.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Badge, Key, duration } from "./marks.js";
import { suggestedBoundaries, suggestedWords } from "./suggestions.js";
import { VERBS } from "./verbs.js";

/** @param {{desk: import("./desk.js").Desk, editing: boolean, setEditing: (on: boolean) => void, blind: boolean}} props */
export function CaptionCard({ desk, editing, setEditing, blind }) {
  const span = desk.span;
  if (!span) return html`<section class="card caption"><h3>Caption</h3><p class="hint">No ${desk.level} here: cleaning kept nothing of this part.</p></section>`;
  const { table } = desk.player;
  const key = labelKey(span.level, span.start_id);
  const suggestion = suggestedWords(desk, key);
  const inside = suggestedBoundaries(desk).filter((one) => one.beside === key);
  const label = span.label;
  return html`<section class=${`card caption ${desk.item?.kind === "caption" ? "active" : ""}`} aria-label="Caption">
    <div class="card-head"><h3>${span.level[0].toUpperCase() + span.level.slice(1)}</h3>
      <span class="place">${span.frame_start}–${span.frame_end}</span>
      <span class="spring" />${label && html`<${State} value=${label} />`}</div>
    ${editing ? html`<${Editor} key=${key} desk=${desk} span=${span} close=${() => setEditing(false)} />` : html`
      <button class="words" tabindex="-1" title="Edit (Enter)" onClick=${() => setEditing(true)}>${label?.caption || html`<span class="dim">${blind ? "No words yet. You see this episode without the machine's." : "No words yet."}</span>`}</button>
      <dl class="slots"><div><dt>Verb</dt><dd>${label?.verb ?? "–"}</dd></div><div><dt>Objects</dt><dd>${label?.objects.length ? label.objects.map((object) => html`<${Badge}>${object}<//>`) : "–"}</dd></div><div><dt>Arm</dt><dd>${label?.arm ?? "–"}</dd></div><div class="lasts"><dt>Lasts</dt><dd>${duration(table.seconds(span.frame_end) - table.seconds(span.frame_start))}</dd></div></dl>`}
    ${suggestion && !editing && html`<div class="suggestion"><span>A newer run says “${suggestion.caption}” (${suggestion.verb}).</span>
      <button tabindex="-1" onClick=${() => desk.relabel(span.level, span.start_id, words(suggestion))}>Take it</button></div>`}
    ${!editing && inside.map((one) => html`<div class="suggestion"><span>A newer run has a boundary in it, at <b>${one.frame}</b>.</span>
      <button tabindex="-1" onClick=${() => desk.player.goto(one.frame)}>Look</button><button tabindex="-1" onClick=${() => desk.splitAt(one.frame, one.rank)}>Split there</button></div>`)}
    ${!editing && desk.alternatives.length > 0 && html`<ol class="alternatives" aria-label="Alternatives">
      ${desk.alternatives.slice(0, 9).map((one, i) => html`<li><button tabindex="-1" onClick=${() => desk.takeAlternative(i + 1)}><${Key} chord=${`Alt+Digit${i + 1}`} /><span>${one.caption}</span>${one.by && html`<i>${one.by}</i>`}</button></li>`)}</ol>`}
  </section>`;
}

/** @param {any} value */
const words = ({ caption, verb, objects, arm }) => ({ caption, verb, objects: objects ?? [], arm: arm ?? null });

/** @param {{desk: import("./desk.js").Desk, span: import("./document.js").Span, close: () => void}} props */
function Editor({ desk, span, close }) {
  const first = useRef(/** @type {HTMLTextAreaElement|null} */ (null));
  const [caption, setCaption] = useState(span.label?.caption ?? "");
  const [verb, setVerb] = useState(span.label?.verb ?? "other");
  const [objects, setObjects] = useState((span.label?.objects ?? []).join(", "));
  const [arm, setArm] = useState(span.label?.arm ?? "");
  useEffect(() => {
    first.current?.focus();
    first.current?.select();
    first.current?.form?.scrollIntoView({ block: "end" });
  }, []);
  const save = async (/** @type {boolean} */ advance) => {
    const said = { caption, verb, objects: objects.split(",").map((object) => object.trim()).filter(Boolean), arm: arm || null };
    if (!(await desk.relabel(span.level, span.start_id, said))) return;
    close();
    if (advance) await desk.advance();
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    if (event.code === "Escape") close();
    else if (event.code === "Enter" && (event.ctrlKey || event.metaKey)) void save(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<form class="editor" onKeyDown=${onKey} onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void save(false); }}>
    <label>Caption<textarea ref=${first} rows="2" value=${caption} onInput=${(/** @type {any} */ event) => setCaption(event.target.value)} /></label>
    <div class="editor-slots">
      <label>Verb<select value=${verb} onChange=${(/** @type {any} */ event) => setVerb(event.target.value)}>${VERBS.map((one) => html`<option value=${one} selected=${one === verb}>${one}</option>`)}</select></label>
      <label>Arm<select value=${arm} onChange=${(/** @type {any} */ event) => setArm(event.target.value)}>${[["", "–"], ["left", "left"], ["right", "right"]].map(([value, said]) => html`<option value=${value} selected=${value === arm}>${said}</option>`)}</select></label>
    </div>
    <label>Objects, with commas between<input value=${objects} onInput=${(/** @type {any} */ event) => setObjects(event.target.value)} /></label>
    <div class="editor-do"><button type="submit" class="primary">Save</button><button type="button" onClick=${() => save(true)}>Save and go on <kbd>Ctrl+Enter</kbd></button><span class="spring" /><button type="button" class="quiet" onClick=${close}>Cancel <kbd>Esc</kbd></button></div>
  </form>`;
}
