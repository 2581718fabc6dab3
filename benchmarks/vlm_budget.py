"""What the VLM protocol costs: calls and tokens per minute of video, counted as Qwen counts them.

    pip download --no-deps dashscope && unzip -j dashscope-*.whl '*/qwen.tiktoken'
    joinery run recipes/real.yaml --set workspace.url=/tmp/real
    python -m benchmarks.vlm_budget qwen.tiktoken --workspace /tmp/real

Prompts are real: every request of every window is built as in a run. Text tokens are counted with Qwen's own
vocabulary, image tokens with the processors' ``smart_resize``, both processors' patch sizes. Answers are those of a
scribe that words every action as the templates do, in the form models are asked for, and names four verbs of ten
otherwise than the detector. Every window is settled twice, once with a first answer so faulty that it is asked again; a
tenth of windows counts as such.
Results: benchmarks/results/vlm_budget.json.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from annotators.vlm.budget import Cost, ImageRule, episode_cost, request_tokens
from annotators.vlm.conversation import Pictures, conversation, converse, density_of, terms
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from annotators.vlm.spans import CONTACTS
from annotators.vlm.tile import aspect_of, decoded
from annotators.vlm.window import Window, windows_of
from annotators.words.captions import template_captions
from annotators.words.template import load_templates
from benchmarks.qwen_vocabulary import Vocabulary
from clustering.torchvision_schemas import declare
from pipeline.aligned import aligned_actions
from pipeline.store import Workspace
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.arrow import from_table
from schemas.episode import ActionTrack, Alignment, Arm, Episode
from schemas.event import Event, Verb
from schemas.filmstrip import Thumbnail
from schemas.identity import digest
from tests.annotators.recordings import synthetic

RESULTS = Path(__file__).parent / "results" / "vlm_budget.json"
PROCESSORS = {"qwen3_vl": 16, "qwen2_5_vl": 14}
"""Patch size; a token is two patches square."""
_CHAT = 13
"""Tokens of the chat template around a system and a user message, and the assistant's opening."""
_DIFFERS = 4
"""Of ten actions, so many get another verb than the detector's, so that the second call has something to ask."""
_RETRIED = 0.1
"""Share of windows that are asked again."""


@dataclass(frozen=True, eq=False)
class Material:
    """An episode ready to be asked about."""

    group: str
    windows: tuple[Window, ...]
    master: tuple[Thumbnail, ...]
    other: tuple[Thumbnail, ...]


@dataclass
class Scribe:
    """Agrees with the detector, at length; and keeps count."""

    windows: dict[str, Window]
    careless: bool
    seen: list[tuple[Request, str]] = field(default_factory=list)

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        for request in requests:
            window = self.windows[request.subject]
            value = (
                tree(window, careless=self.careless and request.attempt == 0)
                if request.call is Call.TREE
                else verify(request)
            )
            text = json.dumps(value, separators=(",", ":"))
            self.seen.append((request, text))
            yield Answer(request.key, text, Stop.DONE, 0, 0, cached=False)


def tree(window: Window, *, careless: bool) -> dict[str, Any]:
    """The detector's actions as a model would write them."""
    rows: list[dict[str, Any]] = []
    subtasks: dict[str, dict[str, Any]] = {}
    for piece in window.pieces:
        if not (piece.ends_action or piece.obligatory):
            continue
        action, subtask = piece.action, piece.subtask
        said = {"l2": len(subtasks) + 1, "verb": subtask.verb.value, "text": subtask.caption}
        l2 = subtasks.setdefault(subtask.event_id, said)["l2"]
        row = {"end": piece.candidate, "l2": l2, "l1": len(rows) + 1, "verb": action.verb.value, "text": action.caption}
        if int(digest("differs", action.event_id)[:8], 16) % 10 < _DIFFERS:
            row["verb"] = Verb.ADJUST.value
        if careless:
            row["text"] = "The robot is doing it"
        if action.objects:
            row["object"] = action.objects[0]
        if len(window.arms) > 1 and action.arm is not None:
            row["arm"] = action.arm.value
        rows.append(row)
    used = {row["end"] for row in rows}
    lost = [p.candidate for p in window.pieces if p.end.kind in CONTACTS and p.candidate not in used]
    return {
        "observations": [
            "A robot arm with a gripper works on a table with several objects.",
            "It reaches, closes its gripper and carries an object to another place.",
            "Later it returns for the next object.",
        ],
        "rows": rows,
        "subtasks": list(subtasks.values()),
        "task": window.instruction or "Put the objects where they belong",
        "dropped": [{"id": name, "why": "nothing is held"} for name in lost],
    }


