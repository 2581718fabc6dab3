"""The training loop: packs in, one optimiser step each, a line per step, and a checkpoint that loses nothing.

There is no state but the model, the optimisers, the step, and the few integers that say where packing stands.
Noise and dropped captions are functions of (seed, draw), so a run killed anywhere and resumed writes the same log,
bit for bit on a CPU, as one that was left alone. Times are therefore not in the log; progress shows them.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch.optim import Optimizer

from pipeline.loader.pack import PackState, packs
from trainer.batch import Example, pack
from trainer.configs import TrainConfig
from trainer.flow import action_loss, add_noise, draw_noise, generator_of, video_loss
from trainer.model.language import NO_CAPTION, drop_rate
from trainer.model.wam import WallWM
from trainer.optim import clip_gradients, optimisers, rate_factor, set_rate
from trainer.stages import STAGES, freeze

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
_DROP_SEED = 1_000_003
"""Keeps the caption's coin apart from the noise of the same draw."""


class Events(Protocol):
    """An endless sequence of events to train on, by draw number."""

    @property
    def identity(self) -> str:
        """What the events are: a checkpoint continues only on the same ones."""
        ...

    def __getitem__(self, draw: int) -> Example: ...


@dataclass(frozen=True)
class StepLog:
    """One line of the log."""

    step: int
    """From 1."""
    loss: float
    video: float
    action: float
    gradient_norm: float
    rate: float
    events: int
    tokens: int
    draws: list[int]
    """Of the plan; past its end it starts again."""


class _Lengths:
    """Tokens of every draw, read when asked for; what `packs` takes for a list."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, draw: int) -> int:
        return self._events[draw].n_tokens


class Trainer:
    """A model in training: what a checkpoint holds."""

    def __init__(self, config: TrainConfig, model: WallWM, events: Events, steps: int) -> None:
        self.config, self.model, self.events, self.steps = config, model, events, steps
        self.stage = STAGES[config.stage]
        freeze(model, self.stage)
        self.optimisers: list[Optimizer] = optimisers(model, config.rules, config.betas)
        self.step = 0
        self.packing = PackState()

    def advance(self) -> StepLog:
        """One optimiser step on the next pack."""
        config = self.config
        lengths = cast(Sequence[int], _Lengths(self.events))
        current = next(packs(lengths, config.data.token_budget, config.data.pack_window, self.packing))
        examples = [self._worded(self.events[draw], draw) for draw in current.draws]
        batch = pack(examples)
        noise = draw_noise(examples, current.draws, config.seed, config.video_sigmas, config.action_sigmas)
        predicted = self.model(batch, add_noise(batch, noise), with_action=self.stage.action_loss)
        video = video_loss(predicted.video_TP, batch, noise, config.reduce)
        action = torch.zeros(())
        if predicted.action_SA is not None:
            action = action_loss(predicted.action_SA, batch, noise, config.reduce)
        loss = video * self.stage.video_loss + action
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward without annotations
        norm = clip_gradients(self.model, config.clip)
        rate = rate_factor(self.step, self.steps, config.warmup, round(config.cooldown * self.steps))
        set_rate(self.optimisers, rate)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self.packing = current.after
        return StepLog(
            step=self.step,
            loss=loss.item(),
            video=video.item(),
            action=action.item(),
            gradient_norm=norm,
            rate=rate,
            events=len(examples),
            tokens=current.n_tokens,
            draws=list(current.draws),
        )

    def _worded(self, example: Example, draw: int) -> Example:
        """The example, its caption dropped as often as its length says."""
        if not self.config.data.drop_captions:
            return example
        coin = torch.rand((), generator=generator_of(self.config.seed + _DROP_SEED, draw)).item()
        return replace(example, words=(NO_CAPTION,)) if coin < drop_rate(example.raw_frames) else example

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened."""
        return {
            "config": self.config.digest,
            "events": self.events.identity,
            "steps": self.steps,
            "step": self.step,
            "packing": {"waiting": list(self.packing.waiting), "next_t": self.packing.next_t},
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }

    def restore(self, state: dict[str, Any], where: Path) -> None:
        """Continue from `state`. Raises ValueError when it belongs to another run."""
        own = {"config": self.config.digest, "events": self.events.identity, "steps": self.steps}
        for name, value in own.items():
            if state[name] != value:
                raise ValueError(
                    f"{where}: its {name} is {state[name]!r}, this run's is {value!r}; "
                    "resume with the same shards, configuration and steps, or train into another folder"
                )
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = state["step"]
        self.packing = PackState(tuple(state["packing"]["waiting"]), state["packing"]["next_t"])


def run(trainer: Trainer, out: Path, on_step: Callable[[StepLog], None]) -> None:
    """Train to the last step, logging every one and saving every few; a folder with a checkpoint is continued."""
    checkpoint, log = out / CHECKPOINT, out / LOG
    partial = log.with_suffix(".partial")
    partial.write_text("".join(_lines_before(log, trainer.step)))
    os.replace(partial, log)
    with log.open("a") as file:
        while trainer.step < trainer.steps:
            line = trainer.advance()
            file.write(json.dumps(asdict(line)) + "\n")
            if trainer.step % trainer.config.save_every == 0 or trainer.step == trainer.steps:
                file.flush()
                save(trainer, checkpoint)
            on_step(line)


def _lines_before(log: Path, step: int) -> Iterator[str]:
    """Lines of steps the checkpoint has seen; a killed run may have logged more, or half a line."""
    if step:
        with log.open() as file:
            for _ in range(step):
                yield file.readline()


def save(trainer: Trainer, path: Path) -> None:
    """Write a checkpoint so that a kill leaves the old one or the new one, never half of one."""
    partial = path.with_suffix(".partial")
    torch.save(trainer.state(), partial)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint's state: tensors and plain values only."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
