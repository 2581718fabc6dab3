"""How long an event is for the model: decided from its duration, before anything is denoised."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.frames import even_indices, frame_count
from schemas.array import Ints
from trainer.configs import DataConfig
from trainer.example import time_indices


@dataclass(frozen=True, eq=False)
class Length:
    """The instants and actions of an event to come."""

    n_frames: int
    """Of a recording that long."""
    instants_ns: Ints
    """int64 [1 + 4N], after the observation: when the event is seen."""
    action_times_ns: Ints
    """int64 [K]."""
    latent_frames: int
    """1 + N for the 1 + 4N instants."""

    def tau(self) -> Tensor:
        """The time index of every action, int64 [K]."""
        first, last = int(self.instants_ns[0]), int(self.instants_ns[-1])
        return torch.from_numpy(time_indices(self.action_times_ns, first, last, self.latent_frames))


def length_of(duration_s: float, fps: float, control_hz: float, data: DataConfig) -> Length:
    """What an event of this duration would have been in training, recorded at these rates.

    The model's shortest event has one latent to predict, so shorter ones are stretched to it.
    Raises ValueError for a duration that is none.
    """
    if not np.isfinite(duration_s) or duration_s <= 0:
        raise ValueError(f"duration: found {duration_s} s, expected a positive number")
    stride = data.codec.time_stride
    n_frames = max(1 + stride, round(duration_s * fps))
    places = even_indices(n_frames, frame_count(n_frames, data.max_frames, stride))
    rows = even_indices(max(1, round(n_frames / fps * control_hz)), data.max_actions)
    latent_frames = data.codec.latent_frames(len(places))
    return Length(n_frames, _times(places, fps), _times(rows, control_hz), latent_frames)


def _times(places: Ints, rate: float) -> Ints:
    times: Ints = np.round(places * (1e9 / rate)).astype(np.int64)
    return times
