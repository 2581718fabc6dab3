"""``truth.json``: what really happens in every episode of a corpus, and what is broken on purpose.

Times are nanoseconds on the episode clock, 0 at the first frame of the master view. ``locator`` is the reader's own
(``episode_index=3``, a file name), so that truth joins to episodes by source and locator. An action lag moves the
truth: boundaries are where the pictures show them, ``action_lag_ns`` says how much later the rows do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.synthetic.defects import Defect, lag_ns
from pipeline.synthetic.trajectory import Trajectory, frame_time_ns
from schemas.event import BoundaryKind


@dataclass(frozen=True)
class EpisodeTruth:
    """One episode's entry."""

    source: str
    locator: str
    content: dict[str, Any]


def robot_truth(source: str, index: int, trajectory: Trajectory, defect: Defect | None) -> EpisodeTruth:
    """Truth of one LeRobot episode."""
    lag = lag_ns(defect)
    lost = round(lag * trajectory.rate_hz / 1e9)
    content = _motion(trajectory, lag, trajectory.n_frames - lost)
    content |= {"action_lag_ns": lag, "defect": None if defect is None else defect.value}
    return EpisodeTruth(source, f"episode_index={index}", content)


def egocentric_truth(source: str, name: str, trajectory: Trajectory) -> EpisodeTruth:
    """Truth of one first-person video: contact and motion of the hands."""
    return EpisodeTruth(source, name, _motion(trajectory, 0, trajectory.n_frames) | {"defect": None})


def edited_truth(source: str, name: str, n_frames: int, cuts: Sequence[int], rate_hz: int) -> EpisodeTruth:
    """Truth of one edited clip: its hard cuts."""
    boundaries = [
        {"kind": BoundaryKind.HARD_CUT.value, "t_ns": frame_time_ns(cut, rate_hz), "arm": None, "item": ""}
        for cut in cuts
    ]
    content = {"rate_hz": rate_hz, "n_frames": n_frames, "boundaries": boundaries, "phases": [], "defect": None}
    return EpisodeTruth(source, name, content)


def _motion(trajectory: Trajectory, earlier_ns: int, n_frames: int) -> dict[str, Any]:
    end_ns = frame_time_ns(n_frames, trajectory.rate_hz)
    boundaries = [
        {"kind": b.kind.value, "t_ns": b.t_ns - earlier_ns, "arm": b.arm.value, "item": b.item}
        for b in trajectory.boundaries
        if 0 <= b.t_ns - earlier_ns < end_ns
    ]
    phases = [
        {
            "phase": phase.phase.value,
            "arm": phase.arm.value,
            "start_ns": max(0, phase.start_ns - earlier_ns),
            "end_ns": min(end_ns, phase.end_ns - earlier_ns),
        }
        for phase in trajectory.phases
        if phase.end_ns > earlier_ns
    ]
    return {
        "rate_hz": trajectory.rate_hz,
        "n_frames": n_frames,
        "instruction": trajectory.instruction,
        "success": trajectory.success,
        "boundaries": boundaries,
        "phases": phases,
    }


def write_truth(path: Path, parameters: dict[str, Any], sources: dict[str, str], truths: list[EpisodeTruth]) -> None:
    """Write the file; ``sources`` maps names to kinds."""
    episodes = [{"source": truth.source, "locator": truth.locator, **truth.content} for truth in truths]
    defects = [
        {"source": truth.source, "locator": truth.locator, "defect": truth.content["defect"]}
        for truth in truths
        if truth.content["defect"] is not None
    ]
    whole = {"truth": 1, "parameters": parameters, "sources": sources, "defects": defects, "episodes": episodes}
    path.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")
