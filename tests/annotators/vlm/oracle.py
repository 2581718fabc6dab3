"""Askers that know the truth: one that answers perfectly, one that errs at known rates, and the windows they are about.

They see only what a model sees (the request), plus the truth of the window it is about. The noisy one errs in both
calls, invents reasons half the time it loses a contact, and errs anew when asked again.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from annotators.scores.boundaries import matched_marks, tolerance_ns
from annotators.scores.labels import TRUE_VERBS
from annotators.scores.marks import Mark
from annotators.vlm.conversation import Pictures
from annotators.vlm.request import Answer, Call, Request, Stop
from annotators.vlm.spans import CONTACTS
from annotators.vlm.window import Window, windows_of
from pipeline.synthetic.trajectory import Trajectory, Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Event, Verb
from schemas.filmstrip import Thumbnail
from schemas.identity import digest
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import EPISODE_ID, Recording, synthetic

TAU_S = 0.25
_HOLDING = frozenset({"grasp", "lift", "transport", "place"})
_LINE = re.compile(r"^(E\d+) ([\d.]+)-([\d.]+)[^:]*: (.*?)(?: cuts (.*))?$")
_CONFUSABLE = (Verb.REACH, Verb.GRASP, Verb.LIFT, Verb.MOVE, Verb.PLACE, Verb.RELEASE, Verb.RETREAT, Verb.PUSH)


@dataclass(frozen=True, eq=False)
class Scene:
    """One window, its pictures and its truth."""

    window: Window
    pictures: Pictures
    tree: tuple[Event, ...]
    true: tuple[Mark, ...]
    phases: tuple[tuple[int, int, str], ...]

    def chosen(self) -> dict[str, Boundary]:
        """The best choice among the candidates: those that match a true boundary one to one."""
        inner = {piece.end.t_ns: piece for piece in self.window.pieces if not piece.obligatory}
        marks = [Mark(t_ns, piece.end.kind) for t_ns, piece in inner.items()]
        pairs = matched_marks(marks, self.true, tolerance_ns(TAU_S))
        return {inner[mark.t_ns].candidate: inner[mark.t_ns].end for mark, _ in pairs}

    def verb(self, start_ns: int, end_ns: int) -> Verb:
        """The verb of the true phase that fills most of a span."""
        best = max(self.phases, key=lambda phase: min(phase[1], end_ns) - max(phase[0], start_ns))
        return TRUE_VERBS.get(best[2], Verb.OTHER)

    def holding(self, t_ns: int) -> bool:
        return any(start < t_ns <= end and name in _HOLDING for start, end, name in self.phases)

    def missed(self, start_ns: int, end_ns: int) -> bool:
        return max(self.phases, key=lambda p: min(p[1], end_ns) - max(p[0], start_ns))[2] == "miss"


def thumbnails(
    window_or_end_ns: int, rate_hz: int, camera: str = "main", size: tuple[int, int] = (64, 48)
) -> list[Thumbnail]:
    """Plain pictures four times a second; what they show is the oracle's secret."""
    found = []
    every = rate_hz // 4 or 1
    for frame in range(0, window_or_end_ns * rate_hz // NS_PER_S, every):
        shade = np.full((size[1], size[0], 3), (frame * 7) % 200 + 20, np.uint8)
        _, raw = cv2.imencode(".jpg", shade)
        found.append(Thumbnail(EPISODE_ID, camera, frame, round(frame * NS_PER_S / rate_hz), raw.tobytes()))
    return found


def scenes(seed: int, variants: Sequence[Variant], *, rate_hz: int = 20, longest_s: float = 90.0) -> list[Scene]:
    """The windows of one made-up episode of one arm."""
    trajectory = make_trajectory(seed, {Arm.RIGHT: tuple(variants)}, rate_hz=rate_hz)
    return scenes_of(trajectory, recording_of(trajectory, seed), rate_hz, longest_s)


def recording_of(trajectory: Trajectory, seed: int) -> Recording:
    recording = synthetic(trajectory)
    named = replace(recording.episode, episode_id=f"ep-{seed}")  # windows of different episodes must differ
    return replace(recording, episode=named)


def scenes_of(trajectory: Trajectory, recording: Recording, rate_hz: int, longest_s: float = 90.0) -> list[Scene]:
    tree = recording.tree()
    pictures = tuple(thumbnails(trajectory.end_ns, rate_hz))
    found = []
    for window in windows_of(tree, recording.episode, recording.actions.times_ns, longest_s=longest_s):
        start, end = window.start_ns, window.end_ns
        true = [mark for mark in trajectory.boundaries if start < mark.t_ns < end and mark.kind in PHYSICAL_KINDS]
        phases = [
            (p.start_ns, p.end_ns, p.phase.value) for p in trajectory.phases if p.end_ns > start and p.start_ns < end
        ]
        inside = tuple(picture for picture in pictures if start <= picture.t_ns < end)
        marks = tuple(sorted(Mark(mark.t_ns, BoundaryKind(mark.kind)) for mark in true))
        found.append(Scene(window, Pictures(inside), tuple(tree), marks, tuple(phases)))
    return found


@dataclass
class Oracle:
    """Answers from the truth; with rates above zero it errs, reproducibly by seed, window, call and attempt."""

    scenes: Mapping[str, Scene]
    merges: float = 0.0
    verbs: float = 0.0
    seed: int = 0
    asked: list[Request] = field(default_factory=list)
    injected_merges: set[tuple[str, str]] = field(default_factory=set)
    injected_verbs: set[tuple[str, int, int]] = field(default_factory=set)
    """Of first answers to the first call."""

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in reversed(requests):  # out of order on purpose
            self.asked.append(request)
            about = (str(self.seed), request.subject, request.call, str(request.attempt))
            rng = np.random.default_rng(int(digest(*about)[:15], 16))
            scene = self.scenes[request.subject]
            value = self._tree(request, scene, rng) if request.call is Call.TREE else self._verify(request, scene, rng)
            text = json.dumps(value)
            yield Answer(request.key, text, Stop.DONE, 1000, len(text) // 3, cached=False)

    def _tree(self, request: Request, scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
        window, chosen = scene.window, scene.chosen()
        lost = {name for name in chosen if rng.random() < self.merges}
        if request.attempt == 0:
            self.injected_merges |= {(window.window_id, name) for name in lost}
        ends = [p for p in window.pieces if p.obligatory or (p.candidate in chosen and p.candidate not in lost)]
        rows, start, l2, held = [], window.pieces[0].start, 1, False
        for number, piece in enumerate(ends, start=1):
            verb = scene.verb(start.t_ns, piece.end.t_ns)
            if rng.random() < self.verbs:
                verb = _CONFUSABLE[int(rng.integers(len(_CONFUSABLE)))]
                if request.attempt == 0 and verb is not scene.verb(start.t_ns, piece.end.t_ns):
                    self.injected_verbs.add((window.window_id, start.frame, piece.end.frame))
            now = scene.holding(start.t_ns + 1)
            l2 += now is not held
            held = now
            row: dict[str, Any] = {"end": piece.candidate, "l2": l2, "l1": number, "verb": verb.value}
            row["text"] = f"{verb.value.capitalize()} the object"
            if scene.missed(start.t_ns, piece.end.t_ns):
                row["outcome"] = "failure"
            rows.append(row)
            start = piece.end
        used = {piece.candidate for piece in ends}
        dropped = [
            {"id": piece.candidate, "why": "the hand holds nothing"}
            for piece in window.pieces
            if piece.end.kind in CONTACTS and piece.candidate not in used
            if piece.candidate not in lost or rng.random() < 0.5
        ]
        subtasks = [{"l2": n, "verb": "move", "text": "Handle the object"} for n in sorted({row["l2"] for row in rows})]
        return {
            "observations": ["objects on a table"], "rows": rows, "subtasks": subtasks, "task": "Tidy up the table",
            "dropped": dropped[:32],
        }  # fmt: skip

    def _verify(self, request: Request, scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
        chosen, events = scene.chosen(), []
        for line in request.text.splitlines():
            match = _LINE.match(line)
            if match is None:
                continue
            name, start, end, offers, cuts = match.groups()
            start_ns, end_ns = round(float(start) * NS_PER_S), round(float(end) * NS_PER_S)
            verb = scene.verb(start_ns, end_ns)
            letters = {part.partition("=")[2]: part[0] for part in re.findall(r"[abc]=[a-z ]+?(?= [abc]=|$)", offers)}
            item: dict[str, Any] = {"id": name, "pick": letters.get(verb.value, "x")}
            if rng.random() < self.verbs:
                item["pick"] = "abc"[int(rng.integers(3))]
            if item["pick"] == "x":
                item |= {"verb": verb.value, "text": f"{verb.value.capitalize()} the object"}
            item["held"] = "unclear"
            item["reached"] = "no" if scene.missed(start_ns, end_ns) else "yes"
            true_cuts = [cut.partition("@")[0] for cut in (cuts or "").split(",") if cut]
            item["split"] = [cut for cut in true_cuts if cut in chosen and rng.random() >= self.merges]
            events.append(item)
        return {"events": events}


def by_window(*found: Scene) -> dict[str, Scene]:
    return {scene.window.window_id: scene for scene in found}
