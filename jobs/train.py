"""``joinery train``: finds or compiles the load plan, then hands over to the trainer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import torch

from jobs.compile import Extent, compile_load_plan
from jobs.policy import declared
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import ShardSet
from schemas.load_plan import HEADER
from trainer.captions import encode_missing, missing
from trainer.configs import CONFIGS, TrainConfig, load_spec
from trainer.eval.held_out import HELD_OUT, HeldOut, draws_of, held_out
from trainer.inputs import Inputs, Pretrained, inputs_of
from trainer.loop import StepLog
from trainer.parallel import device_of
from trainer.run import RunOptions, TrainReport, found_event, one_event, planned, staged, taken_up, train
from trainer.samples import Samples
from trainer.stages import STAGES, StageName
from trainer.steps import PlanSteps, Steps

PLAN = "plan"
CACHE = "cache"
LEDGER = "ledger"
_PATIENCE_S = 600.0
Lines: TypeAlias = Callable[[int], Callable[[StepLog], None]]
"""What is called with every step, made for a number of steps."""
Said: TypeAlias = Callable[[int, int], None]
"""What is called with every caption encoded: how many are done, of how many."""


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
    samples_every: int = 0
    """Steps between pictures of what the model imagines; 0: none."""
    sample_events: int = 4
    """Held-out events they are of."""
    peak_tflops: float | None = None
    weights: Path | None = None
    """Of Wan's transformer, or a checkpoint of ours."""
    pretrained: Pretrained = field(default_factory=Pretrained)

    def configuration(self) -> TrainConfig:
        """Raises JoineryError for a name there is not."""
        if self.config not in CONFIGS:
            known = ", ".join(sorted(CONFIGS))
            raise JoineryError(f"--config {self.config}: no such configuration; there are {known}")
        return CONFIGS[self.config]()


def train_on(request: TrainRequest, options: RunOptions, lines: Lines) -> TrainReport:
    """Train. Raises JoineryError for what a user can mend."""
    config = request.configuration()
    try:
        taken_up(request.out, resume=options.resume)
        if request.stage is not None:
            config = staged(config, request.stage, started=options.start is not None or options.resume)
        inputs = opened_inputs(request, config)
        steps = steps_of(request, config, inputs)
        options = replace(options, samples=samples_of(request, config, inputs), peak_tflops=request.peak_tflops)
        return train(steps, config, request.out, options, lines(steps.n_steps), request.weights)
    except (FileExistsError, FileNotFoundError, ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error


def stage_of(name: str | None) -> StageName | None:
    """A stage by its name. Raises JoineryError listing them."""
    found = next((stage for stage in STAGES if stage == name), None)
    if name is not None and found is None:
        raise JoineryError(f"--stage {name}: no such stage; there are {', '.join(STAGES)}")
    return found


def steps_of(
    request: TrainRequest, config: TrainConfig, inputs: Inputs | None = None, said: Said = lambda _done, _all: None
) -> Steps:
    """One event, the plan that was named, or one compiled into ``out`` for this configuration and number of steps.

    Captions of theirs that a frozen text encoder has not read yet are encoded here.
    """
    inputs = inputs or Inputs()
    if request.overfit is not None:
        sample, _ = found_event(request.shards, request.overfit, request.storage)
        encode_captions(request, config, inputs, lambda: {sample.caption}, said)
        return one_event(request.shards, request.overfit, config, request.n_steps, request.storage, inputs)
    steps = plan_steps(request, config, inputs)
    encode_captions(request, config, inputs, steps.captions, said)
    return steps


def plan_steps(request: TrainRequest, config: TrainConfig, inputs: Inputs) -> PlanSteps:
    """The steps of the plan that was named, or of one compiled into ``out``."""
    plan = request.plan
    if plan is None:
        plan = str(request.out / PLAN)
        if int(os.environ.get("RANK", "0")) != 0:
            _wait_for(request.out / PLAN / HEADER)
        elif not _is_there(request, config):
            extent = Extent(steps=request.n_steps)
            compile_load_plan(request.shards, plan, load_spec(config), extent, storage=request.storage)
    ledger = request.out / LEDGER
    return planned(request.shards, plan, config, ledger, request.workers, request.storage, inputs)


def opened_inputs(request: TrainRequest, config: TrainConfig) -> Inputs:
    """Codec, text encoder's cache and latents' cache of a run; ``out/cache`` where no other place is named."""
    pretrained = request.pretrained
    if pretrained.cache is None:
        pretrained = replace(pretrained, cache=request.out / CACHE)
    return inputs_of(config, declared(pretrained), _device(config))


def encode_captions(
    request: TrainRequest, config: TrainConfig, inputs: Inputs, captions: Callable[[], set[str]], said: Said
) -> None:
    """Have the captions read by the text encoder: by the first rank, while the others wait."""
    cache, encoder = inputs.stored.captions, request.pretrained.text_encoder
    if cache is None or encoder is None:
        return
    found = captions()
    if int(os.environ.get("RANK", "0")) == 0:
        for done, n_all in encode_missing(cache, found, encoder, _device(config)):
            said(done, n_all)
        return
    deadline, left = time.monotonic() + _PATIENCE_S, -1
    while now := len(missing(cache, found)):
        if now != left:
            deadline, left = time.monotonic() + _PATIENCE_S, now
        elif time.monotonic() > deadline:
            raise JoineryError(
                f"{cache.folder}: no caption encoded by the first rank in {_PATIENCE_S:.0f} s, {now} left"
            )
        time.sleep(1.0)


def _device(config: TrainConfig) -> torch.device:
    return device_of(config.device, int(os.environ.get("LOCAL_RANK", "0")))


def samples_of(request: TrainRequest, config: TrainConfig, inputs: Inputs | None = None) -> Samples | None:
    """The held-out events to imagine; the same ones at every step and in every run on this shard set.

    Captions of theirs that a frozen text encoder has not read yet are encoded here.
    """
    if not request.samples_every:
        return None
    inputs, limit = inputs or Inputs(), request.sample_events
    shards = ShardSet.open(request.shards, request.storage)
    split = next((name for name in HELD_OUT if shards.n_samples(name)), HELD_OUT[0])
    encode_captions(
        request,
        config,
        inputs,
        lambda: {shards.read(split, t).caption for t in draws_of(shards, split, limit)},
        lambda _done, _all: None,
    )
    found = held_out(shards, config, split, limit, inputs)
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
