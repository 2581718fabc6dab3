"""Checkpoints and scenes for tests of what acts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from schemas.array import Floats
from tests.trainer.events import example, lively, pictures, sample, small, stats_of
from trainer.configs import TrainConfig
from trainer.embodiment import Embodiment, embodiment_of
from trainer.loop import Trainer
from trainer.parallel import Ranks
from trainer.policy import Observation
from trainer.steps import OneEvent

CAMERAS = ("front", "wrist")
DURATIONS_S = {"": 1.5, "lift": 0.6, "move": 1.0, "move backward": 3.0}


def body() -> Embodiment:
    event = sample()
    return replace(embodiment_of(event, stats_of(event), 2), durations_s=DURATIONS_S)


def checkpoint_in(out: Path, config: TrainConfig | None = None, embodiment: Embodiment | None = None) -> Path:
    """A run's folder with one checkpoint, of a model in which nothing is zero."""
    config = small() if config is None else config
    steps = OneEvent(example(), 96, 1, body() if embodiment is None else embodiment)
    Trainer(config, lively(config.model), steps, Ranks(0, 1, torch.device("cpu"))).save(out)
    return out


def observation(text: str = "lift the cup", size: int = 64) -> Observation:
    """What the sample's first instant shows."""
    event, picture = sample(), pictures(25, size=size)[0]
    assert event.state_T20 is not None
    return Observation(dict.fromkeys(CAMERAS, picture), event.state_T20[0], event.state_known_20, text)


class Reaching:
    """A point tool that goes where it is told, at most 2 cm per tick, and targets to be touched one after the other."""

    control_hz = 20.0
    instruction = "touch all targets"

    def __init__(self, targets: Sequence[tuple[float, float]] = ((0.35, 0.1), (0.3, 0.2))) -> None:
        self._targets = np.array(targets)
        self.events = tuple(f"move to target {n}" for n in range(len(targets)))
        self.verbs = ("move",) * len(targets)
        self.told: list[Floats] = []

    def reset(self, seed: int) -> Observation:
        self._pose = np.zeros(20, np.float32)
        self._pose[:2] = 0.3, 0.1 + 0.001 * (seed % 10)
        self._done = 0
        self.told = []
        return self._seen()

    @property
    def events_done(self) -> int:
        return self._done

    @property
    def done(self) -> bool:
        return self._done == len(self._targets)

    @property
    def success(self) -> bool:
        return self.done

    def which_done(self) -> Sequence[bool]:
        return [n < self._done for n in range(len(self._targets))]

    def step(self, pose_20: Floats) -> Observation:
        assert pose_20.shape == (20,)
        assert np.isfinite(pose_20).all()
        self.told.append(pose_20)
        self._pose[:3] += np.clip(pose_20[:3] - self._pose[:3], -0.02, 0.02)
        self._pose[9] = pose_20[9]
        if not self.done and np.linalg.norm(self._pose[:2] - self._targets[self._done]) < 0.015:
            self._done += 1
        return self._seen()

    def progress(self) -> float:
        return 100.0 * self._done / len(self._targets)

    def close(self) -> None:
        pass

    def _seen(self) -> Observation:
        known = np.zeros(20, np.bool_)
        known[[0, 1, 2, 9]] = True
        state = np.where(known, self._pose, np.nan).astype(np.float32)
        text = "" if self.done else self.events[self._done]
        return replace(observation(text), state_20=state, state_known_20=known)
