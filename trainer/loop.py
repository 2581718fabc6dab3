"""The training loop: steps in, one optimiser step each, a line per step, and a checkpoint that loses nothing.

There is no state but the model, its average, the optimisers and the step. Noise, dropped captions and tubes are
functions of (seed, draw), so a run killed anywhere and resumed writes the same log, bit for bit on a CPU, as one that
was left alone. Every pack's loss is divided by the counts of the whole step before its backward pass
(`trainer.losses`): gradients add up to the step's, however its packs are divided among ranks.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.optim import Optimizer

from trainer import checkpoint
from trainer.average import MovingAverage
from trainer.batch import Batch, Example, pack
from trainer.checkpoint import RunState, Trained
from trainer.configs import TrainConfig
from trainer.device import to_device
from trainer.flops import flops_of
from trainer.flow import Noise, add_noise, draw_noise, generator_of
from trainer.journal import Journal
from trainer.losses import Counts, action_sum, counts, video_sum
from trainer.model.language import NO_CAPTION, drop_rate
from trainer.model.wam import WallWM
from trainer.optim import clip_gradients, optimisers, rate_factor, set_rate
from trainer.parallel import Ranks, spread, sum_gradients
from trainer.policy_record import written
from trainer.stages import STAGES, freeze
from trainer.steps import StepPack, Steps, TrainStep
from trainer.tubes import tubes_of

_DROP_SEED = 1_000_003
"""Keeps the caption's coin apart from the noise of the same draw."""


@dataclass(frozen=True)
class StepLog:
    """One line of the log: of the whole step, over all ranks."""

    step: int
    """From 1."""
    loss: float
    video: float
    action: float
    gradient_norm: float
    rate: float
    packs: int
    events: int
    tokens: int
    flops: int
    """What the model needs for this step, forward and backward (`trainer.flops`)."""


@dataclass(frozen=True, eq=False)
class Ready:
    """A pack on its device, and what its losses are divided by."""

    batch: Batch
    noise: Noise
    counts: Counts
    n_tokens: int
    n_events: int
    flops: int


