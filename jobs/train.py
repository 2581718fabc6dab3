"""``joinery train``: finds or compiles the load plan, then hands over to the trainer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from jobs.compile import Extent, compile_load_plan
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import ShardSet
from schemas.load_plan import HEADER
from trainer.configs import CONFIGS, TrainConfig, load_spec
from trainer.eval.held_out import HELD_OUT, HeldOut, held_out
from trainer.loop import StepLog
from trainer.run import RunOptions, TrainReport, one_event, planned, taken_up, train
from trainer.samples import Samples
from trainer.steps import Steps

PLAN = "plan"
LEDGER = "ledger"
_PATIENCE_S = 600.0
Lines: TypeAlias = Callable[[int], Callable[[StepLog], None]]
"""What is called with every step, made for a number of steps."""


@dataclass(frozen=True)
class TrainRequest:
    """What to train on."""

    shards: str
    out: Path
    config: str
    n_steps: int
    plan: str | None = None
    overfit: str | None = None
    workers: int = 0
    storage: dict[str, str] | None = None
    samples_every: int = 0
    """Steps between pictures of what the model imagines; 0: none."""
    sample_events: int = 4
    """Held-out events they are of."""
    peak_tflops: float | None = None


def train_on(request: TrainRequest, options: RunOptions, lines: Lines) -> TrainReport:
    """Train. Raises JoineryError for what a user can mend."""
    if request.config not in CONFIGS:
        known = ", ".join(sorted(CONFIGS))
        raise JoineryError(f"--config {request.config}: no such configuration; there are {known}")
    config = CONFIGS[request.config]()
    try:
        taken_up(request.out, resume=options.resume)
        steps = steps_of(request, config)
        options = replace(options, samples=samples_of(request, config), peak_tflops=request.peak_tflops)
        return train(steps, config, request.out, options, lines(steps.n_steps))
    except (FileExistsError, FileNotFoundError, ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error


def steps_of(request: TrainRequest, config: TrainConfig) -> Steps:
    """One event, the plan that was named, or one compiled into ``out`` for this configuration and number of steps."""
    if request.overfit is not None:
        return one_event(request.shards, request.overfit, config, request.n_steps, request.storage)
    plan = request.plan
    if plan is None:
        plan = str(request.out / PLAN)
        if int(os.environ.get("RANK", "0")) != 0:
            _wait_for(request.out / PLAN / HEADER)
        elif not _is_there(request, config):
            extent = Extent(steps=request.n_steps)
            compile_load_plan(request.shards, plan, load_spec(config), extent, storage=request.storage)
    ledger = request.out / LEDGER
    return planned(request.shards, plan, config, ledger, workers=request.workers, storage=request.storage)


def samples_of(request: TrainRequest, config: TrainConfig) -> Samples | None:
    """The held-out events to imagine; the same ones at every step and in every run on this shard set."""
    if not request.samples_every:
        return None
    shards = ShardSet.open(request.shards, request.storage)
    split = next((name for name in HELD_OUT if shards.n_samples(name)), HELD_OUT[0])
    found = held_out(shards, config, split, request.sample_events)
    return Samples([each for each in found if isinstance(each, HeldOut)], request.samples_every)


def _is_there(request: TrainRequest, config: TrainConfig) -> bool:
    """Whether an earlier call, perhaps killed before its first checkpoint, has compiled this very plan."""
    if not (request.out / PLAN / HEADER).is_file():
        return False
    plan = LoadPlan.open(str(request.out / PLAN))
    return plan.n_steps == request.n_steps and plan.chapter(0).spec == load_spec(config)


def _wait_for(header: Path) -> None:
    """Until the first rank has compiled the plan; its header is written last."""
    deadline = time.monotonic() + _PATIENCE_S
    while not header.is_file():
        if time.monotonic() > deadline:
            raise JoineryError(
                f"{header}: the first rank has not compiled the plan in {_PATIENCE_S:.0f} s; see its output"
            )
        time.sleep(0.1)
