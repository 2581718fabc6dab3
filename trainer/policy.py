"""What acts: an observation in, the actions of one event out.

`Observation` and `ActionChunk` are what environments, servers and evaluations speak. `WallWMPolicy` is the trained
model behind them; anything else with an ``act`` will do. The length is decided before denoising, from the event's
duration: as in training, so many instants and so many actions (`trainer.example`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.decode import Pixels
from pipeline.loader.frames import even_indices, frame_count
from schemas.array import Bools, Floats, Ints
from trainer import latents
from trainer.batch import Example
from trainer.checkpoint import load_weights
from trainer.configs import DataConfig, TrainConfig
from trainer.embodiment import Embodiment
from trainer.example import seen_view, time_indices
from trainer.infer import imagine
from trainer.model.language import words_of
from trainer.model.wam import WallWM, build
from trainer.parallel import DeviceName, device_of
from trainer.policy_record import checkpoint_folder, read_record
from trainer.sampling import Sampling, sampling_of


@dataclass(frozen=True, eq=False)
class Observation:
    """What is known before an event."""

    pictures: Mapping[str, Pixels]
    """Camera to RGB uint8 [H, W, 3] now, master view first."""
    state_20: Floats
    """float32 [20]: absolute proprioception in the 20-D layout; NaN or anything where unknown."""
    state_known_20: Bools
    text: str
    """What is to be done now; "" for none."""


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """What to do for one event, or for one chunk of fixed length."""

    actions_20: Floats
    """float32 [K, 20]: displacements from the observation pose in its tool frame, 6-D rotations, openings absolute."""
    known_20: Bools
    """Columns the embodiment has; the others are zeros, not commands."""
    times_s: Floats
    """float64 [K], after the observation: when each is commanded, from 0 on."""
    duration_s: float
    """When the event is over."""
    video: Mapping[str, Pixels] | None = None
    """Imagined pictures [1 + 4N, H, W, 3] by camera, evenly spread over the event, when asked for."""


class Policy(Protocol):
    """Anything that can be asked what to do."""

    def act(self, observation: Observation, duration_s: float, seed: int) -> ActionChunk:
        """The actions of the next ``duration_s`` seconds. Raises ValueError for an observation it cannot use."""
        ...


@dataclass(frozen=True, eq=False)
class Length:
    """How long an event is for the model: decided before anything is denoised."""

    n_frames: int
    """Of a recording that long."""
    instants_ns: Ints
    """int64 [1 + 4N] at which the event is seen."""
    action_times_ns: Ints
    """int64 [K]."""

    @property
    def latent_frames(self) -> int:
        return latents.latent_frames(len(self.instants_ns))

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
    n_frames = max(1 + latents.TIME_STRIDE, round(duration_s * fps))
    places = even_indices(n_frames, frame_count(n_frames, data.max_frames, latents.TIME_STRIDE))
    n_rows = max(1, round(n_frames / fps * control_hz))
    return Length(
        n_frames, np.round(places * (1e9 / fps)).astype(np.int64),
        np.round(even_indices(n_rows, data.max_actions) * (1e9 / control_hz)).astype(np.int64),
    )  # fmt: skip


class WallWMPolicy:
    """The trained model, for one embodiment."""

    def __init__(self, model: WallWM, config: TrainConfig, embodiment: Embodiment, sampling: Sampling) -> None:
        self.model, self.config, self.embodiment, self.sampling = model.eval(), config, embodiment, sampling

    @property
    def cameras(self) -> tuple[str, ...]:
        """What an observation must show."""
        return self.embodiment.cameras

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def act(self, observation: Observation, duration_s: float, seed: int) -> ActionChunk:
        """The actions of the next ``duration_s`` seconds. Raises ValueError for an observation it cannot use."""
        length = length_of(duration_s, self.embodiment.fps, self.embodiment.control_hz, self.config.data)
        example = self.example(observation, length)
        sampling = self.sampling
        imagined = imagine(self.model, example, steps=sampling.steps, shift=sampling.shift, seed=seed)
        return ActionChunk(
            actions_20=imagined.displacements(self.embodiment.stats),
            known_20=self.embodiment.stats.known_20,
            times_s=length.action_times_ns / 1e9,
            duration_s=length.n_frames / self.embodiment.fps,
        )

    def example(self, observation: Observation, length: Length) -> Example:
        """The observation as the model reads it, and nothing where the future will be."""
        data, stats = self.config.data, self.embodiment.stats
        views = [seen_view(picture[None], data) for picture in self._pictures(observation)]
        first_V1CHW = torch.stack([latents_FCHW for latents_FCHW, _ in views])
        views_n, _, *shape = first_V1CHW.shape
        ahead = torch.zeros(views_n, length.latent_frames - 1, *shape)
        known_20 = np.asarray(observation.state_known_20, np.bool_) & stats.state_known_20
        n_actions = len(length.action_times_ns)
        return Example(
            event_id="the next event",
            embodiment=self.embodiment.group,
            latents_VFCHW=torch.cat([first_V1CHW, ahead], dim=1),
            picture_VHW=torch.stack([picture_HW for _, picture_HW in views]),
            words=words_of(observation.text, self.config.model.text.entries, self.config.model.text.max_words),
            raw_frames=length.n_frames,
            state_A=torch.from_numpy(self._state(observation, known_20)),
            state_known_A=torch.from_numpy(known_20),
            actions_KA=torch.zeros(n_actions, len(known_20)),
            action_known_A=torch.from_numpy(stats.known_20),
            valid_K=torch.ones(n_actions, dtype=torch.bool),
            tau_K=length.tau(),
        )

    def _pictures(self, observation: Observation) -> list[Pixels]:
        missing = [camera for camera in self.cameras if camera not in observation.pictures]
        if missing:
            found = sorted(observation.pictures)
            raise ValueError(
                f"pictures: camera {missing[0]!r} is missing, found {found}, expected {list(self.cameras)}"
            )
        pictures = [observation.pictures[camera] for camera in self.cameras]
        for camera, picture in zip(self.cameras, pictures, strict=True):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                found_kind = f"{picture.dtype} {list(picture.shape)}"
                raise ValueError(f"pictures: {camera!r} is {found_kind}, expected uint8 [height, width, 3], RGB")
        return pictures

    def _state(self, observation: Observation, known_20: Bools) -> Floats:
        """Normalised, zero where unknown."""
        state_20 = np.asarray(observation.state_20, np.float32)
        if state_20.shape != (20,) or np.shape(observation.state_known_20) != (20,):
            found = list(state_20.shape), list(np.shape(observation.state_known_20))
            raise ValueError(f"state: found shapes {found[0]} and, of what is known, {found[1]}; expected [20] of both")
        if not np.isfinite(state_20[known_20]).all():
            column = int(np.flatnonzero(known_20 & ~np.isfinite(state_20))[0])
            raise ValueError(f"state: column {column} is {state_20[column]} though said to be known")
        return np.where(known_20, self.embodiment.stats.normalise_state(np.nan_to_num(state_20)), 0.0).astype(
            np.float32
        )


def load_policy(
    checkpoint: Path, *, device: DeviceName = "auto", embodiment: str | None = None, sampling: Sampling | None = None
) -> WallWMPolicy:
    """A policy from a checkpoint, or the newest of a run's folder; averaged weights where it has them.

    ``embodiment`` names one where the model was trained on several. Raises FileNotFoundError without a checkpoint,
    ValueError when it cannot be used.
    """
    folder = checkpoint_folder(checkpoint)
    record = read_record(folder)
    model = build(record.config.model, record.config.seed)
    load_weights(folder, model, averaged=True)
    chosen = record.embodiment(embodiment)
    sampling = sampling_of(record.config.schedule, record.config.sample_shift) if sampling is None else sampling
    return WallWMPolicy(model.to(device_of(device, 0)), record.config, chosen, sampling)
