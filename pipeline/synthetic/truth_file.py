"""``truth.json`` of a made-up corpus (`schemas.truth`): what really happens, and what is broken on purpose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.synthetic.defects import Defect, lag_ns
from pipeline.synthetic.trajectory import Trajectory, frame_time_ns
from schemas.event import BoundaryKind
from schemas.truth import TrueMark, TruePart, Truth, TruthDefect, TruthEpisode


def robot_truth(source: str, index: int, trajectory: Trajectory, defect: Defect | None) -> TruthEpisode:
    """Truth of one LeRobot episode."""
    lag = lag_ns(defect)
    lost = round(lag * trajectory.rate_hz / 1e9)
    motion = _motion(trajectory, lag, trajectory.n_frames - lost)
    broken = None if defect is None else defect.value
    return TruthEpisode(source=source, locator=f"episode_index={index}", **motion, action_lag_ns=lag, defect=broken)


def egocentric_truth(source: str, name: str, trajectory: Trajectory) -> TruthEpisode:
    """Truth of one first-person video: contact and motion of the hands."""
    motion = _motion(trajectory, 0, trajectory.n_frames)
    return TruthEpisode(source=source, locator=name, **motion, defect=None)


def edited_truth(source: str, name: str, n_frames: int, cuts: Sequence[int], rate_hz: int) -> TruthEpisode:
    """Truth of one edited clip: its hard cuts."""
    boundaries = tuple(
        TrueMark(kind=BoundaryKind.HARD_CUT, t_ns=frame_time_ns(cut, rate_hz), arm=None, item="") for cut in cuts
    )
    return TruthEpisode(
        source=source,
        locator=name,
        rate_hz=rate_hz,
        n_frames=n_frames,
        boundaries=boundaries,
        phases=(),
        defect=None,
    )


def _motion(trajectory: Trajectory, earlier_ns: int, n_frames: int) -> dict[str, Any]:
    end_ns = frame_time_ns(n_frames, trajectory.rate_hz)
    boundaries = tuple(
        TrueMark(kind=b.kind, t_ns=b.t_ns - earlier_ns, arm=b.arm, item=b.item)
        for b in trajectory.boundaries
        if 0 <= b.t_ns - earlier_ns < end_ns
    )
    phases = tuple(
        TruePart(
            phase=phase.phase.value,
            arm=phase.arm,
            start_ns=max(0, phase.start_ns - earlier_ns),
            end_ns=min(end_ns, phase.end_ns - earlier_ns),
        )
        for phase in trajectory.phases
        if phase.end_ns > earlier_ns
    )
    return {
        "rate_hz": trajectory.rate_hz,
        "n_frames": n_frames,
        "instruction": trajectory.instruction,
        "success": trajectory.success,
        "boundaries": boundaries,
        "phases": phases,
    }


def write_truth(path: Path, parameters: dict[str, Any], sources: dict[str, str], truths: list[TruthEpisode]) -> None:
    """Write the file; ``sources`` maps names to kinds."""
    defects = tuple(
        TruthDefect(source=truth.source, locator=truth.locator, defect=truth.defect)
        for truth in truths
        if truth.defect is not None
    )
    whole = Truth(truth=1, parameters=parameters, sources=sources, defects=defects, episodes=tuple(truths))
    content = whole.model_dump(mode="json", exclude_unset=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
