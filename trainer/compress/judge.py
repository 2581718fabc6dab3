"""How far what a model makes is from what was recorded, on events it has not seen.

Three numbers per event, averaged over events and seeds: the actions' mean absolute error, in standard deviations of the
embodiment; how far the hands are off at the end, in metres; and the mean square error of the latents the model had to
imagine. A model is judged as it will be asked, by its own sampler and number of steps, several events in one pack.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.reader import ShardSet
from pipeline.loader.stats import ActionStats
from trainer.batch import Batch, Example, pack
from trainer.compress.few_steps import Point, walk
from trainer.configs import TrainConfig
from trainer.device import to_device
from trainer.example import shown_whole
from trainer.flow import generator_of, levels
from trainer.inputs import Inputs
from trainer.model.wam import WallWM

HANDS = ((0, 1, 2), (10, 11, 12))
"""Columns of the 20-D layout that are a hand's position."""
_TOGETHER = 8
"""Events per pack."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """An event with actions that was not trained on."""

    example: Example
    stats: ActionStats


@dataclass(frozen=True)
class Judged:
    """Means over events and seeds."""

    action_mae: float
    end_point_m: float
    latent_mse: float
    events: int


def held_out(
    shards: ShardSet, split: str, config: TrainConfig, most: int | None = None, inputs: Inputs | None = None
) -> list[HeldOut]:
    """The events of a split that have actions, read through ``inputs`` where there are weights to it.

    Raises ValueError when there is none.
    """
    found, inputs = [], inputs or Inputs()
    for t in range(shards.n_samples(split)):
        sample = shards.read(split, t)
        if sample.anchor_20() is None:
            continue
        stats = shards.stats(sample.statistics_group)
        example = replace(inputs.example(shown_whole(sample, config.data), stats, config), visible_FNN=None)
        if example.valid_K.any() and example.action_known_A.any():
            found.append(HeldOut(example, stats))
        if len(found) == most:
            break
    if not found:
        raise ValueError(f"split {split!r} holds no event with actions to judge by; it has {shards.splits}")
    return found


@torch.no_grad()
def judge(model: WallWM, config: TrainConfig, held: Sequence[HeldOut], steps: int, seeds: Sequence[int]) -> Judged:
    """Ask for every event and seed in ``steps`` Euler steps, both towers together."""
    rows = []
    for seed in seeds:
        for first in range(0, len(held), _TOGETHER):
            part = held[first : first + _TOGETHER]
            made, batch = made_of(model, config, [each.example for each in part], steps, seed, first)
            rows += list(_errors(made, batch, part))
    action, end, latent = np.mean(rows, axis=0)
    return Judged(float(action), float(end), float(latent), len(held))


@torch.no_grad()
def made_of(  # noqa: PLR0917 - who is asked, about what, and how
    model: WallWM, config: TrainConfig, examples: Sequence[Example], steps: int, seed: int, first: int = 0
) -> tuple[Point, Batch]:
    """What the model makes of these events, the i-th from the noise of (seed, first + i); on the CPU."""
    device = next(model.parameters()).device
    batch = pack(examples)
    generators = [generator_of(seed, first + i) for i in range(len(examples))]
    width = batch.video.clean_TP.shape[1]
    video = [torch.randn(e.n_video, width, generator=g) for e, g in zip(examples, generators, strict=True)]
    action = [
        torch.randn(1 + len(e.actions_KA), len(e.state_A), generator=g)
        for e, g in zip(examples, generators, strict=True)
    ]
    start = Point(torch.cat(video).to(device), torch.cat(action).to(device))
    walked = levels(steps, config.sample_shift)[:-1].tolist()
    made = walk(model, to_device(batch, device), start, walked, None, config.loss.action_prediction)
    return Point(made.video_TP.cpu(), made.action_SA.cpu()), batch


def _errors(made: Point, batch: Batch, held: Sequence[HeldOut]) -> Iterator[tuple[float, float, float]]:
    """Of each event of a pack."""
    video, action = batch.video, batch.action
    for e, each in enumerate(held):
        mine_S, mine_T = action.event_S == e, video.event_T == e
        off_SA = (made.action_SA - action.clean_SA)[mine_S]
        counted_SA = action.mask_SA[mine_S]
        latent_TP = (made.video_TP - video.clean_TP)[mine_T][video.mask_TP[mine_T]]
        end = _end_point(made.action_SA[mine_S][1:], each)
        yield float(off_SA[counted_SA].abs().mean()), end, float(latent_TP.square().mean())


def _end_point(actions_KA: Tensor, held: HeldOut) -> float:
    """Metres between made and recorded position at the last trusted row, mean over the hands there are."""
    last = int(held.example.valid_K.nonzero()[-1])
    made, real = (held.stats.denormalise(a[last].numpy()) for a in (actions_KA, held.example.actions_KA))
    known = held.example.action_known_A.numpy()
    off = [np.linalg.norm(made[list(hand)] - real[list(hand)]) for hand in HANDS if known[list(hand)].all()]
    return float(np.mean(off)) if off else 0.0
