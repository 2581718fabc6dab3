"""One event as a trainer sees it: views, words, actions and states on one span.

Pixels stay encoded: decoding belongs to the worker that needs them (`pipeline.loader.decode`). Shape suffixes:
T action rows, 20 columns of `pipeline.action_layout`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.shards.npz import read_npz
from schemas.array import Bools, Floats, Ints
from schemas.displacement import relative_to
from schemas.shard import statistics_group
from schemas.time import Span

ACTION_MEMBER = "action.npz"
STATE_MEMBER = "state.npz"
CALIB_MEMBER = "calib.json"
EVENT_MEMBER = "event.json"
VIDEO_SUFFIX = ".mp4"


@dataclass(frozen=True, eq=False)
class EventSample:
    """One sample of a shard set. Every array is the reader's own copy and may be changed."""

    key: str
    split: str
    t: int
    """Position in the split's order."""
    event_id: str
    episode_id: str
    level: str
    captions: Mapping[str, str]
    """By level name, the event's own and all its ancestors': ``{"task": …, "subtask": …, "action": …}``."""
    instruction: str
    embodiment: str
    action_kind: str
    """``measured``, ``retargeted``, ``pseudo`` or ``none``."""
    span: Span
    n_frames: int
    """Frames of the master view."""
    vision_language: int
    action: int
    """Cluster ids of the event's cell."""
    weight: float | None
    """How many times more often than by natural frequency the plan draws it; None outside the plan."""
    views: Mapping[str, bytes]
    """Camera to H.264 mp4, master view first; PTS start at 0."""
    view_times_ns: Mapping[str, Ints]
    """Camera to int64 frame times on the episode clock, one per frame of the mp4."""
    action_T20: Floats | None
    """float32, absolute: what was commanded, or the next row's state where the source commands nothing."""
    action_valid_T: Bools | None
    action_times_ns: Ints | None
    """int64, on the episode clock, inside the span."""
    known_20: Bools
    """Which action columns the source has; the others are zeros, not measurements."""
    state_T20: Floats | None
    """float32, absolute, at ``action_times_ns``."""
    state_valid_T: Bools | None
    state_known_20: Bools
    calib_json: bytes
    record: Mapping[str, Any]
    """The whole ``event.json`` (docs/shard.md)."""

    @property
    def caption(self) -> str:
        """The event's own caption."""
        return self.captions.get(self.level, "")

    @property
    def statistics_group(self) -> str:
        """Whose statistics normalise its actions: the embodiment's, or its pseudo-actions' own."""
        return statistics_group(self.embodiment, self.action_kind)

    @property
    def master_view(self) -> str:
        return next(iter(self.views))

    def calibration(self) -> dict[str, Any]:
        """``calib.json``: intrinsics in clip pixels, distortion and extrinsics per camera (docs/shard.md)."""
        parsed: dict[str, Any] = json.loads(self.calib_json)
        return parsed

    def anchor_20(self) -> Floats | None:
        """The observation pose actions are relative to: the span's first valid state row, float32 [20]."""
        if self.state_T20 is None or self.state_valid_T is None:
            return None
        return anchor_of(self.state_T20, self.state_valid_T)

    def relative_action(self) -> Floats | None:
        """``action_T20`` as displacements from `anchor_20` (wall_wm.md §3.5); what ``stats.json`` describes."""
        anchor = self.anchor_20()
        return None if self.action_T20 is None or anchor is None else relative_to(self.action_T20, anchor)


def anchor_of(state_T20: Floats, valid_T: Bools) -> Floats | None:
    """The first valid row [20], or None when there is none."""
    rows = np.flatnonzero(valid_T)
    return state_T20[rows[0]] if rows.size else None


def caption_in(record: Mapping[str, Any]) -> str:
    """The event's own caption in its ``event.json``: what `EventSample.caption` gives of the whole sample."""
    return str(record["captions"].get(record["event"]["level"], ""))


def sample_from_members(key: str, members: Mapping[str, bytes]) -> EventSample:
    """An `EventSample` from a sample's members by extension (``front.mp4``, ``action.npz``, …).

    A dict from stock WebDataset works too. Raises ValueError naming the key and the member that is missing.
    """
    missing = [name for name in (EVENT_MEMBER, ACTION_MEMBER, STATE_MEMBER, CALIB_MEMBER) if name not in members]
    if missing:
        raise ValueError(f"sample {key}: member {missing[0]!r} is missing, found {sorted(members)}")
    record = json.loads(members[EVENT_MEMBER])
    action, state = read_npz(members[ACTION_MEMBER]), read_npz(members[STATE_MEMBER])
    has_actions = record["action_kind"] != "none"
    return EventSample(
        key=key,
        split=record["draw"]["split"],
        t=record["draw"]["t"],
        event_id=record["event"]["event_id"],
        episode_id=record["event"]["episode_id"],
        level=record["event"]["level"],
        captions=record["captions"],
        instruction=record["instruction"],
        embodiment=record["lineage"]["embodiment"],
        action_kind=record["action_kind"],
        span=Span(**record["event"]["span"]),
        n_frames=record["n_frames"],
        vision_language=record["cell"]["vision_language"],
        action=record["cell"]["action"],
        weight=record["cell"]["weight"],
        views={camera: members[camera + VIDEO_SUFFIX] for camera in record["views"]},
        view_times_ns={camera: np.array(view["times_ns"], np.int64) for camera, view in record["views"].items()},
        action_T20=action["values"] if has_actions else None,
        action_valid_T=action["valid"] if has_actions else None,
        action_times_ns=action["times_ns"] if has_actions else None,
        known_20=action["known"],
        state_T20=state["values"] if has_actions else None,
        state_valid_T=state["valid"] if has_actions else None,
        state_known_20=state["known"],
        calib_json=members[CALIB_MEMBER],
        record=record,
    )
