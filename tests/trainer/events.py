"""Events for the trainer's tests: small moving pictures with trajectories, as examples and as samples of a shard."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.loader.sample import EventSample
from pipeline.loader.stats import ActionStats
from schemas.displacement import relative_to
from schemas.time import Span
from trainer import latents
from trainer.batch import Batch, Example, pack
from trainer.configs import ModelConfig, TrainConfig, tiny
from trainer.embodiment import Embodiment
from trainer.flow import Noise, Noised, Schedule, Sigmas, add_noise, draw_noise
from trainer.losses import LossConfig, action_sum, counts, video_sum
from trainer.model.conditioner import LanguageConfig
from trainer.model.language import words_of
from trainer.model.wam import Velocities, WallWM, build
from trainer.optim import adamw_rules
from trainer.steps import StepPack, TrainStep
from trainer.story import Story

FPS = 10
SYMMETRIC = Schedule(Sigmas("logit_normal"), None)
KNOWN = [0, 1, 2, 9]
"""Left arm's position and opening."""


def pictures(n_frames: int, *, size: int = 32, view: int = 0) -> NDArray[np.uint8]:
    """A square that moves right over a grey ground, [T, size, size, 3]; views differ in colour and row."""
    frames = np.full((n_frames, size, size, 3), 60, np.uint8)
    for i, frame in enumerate(frames):
        left = 2 + (size // 2) * i // n_frames
        frame[8 + 4 * view : 18 + 4 * view, left : left + 10] = (220, 180 - 60 * view, 40)
    return frames


def known() -> torch.Tensor:
    mask = torch.zeros(20, dtype=torch.bool)
    mask[KNOWN] = True
    return mask


def example(
    *, frames: int = 9, views: int = 1, actions: int = 8, caption: str = "lift the cup", size: int = 32, seed: int = 0
) -> Example:
    """An event: one square moving, a smooth trajectory of zero mean and unit variance."""
    codes = torch.stack([latents.encode(pictures(frames, size=size, view=view)) for view in range(views)])
    way = np.linspace(0.0, 1.0, max(actions, 1)) + 0.1 * seed
    columns = np.stack([way, np.sin(3 * way), way**2, way > 0.6], axis=1)[:actions]
    values = torch.zeros(actions, 20)
    if actions > 1:
        values[:, KNOWN] = torch.from_numpy((columns - columns.mean(0)) / columns.std(0)).float()
    latent_count = codes.shape[1]
    return Example(
        event_id=f"ev-{seed}",
        embodiment="arm",
        latents_VFCHW=codes,
        picture_VHW=torch.ones(views, size // 8, size // 8, dtype=torch.bool),
        words=words_of(caption, 256, 32),
        raw_frames=frames,
        state_A=torch.where(known(), torch.linspace(-1, 1, 20) + seed, 0.0) * (actions > 0),
        state_known_A=known() & (actions > 0),
        actions_KA=values,
        action_known_A=known() & (actions > 0),
        valid_K=torch.ones(actions, dtype=torch.bool),
        tau_K=torch.arange(actions) * (latent_count - 1) // max(actions, 1) + 1,
        story=Story(
            "tidy up", ("reach for the cup",), caption, ("place the cup",), 0.1 * frames, words_of(caption, 256, 32)
        ),
    )


def mp4(frames: NDArray[np.uint8]) -> bytes:
    """H.264 at ten frames per second, nearly lossless."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "4", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def sample(
    *, n_frames: int = 25, actions: bool = True, height: int = 64, width: int = 64, hz: int = 20, start_ns: int = 0
) -> EventSample:
    """One sample as the loader gives it: a front and a wrist camera, actions at ``hz``."""
    step_ns = 10**9 // FPS
    times = start_ns + np.arange(n_frames, dtype=np.int64) * step_ns
    end_ns = start_ns + n_frames * step_ns
    clip = pictures(n_frames, size=64)[:, :height, :width]
    n_rows = n_frames * hz // FPS if actions else 0
    rows = start_ns + np.arange(n_rows, dtype=np.int64) * (10**9 // hz)
    state = np.zeros((n_rows, 20), np.float32)
    way = np.linspace(0, 1, n_rows)
    state[:, 0], state[:, 1], state[:, 9] = 0.3 + 0.2 * way, 0.1 * np.sin(3 * way), way < 0.5
    mask = known().numpy()
    return EventSample(
        key="a", split="train", t=0, event_id="ev-a", episode_id="ep-a", level="action",
        captions={"task": "tidy up", "action": "lift the cup"}, instruction="tidy up", embodiment="arm",
        action_kind="measured" if actions else "none",
        span=Span(0, n_frames, start_ns, end_ns, 0, n_rows), n_frames=n_frames, vision_language=0, action=0, weight=1.0,
        views={"front": mp4(clip), "wrist": mp4(clip)}, view_times_ns={"front": times, "wrist": times + step_ns // 2},
        action_T20=np.roll(state, -1, axis=0) if actions else None,
        action_valid_T=np.ones(n_rows, np.bool_) if actions else None, action_times_ns=rows if actions else None,
        known_20=mask & actions, state_T20=state if actions else None,
        state_valid_T=np.ones(n_rows, np.bool_) if actions else None, state_known_20=mask & actions,
        calib_json=b"{}", record={},
    )  # fmt: skip


def stats_of(event: EventSample) -> ActionStats:
    """Statistics of one sample alone."""
    assert event.action_T20 is not None
    assert event.state_T20 is not None
    relative = relative_to(event.action_T20, event.state_T20[0])
    low, high = np.quantile(relative, [0.01, 0.99], axis=0).astype(np.float32)
    return ActionStats(
        "arm", relative.mean(0), relative.std(0), low, high, event.state_T20.mean(0), event.state_T20.std(0),
        event.known_20, event.state_known_20,
    )  # fmt: skip


class MadeSteps:
    """The same events over and over, ``per_pack`` of them in each of ``packs`` packs a step."""

    def __init__(self, *examples: Example, n_steps: int = 8, per_pack: int = 2, packs: int = 2) -> None:
        self._examples, self.n_steps, self._per_pack, self._packs = examples, n_steps, per_pack, packs

    @property
    def identity(self) -> str:
        return "+".join(each.event_id for each in self._examples)

    def embodiments(self) -> tuple[Embodiment, ...]:
        return ()

    @contextmanager
    def read(self, start: int, rank: int, world: int) -> Iterator[Iterator[TrainStep]]:
        """Pack p of a step goes to rank p mod world."""
        yield (
            TrainStep(step, tuple(self.pack(step * self._packs + p) for p in range(rank, self._packs, world)))
            for step in range(start, self.n_steps)
        )

    def pack(self, number: int) -> StepPack:
        draws = tuple(range(number * self._per_pack, (number + 1) * self._per_pack))
        return StepPack(draws, tuple(self._examples[draw % len(self._examples)] for draw in draws))


def losses(predicted: Velocities, batch: Batch, noise: Noise, seen: Noised) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean video and action loss of a pack."""
    config = LossConfig()
    assert predicted.action_SA is not None
    whole = counts(batch, config.reduce)
    video = video_sum(predicted.video_TP, batch, noise, config) / max(whole.video, 1)
    return video, action_sum(predicted.action_SA, batch, seen, noise, config) / max(whole.action, 1)


def small() -> TrainConfig:
    """`tiny` with two narrow blocks, for tests of wiring rather than of learning."""
    config = tiny()
    video = replace(config.model.video, width=32, ffn_width=64, heads=2, depth=2, time_frequencies=16)
    action = replace(config.model.action, width=24, ffn_width=48, heads=2)
    model = replace(config.model, video=video, action=action, text=replace(config.model.text, width=16))
    rules = adamw_rules(lr=3e-3, weight_decay=0.01)
    return replace(config, model=model, data=replace(config.data, token_budget=96), save_every=3, rules=rules)


def talking() -> TrainConfig:
    """`small` with language heads, Staircase and windows with history."""
    plain = small()
    return replace(plain, model=replace(plain.model, language=LanguageConfig(), history=2))


def lively(config: ModelConfig, *, seed: int = 0, views: bool = True) -> WallWM:
    """A model in which nothing is zero, so that every path shows; ``views=False`` leaves ``W_view`` at zero."""
    model = build(config, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        at_zero = ".view.attn.o." in name and not views
        if not at_zero:
            nn.init.normal_(
                parameter, std=0.3 if parameter.ndim < 2 else parameter.shape[-1] ** -0.5, generator=generator
            )
    return model


def noised(examples: Sequence[Example], draws: Sequence[int]) -> tuple[Batch, Noise, Noised]:
    """A pack of these examples, its noise, and both together."""
    batch = pack(examples)
    noise = draw_noise(examples, draws, 0, SYMMETRIC)
    return batch, noise, add_noise(batch, noise)


def velocities(model: WallWM, examples: Sequence[Example], draws: Sequence[int]) -> Velocities:
    """What the model predicts for these draws."""
    batch, _, seen = noised(examples, draws)
    out: Velocities = model(batch, seen)
    return out
