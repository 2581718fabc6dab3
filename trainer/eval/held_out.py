"""Events a model has not been trained on, ready to be imagined and compared.

Only the splits the shard set holds out: an episode is in one split as a whole, with its copies (docs/dedup.md), so
nothing of these recordings was seen. The train split is refused. An event that cannot be read as the configuration
reads events is left out by name and reason, never silently.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.decode import Pixels
from pipeline.loader.frames import even_indices
from pipeline.loader.reader import ShardSet
from pipeline.loader.stats import ActionStats
from schemas.array import Floats, Ints
from trainer.batch import Example
from trainer.codec import Codec, ToyCodec
from trainer.configs import TrainConfig
from trainer.eval.cross_view import Pairs, pairs_of
from trainer.example import Shown, fitted_view, shown_whole
from trainer.inputs import Inputs

HELD_OUT = ("validation", "test")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One event, as the model reads it and as it was recorded."""

    example: Example
    stats: ActionStats | None
    """None for an event without actions."""
    pictures: Mapping[str, Pixels]
    """Camera to what was recorded, on the model's canvas, RGB uint8 [1 + 4N, H, W, 3]; observed view first."""
    times_ns: Ints
    """Of the pictures."""
    anchor_20: Floats | None
    """The observation pose."""
    action_times_s: Floats
    """Of the example's actions, float64 [K], after the first picture."""
    pairs: tuple[Pairs, ...]
    """Cells of two views that show one place, for every pair of views."""
    caption: str
    codec: Codec = field(default_factory=ToyCodec)
    """What makes pictures of its latents."""

    @property
    def event_id(self) -> str:
        return self.example.event_id

    @property
    def seconds_per_frame(self) -> float:
        return float(self.times_ns[-1] - self.times_ns[0]) / 1e9 / (len(self.times_ns) - 1)


@dataclass(frozen=True)
class LeftOut:
    """An event that could not be taken, and why."""

    event_id: str
    reason: str


def draws_of(shards: ShardSet, split: str, limit: int | None) -> list[int]:
    """Draw numbers to look at: all, or ``limit`` of them spread evenly over the split.

    Raises ValueError for a split that is not held out or holds nothing.
    """
    if split not in HELD_OUT:
        raise ValueError(f"split {split!r}: models are judged on what was held out: {' or '.join(HELD_OUT)}")
    found = shards.n_samples(split)
    if not found:
        raise ValueError(
            f"shard set {shards.shard_set_id}: no event is held out as {split!r}, there are {list(shards.splits)}; "
            "give `dedup` a share to hold out, or name the other split"
        )
    return even_indices(found, found if limit is None else min(limit, found)).tolist() if found > 1 else [0]


def held_out(
    shards: ShardSet, config: TrainConfig, split: str, limit: int | None, inputs: Inputs | None = None
) -> Iterator[HeldOut | LeftOut]:
    """The events of a held-out split, in the order of draws; read through ``inputs`` where there are weights to it."""
    stats = shards.all_stats()
    for t in draws_of(shards, split, limit):
        event = shards.read(split, t)
        try:
            shown = shown_whole(event, config.data)
            yield held(shown, stats.get(event.statistics_group), config, inputs)
        except ValueError as error:
            yield LeftOut(event.event_id, str(error))


def held(shown: Shown, stats: ActionStats | None, config: TrainConfig, inputs: Inputs | None = None) -> HeldOut:
    """One event. Raises ValueError when it cannot be used."""
    inputs = inputs or Inputs()
    example = inputs.example(shown, stats, config)
    canvases = {camera: fitted_view(pixels, config.data)[0] for camera, pixels in shown.pixels.items()}
    return HeldOut(
        example=example,
        stats=stats if len(example.actions_KA) else None,
        pictures=canvases,
        times_ns=shown.times_ns,
        anchor_20=shown.event.anchor_20(),
        action_times_s=_action_times_s(shown, len(example.actions_KA)),
        pairs=pairs_of(shown, example.latents_VFCHW, example.picture_VHW, config.data),
        caption=shown.event.caption,
        codec=inputs.codec,
    )


def _action_times_s(shown: Shown, n_actions: int) -> Floats:
    times_ns = shown.event.action_times_ns
    if times_ns is None or not n_actions:
        return np.zeros(0)
    seconds: Floats = (times_ns[even_indices(len(times_ns), n_actions)] - shown.times_ns[0]) / 1e9
    return seconds


def covered(picture_HW: Tensor, canvas: Pixels) -> tuple[slice, slice]:
    """Rows and columns of the canvas that show the recording."""
    rows, columns = (int(torch.any(picture_HW, dim=1 - axis).sum()) for axis in (0, 1))
    high, wide = canvas.shape[1] // picture_HW.shape[0], canvas.shape[2] // picture_HW.shape[1]
    return slice(0, rows * high), slice(0, columns * wide)
