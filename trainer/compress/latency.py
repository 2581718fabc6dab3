"""How long an answer takes, stage by stage: encode, look at the video, denoise the actions, decode.

Measured on one event of a given length, with whatever weights: time does not depend on them. Every stage ends with the
device idle, so stages add up to the answer; medians and 95th percentiles are over repetitions, after warm-up. What
inference does is done here with its parts taken apart (`trainer.infer`): symmetric, both towers at every step;
asymmetric, the video brought to its anchor and looked at once, then the actions alone, as a graph where asked for.

A codec with weights is timed where it is given, and the report says so where it is not. Captions are read once per text
and kept (`trainer.captions`), so their encoder is not in an answer.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.stats import ActionStats
from trainer.batch import Batch, Example, latents_from, pack
from trainer.captions import CaptionFeatures
from trainer.codec import Codec, ToyCodec
from trainer.compress.fp8_config import Fp8Config
from trainer.compress.fp8_linear import kernel_refusal
from trainer.compress.fp8_model import quantise_model
from trainer.compress.graphs import ActionsBefore, Graphs, action_loop
from trainer.configs import TrainConfig
from trainer.device import to_device
from trainer.flow import levels, observe, rows_of
from trainer.model.wam import WallWM
from trainer.sampling import Sampling

Mode: TypeAlias = Literal["symmetric", "asymmetric"]
Precision: TypeAlias = Literal["float32", "bfloat16", "fp8"]
STAGES = ("encode", "video", "actions", "decode")
STEPS = (1, 2, 4, 10, 20, 50)
_WARM_UPS = 2
_ANCHOR = Sampling.anchor
_WORDS = (1, 2, 3, 4)
"""Of the caption; features are padded to as many as the model was trained on."""


@dataclass(frozen=True)
class Asked:
    """One way to be asked."""

    mode: Mode
    steps: int
    precision: Precision
    graphs: bool = False


@dataclass(frozen=True)
class Latency:
    """Milliseconds per stage and in all: median and 95th percentile."""

    asked: Asked
    p50_ms: dict[str, float]
    p95_ms: dict[str, float]
    repeats: int
    note: str = ""


@dataclass(frozen=True)
class Event:
    """How long the event is that is asked for."""

    frames: int
    actions: int
    views: int


@dataclass
class _Watch:
    """Seconds per stage of one answer."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        since = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] += time.perf_counter() - since


def ways(device: torch.device, steps: Sequence[int] = STEPS, precisions: Sequence[Precision] = ()) -> list[Asked]:
    """All combinations that make sense on a device."""
    on_cuda = device.type == "cuda"
    chosen = precisions or ("float32", "bfloat16", "fp8")
    made = [Asked(mode, n, p) for p in chosen for mode in ("symmetric", "asymmetric") for n in steps]
    if on_cuda:
        made += [Asked("asymmetric", n, p, graphs=True) for p in chosen for n in steps]
    return made


def example_like(config: TrainConfig, event: Event) -> Example:
    """An event of this size, of noise; what it shows does not matter for time."""
    generator = torch.Generator().manual_seed(0)
    data, text, dims = config.data, config.model.text, config.model.action.dims
    frames, (rows, columns) = data.codec.latent_frames(event.frames), data.codec.cells(data.height, data.width)
    shape = (event.views, frames, data.codec.channels, rows, columns)
    words_SC = torch.randn(len(_WORDS), text.width, generator=generator)
    every = torch.ones(dims, dtype=torch.bool)
    return Example(
        event_id="made up",
        embodiment="any",
        latents_VFCHW=torch.randn(shape, generator=generator),
        picture_VHW=torch.ones(event.views, rows, columns, dtype=torch.bool),
        words=() if text.encoded else _WORDS,
        raw_frames=event.frames,
        state_A=torch.zeros(dims),
        state_known_A=every,
        actions_KA=torch.zeros(event.actions, dims),
        action_known_A=every,
        valid_K=torch.ones(event.actions, dtype=torch.bool),
        tau_K=torch.arange(event.actions) * (frames - 1) // max(event.actions, 1) + 1,
        features=CaptionFeatures(words_SC, words_SC[:1], text.max_words) if text.encoded else None,
    )


def measure(  # noqa: PLR0917 - a model and what it reads through, and how it is asked
    model: WallWM,
    config: TrainConfig,
    event: Event,
    asked: Sequence[Asked],
    repeats: int,
    codec: Codec | None = None,
) -> Iterator[Latency]:
    """Each way in turn; the model stays as it was. Without a codec where it has weights, pictures are not coded."""
    example = example_like(config, event)
    if codec is None and not config.data.codec.has_weights:
        codec = ToyCodec()
    prepared: dict[Precision, tuple[WallWM, str]] = {}
    for way in asked:
        if way.precision not in prepared:
            prepared[way.precision] = in_precision(model, way.precision)
        own, note = prepared[way.precision]
        answer = _answering(own, config, example, way, codec)
        for _ in range(_WARM_UPS):
            answer()
        found = [answer() for _ in range(repeats)]
        columns = {name: [1e3 * one[name] for one in found] for name in STAGES}
        columns["all"] = [1e3 * sum(one.values()) for one in found]
        p50, p95 = ({n: float(np.percentile(v, q)) for n, v in columns.items()} for q in (50, 95))
        yield Latency(way, p50, p95, repeats, "; ".join(filter(None, (note, "" if codec else "without the VAE"))))


