"""``joinery train``: shards in, a trained model out."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.loader.reader import ShardSet
from trainer.batch import Example
from trainer.configs import TrainConfig
from trainer.example import example_of
from trainer.loop import CHECKPOINT, LOG, StepLog, Trainer, load, run
from trainer.model.wam import build, parameter_count

SPLIT = "train"
KEPT_EXAMPLES = 512
"""Examples kept in memory between passes; at `tiny` size about 20 MB."""


@dataclass(frozen=True)
class TrainReport:
    """What a run came to."""

    parameters: int
    first_step: int
    """0, or where a resumed run took up."""
    steps: int
    tokens: int
    """Seen by this process."""
    first: StepLog | None
    last: StepLog | None
    """None when a resumed run had nothing left to do."""
    checkpoint: Path
    log: Path


class ShardEvents:
    """The train split in the plan's order, over and over; or one event of it, for ever."""

    def __init__(self, shards: ShardSet, config: TrainConfig, only: int | None = None) -> None:
        if not shards.n_samples(SPLIT):
            raise ValueError(f"the shard set has no samples in the split {SPLIT!r}, found splits {list(shards.splits)}")
        self._shards, self._config, self._only = shards, config, only
        self._kept: OrderedDict[int, Example] = OrderedDict()

    @property
    def identity(self) -> str:
        return f"{self._shards.shard_set_id}/{SPLIT}" + ("" if self._only is None else f"/{self._only}")

    def __getitem__(self, draw: int) -> Example:
        t = self._only if self._only is not None else draw % self._shards.n_samples(SPLIT)
        if t not in self._kept:
            sample = self._shards.read(SPLIT, t)
            stats = self._shards.stats(sample.statistics_group) if sample.anchor_20() is not None else None
            self._kept[t] = example_of(sample, stats, self._config)
            if len(self._kept) > KEPT_EXAMPLES:
                self._kept.popitem(last=False)
        return self._kept[t]


def find_event(shards: ShardSet, event: str) -> int:
    """The draw of an event given by id or by draw number. Raises ValueError when the train split has no such event."""
    n = shards.n_samples(SPLIT)
    if event.isdigit():
        if int(event) < n:
            return int(event)
        raise ValueError(f"--overfit {event}: the split {SPLIT!r} has draws 0 … {n - 1}")
    for t in range(n):
        if shards.read(SPLIT, t).event_id == event:
            return t
    raise ValueError(f"--overfit {event}: no such event among the {n} of the split {SPLIT!r}")


def train(
    shards: str,
    config: TrainConfig,
    out: Path,
    steps: int,
    *,
    overfit: str | None = None,
    resume: bool = False,
    storage: dict[str, str] | None = None,
    on_step: Callable[[StepLog], None] = lambda _line: None,
) -> TrainReport:
    """Train on a published shard set (its folder, or the ``shards`` folder above it) and leave checkpoint and log.

    ``overfit`` is an event id or a draw number of the train split: train on that event alone. ``resume`` continues
    the checkpoint in ``out``. Raises FileExistsError when ``out`` holds a run and ``resume`` is not set,
    FileNotFoundError for the opposite, ValueError when the checkpoint belongs to another run.
    """
    torch.set_num_threads(config.threads)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise FileExistsError(
            f"{checkpoint}: a run is there already; pass --resume to continue it or choose another --out"
        )
    if resume and not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint}: nothing to resume; leave out --resume to start a run")
    opened = ShardSet.open(shards, storage)
    events = ShardEvents(opened, config, None if overfit is None else find_event(opened, overfit))
    out.mkdir(parents=True, exist_ok=True)
    model = build(config.model, config.seed)
    trainer = Trainer(config, model, events, steps)
    if resume:
        trainer.restore(load(checkpoint), checkpoint)
    first_step = trainer.step
    lines: list[StepLog] = []

    def keep(line: StepLog) -> None:
        lines.append(line)
        on_step(line)

    run(trainer, out, keep)
    return TrainReport(
        parameters=parameter_count(model),
        first_step=first_step,
        steps=steps,
        tokens=sum(line.tokens for line in lines),
        first=lines[0] if lines else None,
        last=lines[-1] if lines else None,
        checkpoint=checkpoint,
        log=out / LOG,
    )
