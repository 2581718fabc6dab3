"""``joinery train``: shards and a plan in, a trained model out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pipeline.loader.chronicle import Chronicle
from pipeline.loader.find import found_draw
from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample
from pipeline.loader.stats import ActionStats
from trainer import checkpoint
from trainer.configs import TrainConfig, load_spec
from trainer.embodiment import embodiment_of
from trainer.example import shown_whole
from trainer.flops import peak_flops
from trainer.inputs import Inputs
from trainer.journal import LOG, Journal
from trainer.loop import StepLog, Trainer, run
from trainer.model.wam import build, parameter_count
from trainer.parallel import Ranks, joined
from trainer.samples import Samples
from trainer.stages import STAGES, StageName
from trainer.steps import SPLIT, OneEvent, PlanSteps, Steps, with_neighbours
from trainer.weights import start_from


@dataclass(frozen=True)
class TrainReport:
    """What a run came to."""

    parameters: int
    first_step: int
    """0, or where a resumed run took up."""
    steps: int
    tokens: int
    """Seen since then, by all ranks."""
    first: StepLog | None
    last: StepLog | None
    """None when a resumed run had nothing left to do."""
    checkpoint: Path
    log: Path


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out and what it begins with."""

    resume: bool = False
    tensorboard: bool = False
    samples: Samples | None = None
    """Held-out events to imagine every so many steps."""
    peak_tflops: float | None = None
    """What MFU is a share of, per device; None: the table's, or on a CPU what it is measured to do."""
    start: Path | None = None
    """A checkpoint, or the run whose newest it is, whose weights a new run begins with."""


def planned(  # noqa: PLR0917 - shards, plan and configuration, and where and how to read
    shards: str,
    plan: str,
    config: TrainConfig,
    ledger: Path,
    workers: int = 0,
    storage: dict[str, str] | None = None,
    inputs: Inputs | None = None,
) -> PlanSteps:
    """The steps of a plan. Raises ValueError when it counts tokens otherwise than the configuration."""
    opened = LoadPlan.open(plan, storage)
    own = load_spec(config)
    for name in ("max_frames", "frames_per_latent", "tokens_per_latent", "max_views", "max_actions"):
        found = getattr(opened.chapter(0).spec, name)
        if found != getattr(own, name):
            raise ValueError(
                f"{plan}: compiled with load.{name} = {found}, configuration {config.name} wants {getattr(own, name)}; "
                "compile it with `joinery train` itself (leave out --plan) or with that setting"
            )
    return PlanSteps(plan, shards, config, inputs or Inputs(), workers, ledger, storage)


def found_event(shards: str, event: str, storage: dict[str, str] | None) -> tuple[EventSample, ActionStats | None]:
    """An event of the train split, given by id or draw number, and its statistics. Raises ValueError without it."""
    opened = ShardSet.open(shards, storage)
    try:
        sample = opened.read(*found_draw(opened, event, (SPLIT,)))
    except ValueError as error:
        raise ValueError(f"--overfit {event}: {error}") from error
    return sample, opened.stats(sample.statistics_group) if sample.anchor_20() is not None else None


def one_event(  # noqa: PLR0917 - an event, and how it is seen and how often
    shards: str,
    event: str,
    config: TrainConfig,
    steps: int,
    storage: dict[str, str] | None,
    inputs: Inputs | None = None,
) -> Steps:
    """One event of the train split, again and again. Raises ValueError when there is no such event."""
    sample, stats = found_event(shards, event, storage)
    example = (inputs or Inputs()).example(shown_whole(sample, config.data), stats, config)
    if config.model.language is not None:
        example = with_neighbours(example, Chronicle.read(ShardSet.open(shards, storage)), config.model.language.limits)
    embodiment = None if stats is None else embodiment_of(sample, stats, config.data.max_views)
    return OneEvent(example, config.data.token_budget, steps, embodiment)


