"""Where optimiser steps come from: the steps of a load plan, or one event again and again.

A plan says which windows every step reads, whatever the number of ranks and workers (`pipeline.loader.plan_loader`), so
a run's place is a step number and nothing else. Windows become examples where they are read, in the loader's workers;
only what needs a codec with weights is finished here, in the process that holds it (`trainer.inputs`).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from pipeline.loader.chronicle import Chronicle
from pipeline.loader.locations import Location, read_locations
from pipeline.loader.plan import LoadPlan
from pipeline.loader.plan_loader import LoadedPack, PlanLoader
from pipeline.loader.range_reader import RangeReader
from pipeline.loader.reader import ShardSet, shard_set_folder
from pipeline.loader.sample import EVENT_MEMBER, caption_in
from pipeline.loader.stats import ActionStats
from pipeline.loader.window import Window
from trainer.batch import Example
from trainer.configs import TrainConfig
from trainer.embodiment import Embodiment, embodiments_of
from trainer.inputs import Inputs, Stored, Waiting
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
    inputs: Inputs = field(default_factory=Inputs)
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

    def captions(self) -> set[str]:
        """Of every event the plan can come to, substitutes too: those are drawn from the same segments."""
        plan, blobs = self._opened(), shard_set_folder(self.shards, self.storage)
        rows = {row for n in range(len(plan.header.segments)) for row in plan.segment_arrays(n)["event"].tolist()}
        locations, reader = read_locations(blobs), RangeReader(blobs)
        try:
            return {_caption(reader, locations[row]) for row in sorted(rows)}
        finally:
            reader.close()

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
            transform=partial(as_example, stats=stats, config=self.config, stored=self.inputs.stored),
            known=None if self.inputs.stored.latents is None else self.inputs.stored.latents.holds,
            storage=self.storage,
        ) as loader:
            finished = partial(self._finished, chronicle=chronicle)
            yield (TrainStep(read.step, tuple(map(finished, read.packs))) for read in loader)

    def _finished(self, pack: LoadedPack, chronicle: Chronicle | None) -> StepPack:
        """A pack as the loop takes it: latents and neighbours come in here, in the one process that has them."""
        language = self.config.model.language
        examples = [self.inputs.finished(one.example, one.waiting) for one in pack.windows]
        if chronicle is not None and language is not None:
            examples = [with_neighbours(example, chronicle, language.limits) for example in examples]
        return StepPack(tuple(one.draw for one in pack.windows), tuple(examples))


def with_neighbours(example: Example, chronicle: Chronicle, limits: Limits) -> Example:
    """The example, its story told with what came before the event and what follows it."""
    if example.story is None:
        return example
    before = chronicle.before(example.event_id, limits.before)
    after = chronicle.after(example.event_id, limits.after)
    end = example.story.end
    story = replace(
        example.story,
        before=tuple(each.caption for each in before),
        after=tuple(each.caption for each in after),
        end=None if end is None else replace(end, next_s=after[0].seconds if after else 0.0),
    )
    return replace(example, story=story)


@dataclass(frozen=True, eq=False)
class DrawnExample:
    """What a worker hands over."""

    draw: int
    example: Example
    """Without latents where pictures wait for the codec."""
    waiting: Waiting | None


def as_example(
    window: Window, *, stats: Mapping[str, ActionStats], config: TrainConfig, stored: Stored
) -> DrawnExample:
    """The loader's transform."""
    example, waiting = stored.example(window, stats.get(window.event.statistics_group), config)
    return DrawnExample(window.draw, example, waiting)


def _caption(reader: RangeReader, location: Location) -> str:
    member = next(member for member in location.members if member.name == EVENT_MEMBER)
    (content,) = reader.read(location.shard, [(member.offset, member.n_bytes)])
    try:
        return caption_in(json.loads(content))
    except (ValueError, KeyError):
        return ""  # a record that cannot be read: the loader puts another event in its place


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
