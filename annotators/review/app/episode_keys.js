/** What every key of an episode does; buttons of the same meaning call the same functions. */

import { RATES } from "./player.js";
import { toggleLoop } from "./stage.js";

/**
 * @param {import("./desk.js").Desk} desk
 * @param {{ask: (question: string) => void, edit: () => void, fit: (start: number, end: number) => void, save: () => void, finish: () => void, controls: () => void}} page
 * @returns {Record<string, (event?: KeyboardEvent) => void>}
 */
export function episodeActions(desk, page) {
  const { player } = desk;
  const rate = (/** @type {number} */ by) => {
    player.rate = RATES[Math.min(Math.max(RATES.indexOf(player.rate) + by, 0), RATES.length - 1)];
  };
  const needs = (/** @type {() => void} */ act) => () => (desk.boundary ? act() : desk.say("Select a boundary first: Tab, or a click on it."));
  return {
    play: () => void player.toggle(),
    "step-forward": () => void desk.step(1),
    "step-back": () => void desk.step(-1),
    "jump-forward": () => void desk.step(10),
    "jump-back": () => void desk.step(-10),
    "shuttle-back": () => void desk.step(-1),
    "shuttle-pause": () => void player.pause(),
    "shuttle-play": () => {
      player.rate = player.playing ? { 1: 2, 2: 4 }[player.rate] ?? 1 : 1;
      void player.play();
    },
    slower: () => rate(-1),
    faster: () => rate(1),
    "go-to": () => page.ask("go-to"),
    "next-queued": () => void desk.queued(1),
    "previous-queued": () => void desk.queued(-1),
    "next-in-time": () => void desk.inTime(1),
    "previous-in-time": () => void desk.inTime(-1),
    "nudge-back": () => void desk.nudge(-1),
    "nudge-forward": () => void desk.nudge(1),
    "nudge-back-10": () => void desk.nudge(-10),
    "nudge-forward-10": () => void desk.nudge(10),
    "set-here": () => void desk.setHere(),
    split: () => void desk.split(),
    merge: needs(() => page.ask("merge")),
    promote: () => void desk.rank(-1),
    demote: () => void desk.rank(1),
    loop: () => void toggleLoop(desk),
    "play-span": () => {
      const span = desk.span;
      if (span) void player.playSpan(span.frame_start, span.frame_end, { once: true });
    },
    "level-task": () => desk.setLevel("task"),
    "level-subtask": () => desk.setLevel("subtask"),
    "level-action": () => desk.setLevel("action"),
    "level-segment": () => desk.setLevel("segment"),
    accept: () => void desk.accept(),
    reject: needs(() => page.ask("reason")),
    skip: () => void desk.advance(),
    flag: () => page.ask("flag"),
    quarantine: () => page.ask("quarantine"),
    "edit-caption": () => page.edit(),
    ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`alternative-${i + 1}`, () => void desk.takeAlternative(i + 1)])),
    undo: () => void desk.back("undo"),
    redo: () => void desk.back("redo"),
    save: () => page.save(),
    "fit-span": () => {
      const span = desk.span;
      if (!span) return;
      const room = Math.max(2, (span.frame_end - span.frame_start) * 0.08);
      page.fit(span.frame_start - room, span.frame_end + room);
    },
    "fit-episode": () => page.fit(0, player.nFrames),
    "hide-level": () => desk.toggleLevel(),
    signals: () => desk.setView({ signals: !desk.signals }),
    help: () => page.ask("help"),
    mode: () => desk.setView({ mode: desk.mode === "card" ? "timeline" : "card" }),
    controls: () => page.controls(),
    finish: () => page.finish(),
  };
}
