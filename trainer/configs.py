"""Configurations are functions returning frozen values: readable as a table, comparable, and part of a checkpoint.

`tiny` trains on one CPU core; its numbers are those of trainer.md §4.3.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from trainer import latents
from trainer.flow import Reduction, Sigmas
from trainer.optim import ParameterRule, adamw_rules, muon_rules
from trainer.stages import StageName


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
    drop_captions: bool
    pseudo_actions: bool
    """Whether actions nobody measured, such as hands found in pictures, are learnt; else their events are video."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything a training run needs to know besides the shards."""

    name: str
    model: ModelConfig
    data: DataConfig
    video_sigmas: Sigmas
    action_sigmas: Sigmas | None
    """None: symmetric, both towers at one level."""
    sample_shift: float
    reduce: Reduction
    stage: StageName
    rules: tuple[ParameterRule, ...]
    betas: tuple[float, float]
    clip: float
    warmup: int
    cooldown: float
    """Share of the run's steps over which the learning rate falls to zero."""
    save_every: int
    seed: int
    threads: int
    """More than one thread changes the order of sums, and on small models costs time."""

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
        ),
        data=DataConfig(
            height=32,
            width=32,
            max_frames=33,
            max_views=2,
            max_actions=32,
            token_budget=768,
            pack_window=16,
            drop_captions=False,
            pseudo_actions=False,
        ),
        video_sigmas=Sigmas("logit_normal"),
        action_sigmas=None,
        sample_shift=1.0,
        reduce="event",
        stage="joint",
        rules=adamw_rules(lr=3e-3, weight_decay=0.01),
        betas=(0.9, 0.99),
        clip=1.0,
        warmup=20,
        cooldown=0.6,
        save_every=100,
        seed=0,
        threads=1,
    )


def tiny_muon() -> TrainConfig:
    """`tiny` moved by Muon: learns one event in fewer than half the steps, each about half again as long."""
    return replace(tiny(), name="tiny-muon", rules=muon_rules(lr=1e-2, weight_decay=0.01))


CONFIGS: Mapping[str, Callable[[], TrainConfig]] = MappingProxyType({"tiny": tiny, "tiny-muon": tiny_muon})


def config_named(name: str) -> TrainConfig:
    """The configuration of this name. Raises ValueError naming those there are."""
    if name not in CONFIGS:
        raise ValueError(f"no configuration {name!r}; there are {sorted(CONFIGS)}")
    return CONFIGS[name]()


def single_view(config: ModelConfig) -> ModelConfig:
    """The same model without the cross-view branch: plain Wan, each camera a video of its own."""
    return replace(config, video=replace(config.video, cross_view_every=0))
