"""Configurations are functions returning frozen values: readable as a table, comparable, and part of a checkpoint.

`tiny` trains on one CPU core; its numbers are those of trainer.md §4.3.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import torch

from schemas.recipe_load import LoadSpec
from trainer import latents
from trainer.batch import PATCH
from trainer.flow import Schedule, Sigmas
from trainer.losses import LossConfig
from trainer.model.conditioner import LanguageConfig
from trainer.optim import ParameterRule, adamw_rules, muon_rules
from trainer.parallel import Spread
from trainer.sight import SightConfig
from trainer.stages import StageName
from trainer.tubes import TubeConfig


@dataclass(frozen=True)
class VideoConfig:
    """The video tower."""

    width: int
    ffn_width: int
    heads: int
    depth: int
    latent_channels: int
    time_frequencies: int
    cross_view_every: int
    """1: beside every block; 0: no cross-view branch at all (plain Wan)."""
    max_views: int


@dataclass(frozen=True)
class ActionConfig:
    """The action tower; as deep as the video tower."""

    dims: int
    width: int
    ffn_width: int
    heads: int
    max_tau: int
    """Size of the time-index table: more than the latent frames of the longest event."""


@dataclass(frozen=True)
class TextConfig:
    """The caption table."""

    entries: int
    width: int
    max_words: int


@dataclass(frozen=True)
class ModelConfig:
    """The whole model."""

    video: VideoConfig
    action: ActionConfig
    text: TextConfig
    detach_video: bool
    """True: the action loss does not reach the video tower."""
    language: LanguageConfig | None = None
    """Heads for the next event and its length, and the Staircase; None: neither."""
    history: int = 0
    """M: most latent frames before the observation a window can hold; 0: no window index."""


@dataclass(frozen=True)
class DataConfig:
    """How an event becomes tokens."""

    height: int
    width: int
    """Canvas in pixels; a view is fitted into it, keeping its shape."""
    max_frames: int
    """1 + 4N; a longer event is seen at fewer frames per second."""
    max_views: int
    max_actions: int
    token_budget: int
    """Video and action tokens of a pack."""
    pack_window: int
    """Draws packing chooses among; 1 keeps the plan's order to the letter."""
    packs_per_step: int
    """Over all ranks together."""
    drop_captions: bool
    sight: SightConfig
    pseudo_actions: bool
    """Whether actions nobody measured, such as hands found in pictures, are learnt; else their events are video."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything a training run needs to know besides the shards."""

    name: str
    model: ModelConfig
    data: DataConfig
    schedule: Schedule
    sample_shift: float
    loss: LossConfig
    tubes: TubeConfig
    stage: StageName
    rules: tuple[ParameterRule, ...]
    betas: tuple[float, float]
    clip: float
    warmup: int
    cooldown: float
    """Share of the run's steps over which the learning rate falls to zero."""
    average: float
    """Decay of the moving average of the weights; 0: none."""
    dtype: Literal["float32", "bfloat16"]
    """What layers compute in; weights, gradients' sums and optimisers are float32."""
    device: Literal["auto", "cpu", "cuda"]
    spread: Spread
    recompute: bool
    """Whether layers are run again in the backward pass instead of kept."""
    save_every: int
    seed: int
    threads: int
    """More than one thread changes the order of sums, and on small models costs time."""

    @property
    def torch_dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.dtype == "bfloat16" else torch.float32

    @property
    def digest(self) -> str:
        """What a checkpoint is compared by."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def tiny() -> TrainConfig:
    """About half a million parameters; overfits one event in under a minute of one core."""
    video = VideoConfig(
        width=64, ffn_width=256, heads=4, depth=3, latent_channels=latents.CHANNELS, time_frequencies=64,
        cross_view_every=1, max_views=4,
    )  # fmt: skip
    return TrainConfig(
        name="tiny",
        model=ModelConfig(
            video=video,
            action=ActionConfig(dims=20, width=64, ffn_width=256, heads=4, max_tau=16),
            text=TextConfig(entries=256, width=32, max_words=32),
            detach_video=False,
            language=LanguageConfig(),
            history=2,
        ),
        data=DataConfig(
            height=32,
            width=32,
            max_frames=33,
            max_views=2,
            max_actions=32,
            token_budget=768,
            pack_window=16,
            packs_per_step=1,
            drop_captions=False,
            sight=SightConfig(),
            pseudo_actions=False,
        ),
        schedule=Schedule(Sigmas("logit_normal"), None),
        sample_shift=1.0,
        loss=LossConfig(),
        tubes=TubeConfig(),
        stage="joint",
        rules=adamw_rules(lr=3e-3, weight_decay=0.01),
        betas=(0.9, 0.99),
        clip=1.0,
        warmup=20,
        cooldown=0.6,
        average=0.0,
        dtype="float32",
        device="auto",
        spread="replicate",
        recompute=False,
        save_every=100,
        seed=0,
        threads=1,
    )


def tiny_muon() -> TrainConfig:
    """`tiny` moved by Muon: learns one event in fewer than half the steps, each about half again as long."""
    return replace(tiny(), name="tiny-muon", rules=muon_rules(lr=1e-2, weight_decay=0.01))


CONFIGS: Mapping[str, Callable[[], TrainConfig]] = MappingProxyType({"tiny": tiny, "tiny-muon": tiny_muon})


def load_spec(config: TrainConfig, **shares: float) -> LoadSpec:
    """The recipe's ``load`` section that fits a configuration: its token law, packs and views; ``shares`` as there."""
    data = config.data
    cells = data.height // latents.SPACE_STRIDE * (data.width // latents.SPACE_STRIDE)
    return LoadSpec.model_validate(
        {
            "max_frames": data.max_frames,
            "frames_per_latent": latents.TIME_STRIDE,
            "tokens_per_latent": cells // PATCH**2,
            "max_views": data.max_views,
            "max_actions": data.max_actions,
            "budget": data.token_budget,
            "pack_window": data.pack_window,
            "packs_per_step": data.packs_per_step,
            "seed": config.seed,
            **shares,
        }
    )


def single_view(config: ModelConfig) -> ModelConfig:
    """The same model without the cross-view branch: plain Wan, each camera a video of its own."""
    return replace(config, video=replace(config.video, cross_view_every=0))
