"""Balance for other people's loops: the plan's order as PyTorch samplers and datasets. It is all one has to import.

A balanced order is worth little if a loop can only have it together with our loader. `BalancedSampler` gives it to any
map-style dataset whose rows have event ids (`keys`); `EventDataset` is such a dataset over a shard set;
`EventStream` hands stock WebDataset pipelines raw samples. None of them has random state: which row draw t takes is
arithmetic on t, so the state of a run is one integer, whatever the number of ranks or workers.

What is counted is what all ranks together have *consumed*. A `DataLoader` with workers asks its sampler for indices
long before a loop sees them, so a sampler that reports how far it was asked silently skips what lay in the queue.
That is why `BalancedSampler.state_dict` takes the loop's own count.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch.utils.data import Dataset, IterableDataset, Sampler, get_worker_info

from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import ShardSet, draws
from pipeline.loader.sample import EventSample
from schemas.array import Ints

PLANNED_SPLITS = ("train", "reserve")
"""Splits that hold training events: those a load plan draws from, sorted by id."""


@dataclass(frozen=True, eq=False)
class DrawOrder:
    """An epoch of a plan: which event each draw takes."""

    name: str
    """What fixed the order: the shard set's id and the split, or a plan's hash."""
    events: pa.Array
    """Distinct event ids."""
    event: Ints
    """int64 [N]: row of ``events`` for draw t."""
    use: Ints
    """int64 [N]: how many draws before t take the same event."""

    def __len__(self) -> int:
        return len(self.event)


def order_of(shards: str | ShardSet, split: str = "train", storage: dict[str, str] | None = None) -> DrawOrder:
    """The order in which a shard set was drawn. Raises KeyError for a split it does not have."""
    opened = shards if isinstance(shards, ShardSet) else ShardSet.open(shards, storage)
    opened.index(split)
    ids = opened.manifest(split, ["event_id"]).column("event_id").combine_chunks().dictionary_encode()
    event = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return DrawOrder(f"{opened.shard_set_id}/{split}", ids.dictionary, event, _uses(event))


def order_of_plan(plan: str | LoadPlan, shards: str | ShardSet, storage: dict[str, str] | None = None) -> DrawOrder:
    """The draws of a load plan, in their own order: without its windows and packs, which are for our loader.

    ``shards`` is a set the plan was compiled from, or another with the same training events. Raises ValueError when its
    events are not those the plan's draws are rows of.
    """
    opened = plan if isinstance(plan, LoadPlan) else LoadPlan.open(plan, storage)
    there = shards if isinstance(shards, ShardSet) else ShardSet.open(shards, storage)
    columns = [there.manifest(split, ["event_id"]).column("event_id") for split in PLANNED_SPLITS]
    ids = np.unique(pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()))
    numbers = {chapter.n_events for chapter in opened.header.chapters}
    if numbers != {len(ids)} or len({chapter.catalogue for chapter in opened.header.chapters}) > 1:
        raise ValueError(
            f"plan {opened.plan_hash[:12]}: drawn from {sorted(numbers)} events, {there.shard_set_id} has {len(ids)} "
            "for training; give the set it was compiled from, or compile a plan for this one"
        )
    segments = [opened.segment_arrays(number) for number in range(len(opened.header.segments))]
    draw, event = (np.concatenate([part[name] for part in segments]) for name in ("draw", "event"))
    event = event[np.argsort(draw, kind="stable")].astype(np.int64)
    return DrawOrder(f"plan {opened.plan_hash}", pa.array(ids.astype(str)), event, _uses(event))


class BalancedSampler(Sampler[int]):
    """Indices into a map-style dataset in the order of a plan, for one rank.

    ``keys[i]`` is the event id of row i of the dataset; an event with several rows (its frames, its chunks) gives them
    in turn, draw after draw and epoch after epoch. Rows of events the plan does not draw are never used; a plan that
    draws an event the dataset lacks is refused, for leaving it out would unbalance the rest. Without ``keys`` indices
    are draw numbers, as `EventDataset` takes them.

    Each ``iter()`` is the rest of an epoch, in whole steps of all ranks: the last one reaches into the next epoch,
    where the next ``iter()`` goes on. So ranks never differ in length, and no draw is lost or doubled. An iteration
    broken off begins again. With ``endless`` one ``iter()`` never ends.
    """

    def __init__(
        self,
        order: str | DrawOrder,
        keys: Iterable[str] | None = None,
        *,
        split: str = "train",
        rank: int = 0,
        world: int = 1,
        endless: bool = False,
        storage: dict[str, str] | None = None,
    ) -> None:
        draws(0, 0, rank, world)  # refuses a rank outside the world
        self._order = order if isinstance(order, DrawOrder) else order_of(order, split, storage)
        if not len(self._order):
            raise ValueError(f"{self._order.name}: the plan has no draws")
        self._rows = None if keys is None else _rows_by_event(self._order, pa.array(keys, pa.string()))
        self._per_epoch = np.bincount(self._order.event, minlength=len(self._order.events))
        self._rank, self._world, self._endless = rank, world, endless
        self._position = 0
        self._given = 0
        self._exhausted = False

    def __iter__(self) -> Iterator[int]:
        self._position, self._given, self._exhausted = self._start(), 0, False
        first = self._position + (self._rank - self._position) % self._world
        for step in itertools.count() if self._endless else range(self._steps(self._position)):
            self._given += 1
            yield self._index(first + step * self._world)
        self._exhausted = True

    def __len__(self) -> int:
        """How many indices the next ``iter()`` gives; the same for every rank."""
        if self._endless:
            raise TypeError("an endless sampler has no length; give the loop its number of steps")
        return self._steps(self._start())

    def state_dict(self, consumed: int | None = None) -> dict[str, Any]:
        """Where to go on, to be taken between steps, when all ranks have consumed the same number of samples.

        ``consumed``: how many samples this rank's loop has taken since ``iter()``. Left out, it is the number handed
        out: right under torchdata's StatefulDataLoader, which takes the state along with each batch, and for a
        DataLoader without workers; too far for one with workers, which asks ahead.
        """
        taken = self._given if consumed is None else consumed
        if not 0 <= taken <= self._given:
            raise ValueError(f"consumed {taken}: this sampler handed out {self._given} since its iteration began")
        return {"order": self._order.name, "position": self._position + self._world * taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, with any rank and world. Raises ValueError when the order is another one."""
        if state["order"] != self._order.name:
            raise ValueError(f"the state is of {state['order']}, this sampler draws {self._order.name}")
        self._position, self._given, self._exhausted = int(state["position"]), 0, False

    def _start(self) -> int:
        """Where the next iteration begins: where the last one ended, or where it began if it was broken off."""
        return self._position + self._world * self._given if self._exhausted else self._position

    def _steps(self, position: int) -> int:
        """Steps of all ranks together from ``position`` until its epoch has been drawn."""
        return -(-(len(self._order) - position % len(self._order)) // self._world)

    def _index(self, at: int) -> int:
        epoch, t = divmod(at, len(self._order))
        if self._rows is None:
            return t
        event = int(self._order.event[t])
        use = epoch * int(self._per_epoch[event]) + int(self._order.use[t])
        start, stop = self._rows.starts[event], self._rows.starts[event + 1]
        return int(self._rows.rows[start + use % (stop - start)])


class EventDataset(Dataset[Any]):
    """A split of a shard set as a map-style dataset: item t is draw t, an `EventSample` or what ``transform`` makes.

    Picklable; every worker opens the tars itself.
    """

    def __init__(
        self,
        shards: str,
        split: str = "train",
        *,
        transform: Callable[[EventSample], Any] | None = None,
        storage: dict[str, str] | None = None,
    ) -> None:
        self._shards = ShardSet.open(shards, storage)
        self._split = split
        self._transform = transform
        self._shards.index(split)

    def __len__(self) -> int:
        return self._shards.n_samples(self._split)

    def __getitem__(self, t: int) -> Any:
        sample = self._shards.read(self._split, t)
        return sample if self._transform is None else self._transform(sample)


class EventStream(IterableDataset[dict[str, Any]]):
    """Raw samples (``__key__`` and the bytes of each member) in the order of the plan, for WebDataset pipelines.

    Draws of a rank go round its workers, and a `DataLoader` collects from its workers in turn, so the loop sees them in
    order. ``start`` is the number of samples all ranks have consumed together. torchdata's StatefulDataLoader keeps the
    state of each worker by itself; it asks for the same number of workers again.
    """

    def __init__(
        self,
        shards: str,
        split: str = "train",
        *,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        storage: dict[str, str] | None = None,
    ) -> None:
        draws(0, start, rank, world)
        self._shards = ShardSet.open(shards, storage)
        self._shards.index(split)
        self._split, self._start, self._rank, self._world = split, start, rank, world
        self._taken = 0
        self._resumed = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        own = draws(self._shards.n_samples(self._split), self._start, self._rank, self._world)[number::workers]
        self._taken, self._resumed = self._resumed, 0
        for t in own[self._taken :]:
            self._taken += 1
            key, members = self._shards.read_members(self._split, t)
            yield {"__key__": key, **members}

    def state_dict(self) -> dict[str, Any]:
        """Of this worker: what it has read of its share."""
        return {"order": f"{self._shards.shard_set_id}/{self._split}", "start": self._start, "taken": self._taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there. Raises ValueError when the order is another one."""
        mine = self.state_dict()
        if (state["order"], state["start"]) != (mine["order"], mine["start"]):
            raise ValueError(f"the state is of {state['order']} from {state['start']}, this stream is {mine['order']}")
        self._resumed = int(state["taken"])


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of a dataset by event: ``rows[starts[e] : starts[e + 1]]``."""

    rows: Ints
    starts: Ints


def _rows_by_event(order: DrawOrder, keys: pa.Array) -> _Rows:
    codes = pc.index_in(keys, value_set=order.events).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.argsort(codes, kind="stable")[np.count_nonzero(codes < 0) :]
    counts = np.bincount(codes[rows], minlength=len(order.events))
    missing = np.flatnonzero(counts == 0)
    if missing.size:
        first = order.events[int(missing[0])]
        raise ValueError(
            f"keys: {missing.size} of the {len(order.events)} events of {order.name} have no row, the first is "
            f"{first}; give every row's event id, or publish shards without those events"
        )
    return _Rows(rows, np.concatenate(([0], np.cumsum(counts))))


def _uses(event: Ints) -> Ints:
    """For each draw, how many before it take the same event."""
    by_event = np.argsort(event, kind="stable")
    counts = np.bincount(event)
    use = np.empty_like(event)
    use[by_event] = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts)
    return use
