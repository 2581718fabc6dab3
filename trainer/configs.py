"""Configurations are functions returning frozen values: readable as a table, comparable, and part of a checkpoint.

`tiny` trains on one CPU core; the others begin from Wan's weights and want a GPU (docs/large_models.md). Their numbers
are those of trainer.md §4.3.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch

from schemas.recipe_load import LoadSpec
from trainer.batch import PATCH
from trainer.codec import TOY, WAN_2_1, WAN_2_2, CodecConfig
from trainer.compress.fp8_config import Fp8Config
from trainer.flow import Schedule, Sigmas
from trainer.losses import LossConfig
from trainer.model.action import ActionSight
from trainer.model.conditioner import LanguageConfig
from trainer.optim import ParameterRule, adamw_rules, language_rules, muon_rules
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
    sees: ActionSight = "all"
    """What of the video actions read (`trainer.model.action`)."""


@dataclass(frozen=True)
class TextConfig:
    """How captions are read: a table of words, or the features of a frozen encoder (`trainer.captions`)."""

    entries: int
    """Of the table; 0: none, captions come as features."""
    width: int
    """Of a word's vector or of a token's features."""
    max_words: int
    """Words that count; with features, tokens, which captions are padded to."""

    @property
    def encoded(self) -> bool:
        """Whether a frozen encoder reads captions."""
        return self.entries == 0


UMT5_XXL = TextConfig(entries=0, width=4096, max_words=512)
"""Features of UMT5-XXL's encoder, padded to 512 tokens as in Wan's training."""


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
    codec: CodecConfig = TOY


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
    sample_steps: int = 10
    """Euler steps the model is asked in; few for a distilled one."""
    fp8: Fp8Config | None = None
    """Which layers a quantised model keeps in FP8 (`joinery compress fp8`); None: it is whole."""

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
        width=64, ffn_width=256, heads=4, depth=3, latent_channels=TOY.channels, time_frequencies=64,
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
        rules=muon_rules(lr=1e-2, weight_decay=0.01),
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


def tiny_language() -> TrainConfig:
    """`tiny` with language heads, Staircase and windows with history: what the last three of the five stages train."""
    small = tiny()
    return replace(
        small,
        name="tiny-language",
        model=replace(small.model, language=LanguageConfig(), history=2),
        rules=(*language_rules(lr=3e-3, weight_decay=0.01), *small.rules),
    )


def tiny_adamw() -> TrainConfig:
    """`tiny` moved by AdamW alone: for comparison, and where an optimiser of matrices is not wanted."""
    return replace(tiny(), name="tiny-adamw", rules=adamw_rules(lr=3e-3, weight_decay=0.01))


def wan21_1_3b(stage: StageName = "video") -> TrainConfig:
    """Wan2.1-T2V-1.3B with cross-view branches beside every third block, three cameras at 192 × 320."""
    codec = WAN_2_1
    video = VideoConfig(
        width=1536, ffn_width=8960, heads=12, depth=30, latent_channels=codec.channels, time_frequencies=256,
        cross_view_every=3, max_views=4,
    )  # fmt: skip
    return TrainConfig(
        name="wan21-1.3b",
        model=ModelConfig(
            video=video,
            action=ActionConfig(dims=20, width=768, ffn_width=3072, heads=12, max_tau=32),
            text=UMT5_XXL,
            detach_video=stage == "action",
        ),
        data=DataConfig(
            height=192,
            width=320,
            max_frames=65,
            max_views=3,
            max_actions=128,
            token_budget=32_768,
            pack_window=64,
            packs_per_step=8,
            drop_captions=True,
            sight=SightConfig(),
            pseudo_actions=False,
            codec=codec,
        ),
        schedule=_schedule(stage),
        sample_shift=5.0,
        loss=LossConfig(),
        tubes=TubeConfig(),
        stage=stage,
        rules=muon_rules(lr=1e-4, weight_decay=0.01),
        betas=(0.9, 0.95),
        clip=1.0,
        warmup=500,
        cooldown=0.2,
        average=0.9999,
        dtype="bfloat16",
        device="auto",
        spread="shard",
        recompute=True,
        save_every=500,
        seed=0,
        threads=4,
    )


def wan22_5b(stage: StageName = "video") -> TrainConfig:
    """Wan2.2-TI2V-5B: clean first latent at timestep 0 as it was trained, 48 channels, stride 16.

    384 × 640 makes 240 tokens of a latent frame, as many as `wan21_1_3b` at 192 × 320: one load plan serves both.
    """
    small, codec = wan21_1_3b(stage), WAN_2_2
    video = replace(small.model.video, width=3072, ffn_width=14336, heads=24, latent_channels=codec.channels)
    return replace(
        small,
        name="wan22-5b",
        model=replace(
            small.model, video=video, action=replace(small.model.action, width=1024, ffn_width=4096, heads=16)
        ),
        data=replace(small.data, height=384, width=640, codec=codec),
    )


def _schedule(stage: StageName) -> Schedule:
    """Noise of the stages of a pretrained tower: the video alone; then six action draws before a nearly clean video."""
    if stage == "action":
        return Schedule(Sigmas("anchor"), Sigmas("beta"), action_draws=6)
    actions = Sigmas("beta") if stage == "joint" else None
    return Schedule(Sigmas("uniform", shift=3.0), actions)


def _action_stage(config: Callable[[StageName], TrainConfig]) -> TrainConfig:
    made = config("action")
    return replace(made, name=f"{made.name}-action")


CONFIGS: Mapping[str, Callable[[], TrainConfig]] = MappingProxyType(
    {
        "tiny": tiny,
        "tiny-adamw": tiny_adamw,
        "tiny-language": tiny_language,
        "wan21-1.3b": wan21_1_3b,
        "wan21-1.3b-action": partial(_action_stage, wan21_1_3b),
        "wan22-5b": wan22_5b,
        "wan22-5b-action": partial(_action_stage, wan22_5b),
    }
)


def load_spec(config: TrainConfig, **shares: float) -> LoadSpec:
    """The recipe's ``load`` section that fits a configuration: its token law, packs and views; ``shares`` as there."""
    data = config.data
    rows, columns = data.codec.cells(data.height, data.width)
    return LoadSpec.model_validate(
        {
            "max_frames": data.max_frames,
            "frames_per_latent": data.codec.time_stride,
            "tokens_per_latent": rows * columns // PATCH**2,
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