def taken_up(out: Path, *, resume: bool) -> Path | None:
    """The checkpoint a run goes on from, None for a new run.

    Raises FileExistsError when ``out`` holds a run and ``resume`` is not set, FileNotFoundError for the opposite.
    """
    last = checkpoint.newest(out)
    if last is not None and not resume:
        raise FileExistsError(f"{last}: a run is there already; pass --resume to continue it or choose another --out")
    if resume and last is None:
        raise FileNotFoundError(f"{out}: no checkpoint to resume; leave out --resume to start a run")
    return last


def started_from(run: Path) -> Path:
    """The checkpoint a new run begins with. Raises FileNotFoundError when there is none."""
    found = run if (run / checkpoint.RUN).is_file() else checkpoint.newest(run)
    if found is None:
        raise FileNotFoundError(
            f"--from {run}: no checkpoint there; name the folder an earlier stage was trained into, or a step of it"
        )
    return found


def staged(config: TrainConfig, stage: StageName, *, started: bool) -> TrainConfig:
    """The configuration in another stage. Raises ValueError when that stage cannot begin with nothing."""
    needed = STAGES[stage].after
    if needed and not started:
        raise ValueError(
            f"--stage {stage}: trains on {needed} that it freezes or goes on with, and there is none; "
            "name the run that has trained it with --from RUN"
        )
    return replace(config, stage=stage)


def train(  # noqa: PLR0917 - steps, configuration and weights, and where and how
    steps: Steps,
    config: TrainConfig,
    out: Path,
    options: RunOptions = RunOptions(),
    on_step: Callable[[StepLog], None] = lambda _line: None,
    weights: Path | None = None,
) -> TrainReport:
    """Train through all steps, leaving checkpoint and log in ``out``; every process of ``torchrun`` calls it.

    A new run starts from ``weights`` (`trainer.weights`), or from nothing.

    Raises FileExistsError when ``out`` holds a run and ``resume`` is not set, FileNotFoundError for the opposite,
    ValueError when the checkpoint belongs to another run.
    """

    def made(ranks: Ranks) -> Trainer:
        model = build(config.model, config.seed)
        if weights is not None and not options.resume:
            start_from(model, weights)
        if options.start is not None and not options.resume:
            checkpoint.start_from(started_from(options.start), model)
        return Trainer(config, model, steps, ranks)

    return carried_out(made, config, out, options, on_step)


def carried_out(
    made: Callable[[Ranks], Trainer],
    config: TrainConfig,
    out: Path,
    options: RunOptions = RunOptions(),
    on_step: Callable[[StepLog], None] = lambda _line: None,
) -> TrainReport:
    """Make the trainer, take up its run where it stands, and train to the last step. Raises as `train` does."""
    torch.set_num_threads(config.threads)
    last = taken_up(out, resume=options.resume)
    out.mkdir(parents=True, exist_ok=True)
    with joined(config.device) as ranks:
        if options.samples is not None and config.spread == "shard" and ranks.world > 1:
            raise ValueError(
                "samples: a model that is sharded cannot be looked at piece by piece; leave --samples-every out"
            )
        trainer = made(ranks)
        if last is not None:
            trainer.restore(last)
        first_step, seen = trainer.step, _Seen()
        peak = peak_flops(ranks.device, config.torch_dtype, options.peak_tflops)
        journal = Journal(
            out,
            writes=ranks.is_first,
            tensorboard=options.tensorboard,
            peak_flops=None if peak is None else peak * ranks.world,
        )
        try:
            for line in run(trainer, out, journal):
                seen.take(line)
                if ranks.is_first:
                    on_step(line)
                if options.samples is not None and options.samples.due(line.step, trainer.steps.n_steps):
                    options.samples.show(trainer, out, journal)
        finally:
            journal.close()
    return TrainReport(
        parameters=parameter_count(trainer.model),
        first_step=first_step,
        steps=trainer.steps.n_steps,
        tokens=seen.tokens,
        first=seen.first,
        last=seen.last,
        checkpoint=checkpoint.folder_of(out, trainer.steps.n_steps),
        log=out / LOG,
    )


class _Seen:
    """First and last line, and tokens in all."""

    def __init__(self) -> None:
        self.first: StepLog | None = None
        self.last: StepLog | None = None
        self.tokens = 0

    def take(self, line: StepLog) -> None:
        self.first = self.first or line
        self.last = line
        self.tokens += line.tokens
