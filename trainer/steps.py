"""Where optimiser steps come from: the steps of a load plan, or one event again and again.

A plan says which windows every step reads, whatever the number of ranks and workers (`pipeline.loader.plan_loader`), so
a run's place is a step number and nothing else. Windows become examples where they are read, in the loader's workers.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from pipeline.loader.chronicle import Chronicle
from pipeline.loader.plan import LoadPlan
from pipeline.loader.plan_loader import LoadedPack, PlanLoader
from pipeline.loader.reader import ShardSet
from pipeline.loader.stats import ActionStats
from pipeline.loader.window import Window
from trainer.batch import Example
from trainer.configs import TrainConfig
from trainer.embodiment import Embodiment, embodiments_of
from trainer.example import example_of
from trainer.story import Limits

SPLIT = "train"


@dataclass(frozen=True, eq=False)
class StepPack:
    """Events that share one sequence."""

    draws: tuple[int, ...]
    """Numbers in the order of draws: what noise is seeded by."""
    examples: tuple[Example, ...]

    @property
    def n_tokens(self) -> int:
        return sum(example.n_tokens for example in self.examples)


@dataclass(frozen=True, eq=False)
class TrainStep:
    """What one rank trains on in one step."""

    step: int
    packs: tuple[StepPack, ...]


class Steps(Protocol):
    """A fixed sequence of steps, read from anywhere on by any number of ranks."""

    @property
    def identity(self) -> str:
        """What the steps are: a checkpoint continues only on the same ones."""
        ...

    @property
    def n_steps(self) -> int: ...

    def embodiments(self) -> tuple[Embodiment, ...]:
        """Whose actions are learnt: kept in every checkpoint."""
        ...

    def read(self, start: int, rank: int, world: int) -> AbstractContextManager[Iterator[TrainStep]]:
        """The steps from ``start`` on, this rank's part of each."""
        ...


@dataclass(frozen=True)
class PlanSteps:
    """The steps of a compiled load plan over a published shard set."""

    plan: str
    """Folder of the plan."""
    shards: str
    """Folder of the shard set, or the ``shards`` folder above it."""
    config: TrainConfig
    workers: int = 0
    ledger: Path | None = None
    storage: dict[str, str] | None = None

    @property
    def identity(self) -> str:
        return self._opened().plan_hash

    @property
    def n_steps(self) -> int:
        return self._opened().n_steps

    def embodiments(self) -> tuple[Embodiment, ...]:
        """Of the training split."""
        return embodiments_of(ShardSet.open(self.shards, self.storage), SPLIT, self.config.data.max_views)

    def _opened(self) -> LoadPlan:
        return LoadPlan.open(self.plan, self.storage)

    @contextmanager
    def read(self, start: int, rank: int, world: int) -> Iterator[Iterator[TrainStep]]:
        """Raises StoreError where plan, shards and ledger do not belong together."""
        shards = ShardSet.open(self.shards, self.storage)
        stats = shards.all_stats()
        chronicle = None if self.config.model.language is None else Chronicle.read(shards)
        with PlanLoader(
            self.plan,
            self.shards,
            rank=rank,
            world=world,
            start=start,
            workers=self.workers,
            ledger=self.ledger,
            transform=partial(as_example, stats=stats, config=self.config),
            storage=self.storage,
        ) as loader:
            limits = None if self.config.model.language is None else self.config.model.language.limits
            numbered = partial(_numbered, chronicle=chronicle, limits=limits)
            yield (TrainStep(read.step, tuple(map(numbered, read.packs))) for read in loader)


def _numbered(pack: LoadedPack, chronicle: Chronicle | None, limits: Limits | None) -> StepPack:
    """A pack as the loop takes it. Neighbours are added here, in the one process that has the chronicle."""
    examples = [one.example for one in pack.windows]
    if chronicle is not None and limits is not None:
        examples = [with_neighbours(example, chronicle, limits) for example in examples]
    return StepPack(tuple(one.draw for one in pack.windows), tuple(examples))


def with_neighbours(example: Example, chronicle: Chronicle, limits: Limits) -> Example:
    """The example, its story told with what came before the event and what follows it."""
    if example.story is None:
        return example
    before = chronicle.before(example.event_id, limits.before)
    after = chronicle.after(example.event_id, limits.after)
    story = replace(
        example.story,
        before=tuple(each.caption for each in before),
        after=tuple(each.caption for each in after),
    )
    return replace(example, story=story)


@dataclass(frozen=True, eq=False)
class DrawnExample:
    """What a worker hands over."""

    draw: int
    example: Example


def as_example(window: Window, *, stats: Mapping[str, ActionStats], config: TrainConfig) -> DrawnExample:
    """The loader's transform."""
    of_group = stats.get(window.event.statistics_group)
    return DrawnExample(window.draw, example_of(window, of_group, config))


@dataclass(frozen=True)
class OneEvent:
    """One event at every step, as often as fits a pack: the quickest way to see whether a model can learn at all."""

    example: Example
    token_budget: int
    n_steps: int
    embodiment: Embodiment | None = None

    @property
    def identity(self) -> str:
        return f"{self.example.event_id} alone"

    def embodiments(self) -> tuple[Embodiment, ...]:
        """The event's, where it has actions."""
        return () if self.embodiment is None else (self.embodiment,)

    @contextmanager
    def read(self, start: int, rank: int, world: int) -> Iterator[Iterator[TrainStep]]:
        """Raises ValueError for more than one rank: there is one pack for all."""
        if world > 1:
            raise ValueError(f"one event alone makes one pack a step, found rank {rank} of {world}; train it with one")
        copies = max(1, self.token_budget // self.example.n_tokens)
        yield (
            TrainStep(step, (StepPack(tuple(range(step * copies, (step + 1) * copies)), (self.example,) * copies),))
            for step in range(start, self.n_steps)
        )
