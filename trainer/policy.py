"""What acts: an observation in, the actions of one event out.

`Observation` and `ActionChunk` are what environments, servers and evaluations speak. `WallWMPolicy` is the trained
model behind them; anything else with an ``act`` will do. The length is decided before denoising, from the event's
duration: as in training, so many instants and so many actions (`trainer.example`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.decode import Pixels
from schemas.array import Bools, Floats
from trainer.batch import Example
from trainer.checkpoint import load_weights
from trainer.compress.fp8_model import as_stored
from trainer.configs import TrainConfig
from trainer.embodiment import Embodiment
from trainer.example import fitted, seen_view
from trainer.infer import denoise
from trainer.inputs import Inputs, Pretrained, inputs_to_ask
from trainer.length import Length, length_of
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
    text_SC: Tensor | None = None
    """Vectors [S, width of the model's text] the towers read in place of the text: embedded beforehand, or thought."""


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


class WallWMPolicy:
    """The trained model, for one embodiment."""

    def __init__(
        self,
        model: WallWM,
        config: TrainConfig,
        embodiment: Embodiment,
        sampling: Sampling,
        inputs: Inputs | None = None,
    ) -> None:
        """``inputs`` where codec or captions need weights; raises ValueError when they do and none are given."""
        self.inputs = inputs or inputs_to_ask(config, Pretrained(), torch.device("cpu"))
        self.model, self.config, self.embodiment, self.sampling = model.eval(), config, embodiment, sampling

    @property
    def cameras(self) -> tuple[str, ...]:
        """What an observation must show."""
        return self.embodiment.cameras

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def act(
        self,
        observation: Observation,
        duration_s: float,
        seed: int,
        *,
        sampling: Sampling | None = None,
    ) -> ActionChunk:
        """The actions of the next ``duration_s`` seconds; ``sampling`` is for this once.

        Raises ValueError for an observation it cannot use.
        """
        sampling = self.sampling if sampling is None else sampling
        text_SC = observation.text_SC
        if text_SC is not None and (text_SC.ndim != 2 or text_SC.shape[1] != self.config.model.text.width):
            expected = [None, self.config.model.text.width]
            raise ValueError(f"text: found vectors of shape {list(text_SC.shape)}, expected {expected}")
        length = length_of(duration_s, self.embodiment.fps, self.embodiment.control_hz, self.config.data)
        example = self.example(observation, length)
        with self._precision():
            imagined = denoise(
                self.model,
                example,
                sampling,
                seed,
                text_SC=text_SC,
                prediction=self.config.loss.action_prediction,
            )
        return ActionChunk(
            actions_20=imagined.displacements(self.embodiment.stats),
            known_20=self.embodiment.stats.known_20,
            times_s=length.action_times_ns / 1e9,
            duration_s=length.n_frames / self.embodiment.fps,
            video=self._pixels(imagined.latents_VFCHW, observation) if sampling.video else None,
        )

    @torch.no_grad()
    def embed(self, text: str) -> Tensor:
        """What the towers read of a text [S, width]: for a text that is said once and acted on many times."""
        if self.inputs.reader is not None:
            return self.inputs.reader.read(text).padded()
        words = words_of(text, self.config.model.text.entries, self.config.model.text.max_words)
        assert self.model.text is not None
        vectors: Tensor = self.model.text(torch.tensor(words, device=self.device))
        return vectors

    def _precision(self) -> AbstractContextManager[object]:
        """Half precision where the model was trained in it and the device is made for it."""
        if self.device.type == "cuda" and self.config.torch_dtype != torch.float32:
            return torch.autocast("cuda", self.config.torch_dtype)
        return nullcontext()

    def _pixels(self, latents_VFCHW: Tensor, observation: Observation) -> dict[str, Pixels]:
        """Pictures by camera, without the border they were given."""
        out = {}
        for camera, latents_FCHW in zip(self.cameras, latents_VFCHW, strict=True):
            picture = observation.pictures[camera]
            height, width = fitted(picture.shape[0], picture.shape[1], self.config.data)
            out[camera] = self.inputs.codec.decode(latents_FCHW)[:, :height, :width]
        return out

    def example(self, observation: Observation, length: Length) -> Example:
        """The observation as the model reads it, and nothing where the future will be."""
        data, text, stats = self.config.data, self.config.model.text, self.embodiment.stats
        views = [seen_view(picture[None], data, self.inputs.codec) for picture in self._pictures(observation)]
        first_V1CHW = torch.stack([latents_FCHW for latents_FCHW, _ in views])
        views_n, _, *shape = first_V1CHW.shape
        ahead = torch.zeros(views_n, length.latent_frames - 1, *shape)
        known_20 = np.asarray(observation.state_known_20, np.bool_) & stats.state_known_20
        n_actions, reader = len(length.action_times_ns), self.inputs.reader
        return Example(
            event_id="the next event",
            embodiment=self.embodiment.group,
            latents_VFCHW=torch.cat([first_V1CHW, ahead], dim=1),
            picture_VHW=torch.stack([picture_HW for _, picture_HW in views]),
            words=words_of(observation.text, text.entries, text.max_words) if reader is None else (),
            raw_frames=length.n_frames,
            state_A=torch.from_numpy(self._state(observation, known_20)),
            state_known_A=torch.from_numpy(known_20),
            actions_KA=torch.zeros(n_actions, len(known_20)),
            action_known_A=torch.from_numpy(stats.known_20),
            valid_K=torch.ones(n_actions, dtype=torch.bool),
            tau_K=length.tau(),
            features=None if reader is None else reader.read(observation.text),
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
    checkpoint: Path,
    *,
    device: DeviceName = "auto",
    embodiment: str | None = None,
    sampling: Sampling | None = None,
    pretrained: Pretrained | None = None,
) -> WallWMPolicy:
    """A policy from a checkpoint, or the newest of a run's folder; averaged weights where it has them.

    ``embodiment`` names one where the model was trained on several, ``pretrained`` the folders of the frozen parts it
    was trained with. Raises FileNotFoundError without a checkpoint or a part, ValueError when it cannot be used.
    """
    folder = checkpoint_folder(checkpoint)
    record = read_record(folder)
    config, chosen, on = record.config, record.embodiment(embodiment), device_of(device, 0)
    inputs = inputs_to_ask(config, pretrained or Pretrained(), on)
    model = as_stored(build(config.model, config.seed), config.fp8)
    load_weights(folder, model, averaged=True)
    sampling = sampling or sampling_of(config.schedule, config.sample_shift, config.sample_steps)
    return WallWMPolicy(model.to(on), config, chosen, sampling, inputs)