class Trainer:
    """A model in training: what a checkpoint holds."""

    def __init__(self, config: TrainConfig, model: WallWM, steps: Steps, ranks: Ranks) -> None:
        self.config, self.model, self.steps, self.ranks = config, model, steps, ranks
        self.stage = STAGES[config.stage]
        freeze(model, self.stage)
        model.video.recompute = config.recompute
        spread(model, chain(model.video.layers, model.action.blocks), ranks, config.spread, config.torch_dtype)
        self.optimisers: list[Optimizer] = optimisers(model, config.rules, config.betas)
        self.average = MovingAverage(model, config.average) if config.average else None
        self.step = 0

    def advance(self, step: TrainStep) -> StepLog:
        """One optimiser step."""
        config = self.config
        ready = [self._ready(one) for one in step.packs]
        sums = self.ranks.summed(_totals(ready))
        whole, (n_packs, n_events, n_tokens, flops) = Counts(*sums[:2]), (round(value) for value in sums[2:])
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        losses = torch.zeros(2, dtype=torch.float64)
        for one, weight in self._passes(ready):
            losses += self._backward(one, whole, weight)
        sum_gradients(self.model, self.ranks)
        norm = clip_gradients(self.model, config.clip)
        rate = rate_factor(self.step, self.steps.n_steps, config.warmup, round(config.cooldown * self.steps.n_steps))
        set_rate(self.optimisers, rate)
        for optimiser in self.optimisers:
            optimiser.step()
        if self.average is not None:
            self.average.update()
        self.step += 1
        video, action = self.ranks.summed(losses.tolist())
        return StepLog(
            step=self.step,
            loss=video * self.stage.video_loss + action,
            video=video,
            action=action,
            gradient_norm=norm,
            rate=rate,
            packs=n_packs,
            events=n_events,
            tokens=n_tokens,
            flops=flops,
        )

    def _ready(self, one: StepPack) -> Ready:
        config = self.config
        examples = [self._worded(example, draw) for draw, example in zip(one.draws, one.examples, strict=True)]
        batch = pack(examples, config.schedule.action_draws)
        noise = draw_noise(examples, one.draws, config.seed, config.schedule)
        tubes = tubes_of(examples, one.draws, config.seed, config.tubes)
        if tubes is not None:
            noise = replace(noise, tube_T=tubes.hidden_T, tube_observed_T=tubes.observed_T)
        device = self.ranks.device
        found = counts(batch, config.loss.reduce)
        flops = flops_of(batch, config.model).of_step(self.stage)
        return Ready(to_device(batch, device), to_device(noise, device), found, one.n_tokens, len(examples), flops)

    def _passes(self, ready: Sequence[Ready]) -> list[tuple[Ready, float]]:
        """This rank's packs with weight 1; under FSDP as many passes as the busiest rank, the rest without weight."""
        passes = [(one, 1.0) for one in ready]
        if isinstance(self.model, FSDPModule):
            most = round(self.ranks.most(len(ready)))
            if not ready:
                raise ValueError(
                    f"step {self.step + 1}: rank {self.ranks.rank} has no pack; compile a plan with at least as many "
                    f"packs per step (load.packs_per_step) as there are ranks ({self.ranks.world})"
                )
            passes += [(ready[-1], 0.0)] * (most - len(ready))
        return passes

    def _backward(self, one: Ready, whole: Counts, weight: float) -> Tensor:
        """Add a pack's share of the gradient; its share of both losses [2]."""
        config, batch, noise = self.config, one.batch, one.noise
        noised = add_noise(batch, noise)
        with self.precision():
            predicted = self.model(batch, noised, with_action=self.stage.action_loss)
        video = video_sum(predicted.video_TP, batch, noise, config.loss) / max(whole.video, 1.0)
        action = torch.zeros((), device=video.device)
        if predicted.action_SA is not None:
            action = action_sum(predicted.action_SA, batch, noised, noise, config.loss) / max(whole.action, 1.0)
        loss = (video * self.stage.video_loss + action) * weight
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward without annotations
        return torch.stack([video.detach(), action.detach()]).double().cpu() * weight

    def precision(self) -> AbstractContextManager[object]:
        """What the model is run in. Half precision of an unsharded model; FSDP has its own policy."""
        if self.config.torch_dtype == torch.float32 or isinstance(self.model, FSDPModule):
            return nullcontext()
        return torch.autocast(self.ranks.device.type, self.config.torch_dtype)

    def _worded(self, example: Example, draw: int) -> Example:
        """The example, its caption dropped as often as its length says."""
        if not self.config.data.drop_captions:
            return example
        coin = torch.rand((), generator=generator_of(self.config.seed + _DROP_SEED, draw)).item()
        if coin >= drop_rate(example.raw_frames):
            return example
        if example.features is not None:
            return replace(example, features=example.features.dropped())
        return replace(example, words=(NO_CAPTION,))

    def run_state(self) -> RunState:
        """What this run is and where it stands."""
        updates = 0 if self.average is None else self.average.updates
        return RunState(self.config.digest, self.steps.identity, self.steps.n_steps, self.step, updates)

    @property
    def _trained(self) -> Trained:
        return Trained(self.model, self.optimisers, self.average)

    def save(self, out: Path) -> Path:
        """Write a checkpoint; a collective."""
        return checkpoint.save(out, self.run_state(), self._trained, self.ranks, self._record)

    @cached_property
    def _record(self) -> str:
        """What the first rank keeps beside the weights."""
        return written(self.config, self.steps.embodiments()) if self.ranks.is_first else ""

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint. Raises ValueError when it belongs to another run."""
        own, found = self.run_state(), checkpoint.read_run(folder)
        for name in ("config", "steps", "n_steps"):
            if getattr(found, name) != getattr(own, name):
                raise ValueError(
                    f"{folder}: its {name} is {getattr(found, name)!r}, this run's is {getattr(own, name)!r}; "
                    "resume with the same plan and configuration, or train into another folder"
                )
        checkpoint.load(folder, self._trained, self.ranks)
        self.step = found.step


def _totals(ready: Sequence[Ready]) -> tuple[float, ...]:
    """Counts of both losses, packs, events, tokens and operations of this rank."""
    found = sum((one.counts for one in ready), Counts(0.0, 0.0))
    sizes = ((one.n_events, one.n_tokens, one.flops) for one in ready)
    return found.video, found.action, len(ready), *(sum(column) for column in zip((0, 0, 0), *sizes, strict=True))


def run(trainer: Trainer, out: Path, journal: Journal) -> Iterator[StepLog]:
    """Train to the last step, logging every one and saving every few; a line as each step is done."""
    ranks = trainer.ranks
    journal.go_on_after(trainer.step)
    with trainer.steps.read(trainer.step, ranks.rank, ranks.world) as steps:
        for step in steps:
            line = trainer.advance(step)
            journal.write(line)
            if trainer.step % trainer.config.save_every == 0 or trainer.step == trainer.steps.n_steps:
                journal.flush()
                trainer.save(out)
                journal.leave_out()
            yield line