def in_precision(model: WallWM, precision: Precision) -> tuple[WallWM, str]:
    """The model to be asked, and what must be said about it."""
    if precision != "fp8":
        return model, ""
    own = deepcopy(model)
    report = quantise_model(own, Fp8Config())
    device = next(own.parameters()).device
    by_kernel = sum(
        kernel_refusal("block128", layer.shape[1], layer.shape[0], device) is None for layer in report.layers
    )
    return own, f"{by_kernel} of {len(report.layers)} FP8 layers by kernel, the others simulated"


def _answering(
    model: WallWM, config: TrainConfig, example: Example, way: Asked, codec: Codec | None
) -> Callable[[], dict[str, float]]:
    """One answer, as seconds per stage."""
    device = next(model.parameters()).device
    half = way.precision == "bfloat16" or (way.precision == "fp8" and device.type == "cuda")
    dtype = torch.bfloat16 if half else torch.float32
    walked = levels(way.steps, config.sample_shift).tolist()
    loop = action_loop(model, walked, config.loss.action_prediction, dtype)
    denoise_actions = Graphs(loop) if way.graphs else loop
    generator, stats = torch.Generator().manual_seed(0), _unit_stats(len(example.state_A))

    def precision() -> torch.autocast:
        return torch.autocast(device.type, dtype if half else None, enabled=half)

    def watched(batch: Batch, video_TP: Tensor, sigma: float) -> tuple[Tensor, tuple[Tensor, ...]]:
        level_E = video_TP.new_full((1,), sigma)
        seen = observe(batch, video_TP, batch.action.clean_SA, level_E, level_E)
        with precision():
            out = model.watch(batch, seen.video_TP, seen.video_sigma_R)
        return out.video_TP.float(), out.states

    @torch.no_grad()
    def answer() -> dict[str, float]:
        watch = _Watch(device)
        with watch.stage("encode"):
            batch = to_device(pack([_encoded(example, config, codec)]), device)
            video_TP = torch.randn(batch.video.clean_TP.shape, generator=generator).to(device)
            action_SA = torch.randn(batch.action.clean_SA.shape, generator=generator).to(device)
        if way.mode == "symmetric":
            for sigma, following in pairwise(walked):
                with watch.stage("video"):
                    velocity_TP, states = watched(batch, video_TP, sigma)
                    video_TP = video_TP + (following - sigma) * velocity_TP
                with watch.stage("actions"), precision():
                    rows_R = rows_of(action_SA.new_full((1,), sigma))
                    velocity_SA, _ = model.action(batch, states, action_SA, rows_R, model.window)
                    action_SA = action_SA + (following - sigma) * velocity_SA.float()
        else:
            with watch.stage("video"):
                velocity_TP, _ = watched(batch, video_TP, 1.0)
                _, states = watched(batch, video_TP + (_ANCHOR - 1.0) * velocity_TP, _ANCHOR)
                with precision():
                    seen = model.action.project(batch, states, model.window)
            with watch.stage("actions"):
                action_SA = denoise_actions(ActionsBefore(batch, seen, action_SA))
        with watch.stage("decode"):
            stats.denormalise(action_SA[~batch.action.observed_S].float().cpu().numpy())
            if way.mode == "symmetric" and codec is not None:
                views, frames, channels, height, width = example.latents_VFCHW.shape
                for latents_FCHW in latents_from(video_TP.cpu(), (views, frames, channels, height, width)):
                    codec.decode(latents_FCHW)
        return watch.seconds

    return answer


def _unit_stats(dims: int) -> ActionStats:
    """Statistics that change nothing, to denormalise by."""
    zeros, ones, known = np.zeros(dims, np.float32), np.ones(dims, np.float32), np.ones(dims, np.bool_)
    return ActionStats("any", zeros, ones, -ones, ones, zeros, ones, known, known)


def _encoded(example: Example, config: TrainConfig, codec: Codec | None) -> Example:
    """The first latent of every view, from black pictures."""
    if codec is None:
        return example
    pixels = np.zeros((1, config.data.height, config.data.width, 3), np.uint8)
    first = torch.stack([codec.encode(pixels) for _ in range(len(example.latents_VFCHW))])
    return replace(example, latents_VFCHW=torch.cat([first, example.latents_VFCHW[:, 1:]], dim=1))
