"""A small ablation on real shards, and a world of two dimensions that its models are let loose in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jobs.ablate import Cell
from jobs.ablate_judge import rows_in
from jobs.ablate_summary import Row
from schemas.array import Floats
from schemas.recipe_ablate import AblateSpec
from trainer.policy import Observation, load_policy

DURATIONS_S = {"": 0.4, "reach": 0.6}
ONE_LEVEL = {"cells": ["planned"], "jitter_frames": [0], "caption": ["own"], "recovery_share": [None]}


def small(shards: str, **changes: Any) -> AblateSpec:
    """Two arms, three seeds, a few steps each."""
    values: dict[str, Any] = {
        "ablate": 1, "shards": shards, "tokens": 1700, "chunk_frames": 12, "resamples": 200,
        "factors": {"windows": ["event_suffix", "chunk_majority"], **ONE_LEVEL},
        "judged": {"simulator": "points", "episodes": 2, "limit_s": 1.0},
    }  # fmt: skip
    return AblateSpec.model_validate({**values, **changes})


class Points:
    """A tool on a table that is to pass two points, one after the other; it goes where it is told."""

    control_hz = 10.0
    instruction = "touch both points"
    events: Sequence[str] = ("reach the first point", "reach the second point")
    verbs: Sequence[str] = ("reach", "reach")

    def __init__(self, cameras: Sequence[str]) -> None:
        self._cameras = cameras
        self.seeds: list[int] = []

    @property
    def events_done(self) -> int:
        return len(self._touched)

    @property
    def done(self) -> bool:
        return self.events_done == 2

    @property
    def success(self) -> bool:
        return self.done

    @property
    def goal(self) -> Floats:
        """Where the next point lies."""
        where: Floats = self._goals[self.events_done]
        return where

    def reset(self, seed: int) -> Observation:
        self.seeds.append(seed)
        rng = np.random.default_rng(seed)
        self._at = np.zeros(2)
        self._goals = rng.normal(0.0, 0.3, (2, 2))
        self._touched: list[int] = []
        return self._look()

    def step(self, pose_20: Floats) -> Observation:
        self._at = np.asarray(pose_20[10:12], np.float64)
        if not self.done and np.linalg.norm(self._at - self._goals[self.events_done]) < 0.25:
            self._touched.append(self.events_done)
        return self._look()

    def which_done(self) -> list[bool]:
        return [number < self.events_done for number in range(2)]

    def progress(self) -> float:
        return 50.0 * self.events_done

    def close(self) -> None:
        """Holds nothing."""

    def _look(self) -> Observation:
        picture = np.full((24, 32, 3), 30, np.uint8)
        x, y = np.clip(16 + 20 * self._at, 0, 23).astype(int)
        picture[y, x] = 255
        state = np.zeros(20, np.float32)
        state[10:12] = self._at
        state[[13, 17]] = 1.0
        known = np.zeros(20, np.bool_)
        known[10:20] = True
        return Observation(dict.fromkeys(self._cameras, picture), state, known, "")


class PointsJudge:
    """Lets the trained models loose among points; may be killed after some episodes."""

    def __init__(self, killed_after: int | None = None) -> None:
        self.left = killed_after
        self.judged: list[str] = []

    @property
    def version(self) -> str:
        return "points 1"

    def rows(self, checkpoint: Path, cell: Cell, spec: AblateSpec) -> Iterator[Row]:
        self.judged.append(f"{cell.arm.name}, {cell.seed}")
        policy = load_policy(checkpoint, device="cpu")
        for row in rows_in(Points(policy.cameras), policy, DURATIONS_S, cell, spec):
            if self.left is not None:
                if not self.left:
                    raise KeyboardInterrupt
                self.left -= 1
            yield row
