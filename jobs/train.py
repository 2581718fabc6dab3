"""``joinery train``: finds or compiles the load plan, then hands over to the trainer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from jobs.compile import Extent, compile_load_plan
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from schemas.load_plan import HEADER
from trainer.configs import CONFIGS, TrainConfig, load_spec
from trainer.loop import StepLog
from trainer.run import RunOptions, TrainReport, one_event, planned, staged, taken_up, train
from trainer.stages import STAGES, StageName
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
    stage: StageName | None = None
    """None: the configuration's own."""
    workers: int = 0
    storage: dict[str, str] | None = None


def train_on(request: TrainRequest, options: RunOptions, lines: Lines) -> TrainReport:
    """Train. Raises JoineryError for what a user can mend."""
    if request.config not in CONFIGS:
        known = ", ".join(sorted(CONFIGS))
        raise JoineryError(f"--config {request.config}: no such configuration; there are {known}")
    config = CONFIGS[request.config]()
    try:
        taken_up(request.out, resume=options.resume)
        if request.stage is not None:
            config = staged(config, request.stage, started=options.start is not None or options.resume)
        steps = steps_of(request, config)
        return train(steps, config, request.out, options, lines(steps.n_steps))
    except (FileExistsError, FileNotFoundError, ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error


def stage_of(name: str | None) -> StageName | None:
    """A stage by its name. Raises JoineryError listing them."""
    found = next((stage for stage in STAGES if stage == name), None)
    if name is not None and found is None:
        raise JoineryError(f"--stage {name}: no such stage; there are {', '.join(STAGES)}")
    return found


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