def verify(request: Request) -> dict[str, Any]:
    """The first label for every event."""
    names = [line.split()[0] for line in request.text.splitlines() if line.startswith("E")]
    return {"events": [{"id": name, "pick": "a", "held": "yes", "reached": "yes"} for name in names]}


def made() -> Iterator[Material]:
    """A minute of one quick arm, and of two: as dense as recordings get."""
    mixed = (
        Variant.PLAIN,
        Variant.SLIP,
        Variant.MISS,
        Variant.PAUSE,
        Variant.PLAIN,
        Variant.DROP,
        Variant.PLAIN,
        Variant.PLAIN,
    )
    for group, tasks in (
        ("made, one arm", {Arm.RIGHT: mixed}),
        ("made, two arms", {Arm.RIGHT: mixed, Arm.LEFT: mixed[::-1]}),
    ):
        for seed in range(3):
            trajectory = make_trajectory(seed, tasks, rate_hz=20)
            recording = synthetic(trajectory)
            episode = replace(recording.episode, episode_id=f"{group}-{seed}")
            events = template_captions(recording.tree(), episode, load_templates("en"), with_duration=False)
            events = [replace(event, episode_id=episode.episode_id) for event in events]
            windows = windows_of(events, episode, recording.actions.times_ns)
            yield Material(group, tuple(windows), tuple(_plain(episode, 4 / 3)), ())


def _plain(episode: Episode, aspect: float) -> Iterator[Thumbnail]:
    """Pictures of one colour: only their size counts here."""
    _, raw = cv2.imencode(".jpg", np.full((256, round(256 * aspect), 3), 90, np.uint8))
    times = episode.master.times_ns
    for frame in range(0, len(times), 5):
        yield Thumbnail(episode.episode_id, episode.master.name, frame, int(times[frame]), raw.tobytes())


def recorded(url: str) -> Iterator[Material]:
    """Every episode of a workspace that one run has captioned."""
    workspace = Workspace.open(url)

    def all_of(record: type, where: str) -> list[Any]:
        table = workspace.scan(record, where=where).read_all()
        return from_table(record, table.drop_columns([c for c in ("work_key", "attempt") if c in table.column_names]))

    ids = workspace.scan(Episode, columns=["episode_id"]).read_all()["episode_id"].to_pylist()
    for episode_id in sorted(set(ids)):
        where = f"episode_id = '{episode_id}'"
        episode = all_of(Episode, where)[0]
        events = [event for event in all_of(Event, where) if event.caption]
        tracks, alignments = all_of(ActionTrack, where), all_of(Alignment, where)
        if not events or not alignments:
            continue
        times = aligned_actions(tracks[0], alignments[-1]).times_ns if tracks else None
        pictures = sorted(all_of(Thumbnail, where), key=lambda picture: picture.t_ns)
        master = tuple(picture for picture in pictures if picture.camera == episode.master.name)
        others = [camera.name for camera in episode.cameras[1:]]
        other = tuple(picture for picture in pictures if others and picture.camera == others[0])
        yield Material(episode.source, tuple(windows_of(events, episode, times)), master, other)


