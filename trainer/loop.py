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
from trainer.batch import Batch, Example, asked_at_the_end, pack, sight_of
from trainer.checkpoint import RunState, Trained
from trainer.configs import TrainConfig
from trainer.device import to_device
from trainer.flops import flops_of
from trainer.flow import Noise, add_noise, draw_noise, generator_of
from trainer.journal import Journal
from trainer.losses import Counts, action_sum, counts, video_sum
from trainer.model.language import NO_CAPTION, drop_rate
from trainer.model.staircase import chain_count
from trainer.model.wam import Thought, WallWM
from trainer.optim import clip_gradients, optimisers, rate_factor, set_rate
from trainer.parallel import Ranks, spread, sum_gradients
from trainer.policy_record import written
from trainer.stages import STAGES, freeze
from trainer.steps import StepPack, Steps, TrainStep
from trainer.story import NO_STORY, Question, story_tokens
from trainer.tubes import tubes_of
from trainer.vlm import FrozenVlm

_LOSSES = ("video", "action", "next_event", "remaining", "aligned", "chain")
_DROP_SEED = 1_000_003
"""Keeps the caption's coin apart from the noise of the same draw."""


@dataclass(frozen=True)
class StepLog:
    """One line of the log: of the whole step, over all ranks."""

    step: int
    """From 1."""
    loss: float
    """All that counts in this stage."""
    video: float
    action: float
    next_event: float
    """Nats per byte of the caption; 0 where the stage does not ask."""
    remaining: float
    """Huber of log seconds."""
    aligned: float
    """Share of the text features not explained, and whether a word is there."""
    chain: float
    """Nats per byte of the Staircase's chain."""
    gradient_norm: float
    """Of towers and captions, or, in a stage that does not move them, of what it moves."""
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
    question: Question | None
    """None in stages that do not ask."""
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
        language = config.model.language if self.stage.runs_language else None
        self.vlm = FrozenVlm.load(language, ranks.device) if language is not None and language.vlm else None
        self.step = 0

    def advance(self, step: TrainStep) -> StepLog:
        """One optimiser step."""
        config = self.config
        ready = [self._ready(one) for one in step.packs]
        sums = self.ranks.summed(_totals(ready))
        whole, (n_packs, n_events, n_tokens, flops) = Counts(*sums[:4]), (round(value) for value in sums[4:])
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        losses = torch.zeros(len(_LOSSES), dtype=torch.float64)
        for one, weight in self._passes(ready):
            losses += self._backward(one, whole, weight)
        sum_gradients(self.model, self.ranks)
        norm = self._clipped()
        rate = rate_factor(self.step, self.steps.n_steps, config.warmup, round(config.cooldown * self.steps.n_steps))
        set_rate(self.optimisers, rate)
        for optimiser in self.optimisers:
            optimiser.step()
        if self.average is not None:
            self.average.update()
        self.step += 1
        found = dict(zip(_LOSSES, self.ranks.summed(losses.tolist()), strict=True))
        return StepLog(
            step=self.step,
            loss=sum(found.values()) - found["video"] * (not self.stage.video_loss),
            **found,
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
        found, question = counts(batch, config.loss.reduce), self._question(examples)
        if question is not None:
            told = chain_count(question.story) if self.stage.chain_loss else 0.0
            found = replace(found, language=float(question.story.now.counted_E.sum()), chain=told)
            question = to_device(question, device)
        flops = flops_of(batch, config.model).of_step(self.stage) if self.stage.runs_towers else 0
        return Ready(
            batch=to_device(batch, device),
            noise=to_device(noise, device),
            question=question,
            counts=found,
            n_tokens=one.n_tokens,
            n_events=len(examples),
            flops=flops,
        )

    def _question(self, examples: Sequence[Example]) -> Question | None:
        """What the conditioner is asked about these examples."""
        language = self.config.model.language
        if language is None or not self.stage.runs_language:
            return None
        if not self.stage.chain_loss:  # whose latents the towers read: one question for each of their events
            later = map(asked_at_the_end, examples)
            examples = [*examples, *(example for example in later if example is not None)]
        stories = [example.story or NO_STORY for example in examples]
        foreign = None if self.vlm is None else self.vlm.understand(stories)
        return Question(story_tokens(stories, language.limits), sight_of(examples), foreign)

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
        stage, thought = self.stage, Thought()
        found = {name: torch.zeros((), device=self.ranks.device) for name in _LOSSES}
        if one.question is not None:
            with self.precision():
                thought = self.model.think(one.question, heads=stage.language_loss, chain=stage.chain_loss)
            found |= _language_losses(thought, whole)
        if stage.runs_towers:
            noised = add_noise(batch, noise)
            with self.precision():
                predicted = self.model(batch, noised, with_action=stage.action_loss, text_SD=thought.text_SD)
            found["video"] = video_sum(predicted.video_TP, batch, noise, config.loss) / max(whole.video, 1.0)
            if predicted.action_SA is not None:
                of_actions = action_sum(predicted.action_SA, batch, noised, noise, config.loss)
                found["action"] = of_actions / max(whole.action, 1.0)
        counted = [loss for name, loss in found.items() if name != "video" or stage.video_loss]
        (torch.stack(counted).sum() * weight).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        return torch.stack([found[name].detach() for name in _LOSSES]).double().cpu() * weight

    def _clipped(self) -> float:
        """Clip gradients; the norm before. Heads and towers apart: a hard caption must not slow the video down."""
        of_language = [parameter for name, parameter in self.model.named_parameters() if name.startswith("language.")]
        of_rest = [parameter for name, parameter in self.model.named_parameters() if not name.startswith("language.")]
        norms = [clip_gradients(part, self.config.clip) for part in (of_rest, of_language)]
        return norms[0] if self.stage.runs_towers else norms[1]

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
    of_pack = (sum(column) for column in zip((0, 0, 0), *sizes, strict=True))
    return found.video, found.action, found.language, found.chain, len(ready), *of_pack


def _language_losses(thought: Thought, whole: Counts) -> dict[str, Tensor]:
    """What was asked for, as shares of the step's means."""
    found: dict[str, Tensor] = {}
    if thought.language is not None:
        heads = thought.language
        sums = {"next_event": heads.next_event, "remaining": heads.remaining, "aligned": heads.aligned}
        found |= {name: value / max(whole.language, 1.0) for name, value in sums.items()}
    if thought.chain is not None:
        found["chain"] = thought.chain / max(whole.chain, 1.0)
    return found


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