def measured(material: Sequence[Material], rule: ImageRule, patch: int, vocabulary: Vocabulary) -> dict[str, Any]:
    """Real counts beside both estimates, for one group and processor."""
    windows = {window.window_id: window for one in material for window in one.windows}
    real, estimated = Cost(), 0.0
    for careless, share in ((False, 1 - _RETRIED), (True, _RETRIED)):
        for request, text in _settled(material, windows, rule, careless=careless):
            sizes = [(int(p.shape[1]), int(p.shape[0])) for p in map(decoded, request.images)]
            pictures = sum(_processor_tokens(width, height, patch) + 2 for width, height in sizes)
            prompt = pictures + vocabulary.count(request.system) + vocabulary.count(request.text) + _CHAT
            real += Cost(share, share * prompt, share * (vocabulary.count(text) + 1))
            estimated += share * request_tokens(request.system, request.text, sizes, rule)
    planned, informed = Cost(), Cost()
    for one in material:
        kept_s = sum(window.duration_s for window in one.windows)
        aspect = aspect_of(one.master[0].jpeg)
        planned += episode_cost(kept_s, aspect, rule)
        informed += episode_cost(kept_s, aspect, rule, density_of(one.windows))
    minutes = sum(window.duration_s for window in windows.values()) / 60
    ends = [p for w in windows.values() for p in w.pieces if p.ends_action or p.obligatory]
    return {
        "episodes": len(material),
        "windows": len(windows),
        "minutes": round(minutes, 2),
        "mean_window_s": round(60 * minutes / len(windows), 1),
        "actions_per_minute": round(len(ends) / minutes, 1),
        "calls_per_minute": round(real.calls / minutes, 2),
        "calls_per_window": round(real.calls / len(windows), 2),
        "tokens_per_minute": round(real.tokens / minutes),
        "prompt_tokens_per_minute": round(real.prompt_tokens / minutes),
        "completion_tokens_per_minute": round(real.completion_tokens / minutes),
        "estimate_over_count_of_prompts": round(estimated / real.prompt_tokens, 3),
        "plan_over_count_of_tokens": round(planned.tokens / real.tokens, 3),
        "plan_from_trees_over_count_of_tokens": round(informed.tokens / real.tokens, 3),
        "plan_over_count_of_calls": round(planned.calls / real.calls, 3),
    }


def _settled(
    material: Sequence[Material], windows: dict[str, Window], rule: ImageRule, *, careless: bool
) -> list[tuple[Request, str]]:
    """Every request and its answer."""
    scribe, how = Scribe(windows, careless), terms("scribe@1", rule)
    talks = {
        window.window_id: conversation(window, Pictures(*(_between(p, window) for p in (one.master, one.other))), how)
        for one in material
        for window in one.windows
    }
    converse(talks, scribe)
    return scribe.seen


def _between(pictures: Sequence[Thumbnail], window: Window) -> tuple[Thumbnail, ...]:
    return tuple(picture for picture in pictures if window.start_ns <= picture.t_ns < window.end_ns)


def _processor_tokens(width: int, height: int, patch: int) -> int:
    """As transformers does it."""
    declare()
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize  # noqa: PLC0415 - after declare

    bounds = {14: (56 * 56, 28 * 28 * 16_384), 16: (256 * 256, 32 * 32 * 16_384)}[patch]
    high, wide = smart_resize(height, width, 2 * patch, *bounds)
    return (high // (2 * patch)) * (wide // (2 * patch))


def main() -> None:
    """Measures and writes the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("--workspace")
    parser.add_argument("--sources", default="droid,g1,gr1")
    asked = parser.parse_args()
    vocabulary = Vocabulary(asked.vocabulary)
    material = [*made(), *(recorded(asked.workspace) if asked.workspace else ())]
    wanted = {"made, one arm", "made, two arms", *asked.sources.split(",")}
    groups = {one.group: [m for m in material if m.group == one.group] for one in material if one.group in wanted}
    found: dict[str, Any] = {}
    for name, patch in PROCESSORS.items():
        least = {14: 56 * 56, 16: 256 * 256}[patch]
        rule = ImageRule(2 * patch, (2 * patch) ** 2 * 16_384, least)
        found[name] = {group: measured(ones, rule, patch, vocabulary) for group, ones in groups.items()}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
