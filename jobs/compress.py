"""``joinery compress``: finds checkpoint, events and plan, then hands over to `trainer.compress`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jobs.policy import declared
from jobs.train import Lines, TrainRequest, opened_inputs, steps_of
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from trainer.codec import codec_of
from trainer.compress.distill import DistillConfig, Distiller
from trainer.compress.fp8_config import Fp8Config
from trainer.compress.fp8_run import Fp8Outcome, compress_fp8, load_model
from trainer.compress.judge import HeldOut, held_out
from trainer.compress.latency import Asked, Event, Latency, measure, ways
from trainer.configs import CONFIGS, TrainConfig
from trainer.inputs import Pretrained, inputs_to_ask
from trainer.model.wam import build
from trainer.parallel import device_of
from trainer.policy_record import checkpoint_folder
from trainer.run import RunOptions, TrainReport, carried_out, taken_up

JUDGED_ON = "validation"


@dataclass(frozen=True)
class LatencyRequest:
    """What is measured, and how often."""

    run: Path | None
    shapes: str | None
    """A configuration's name, for random weights, in place of a run."""
    event: Event
    steps: tuple[int, ...]
    repeats: int
    device: str = "auto"
    vae: Path | None = None
    """Timed with the rest, where the configuration's codec has weights."""


@contextmanager
def _mendable() -> Iterator[None]:
    try:
        yield
    except (FileExistsError, FileNotFoundError, ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error


def distil(teacher: Path, request: TrainRequest, plan: DistillConfig, options: RunOptions, lines: Lines) -> TrainReport:
    """Distil a run's newest checkpoint on the events of a shard set. Raises JoineryError for what a user can mend."""
    with _mendable():
        model, config = load_model(checkpoint_folder(teacher))
        if config.fp8 is not None:
            raise ValueError(f"{teacher}: is in FP8, which cannot be trained; distil first, then quantise")
        taken_up(request.out, resume=options.resume)
        steps = steps_of(request, config, opened_inputs(request, config))
        return carried_out(
            lambda ranks: Distiller(config, plan, model, steps, ranks),
            config,
            request.out,
            options,
            lines(steps.n_steps),
        )


@dataclass(frozen=True)
class JudgedBy:
    """Held-out events of a shard set, and the frozen parts they are read through."""

    shards: str
    storage: dict[str, str] | None = None
    pretrained: Pretrained = field(default_factory=Pretrained)


def quantise(run: Path, out: Path, fp8: Fp8Config, judged: JudgedBy | None = None) -> Fp8Outcome:
    """Write a run's newest checkpoint in FP8, judged on held-out events where a shard set is named."""
    with _mendable():
        folder = checkpoint_folder(run)
        _, config = load_model(folder)
        return compress_fp8(folder, out, fp8, () if judged is None else _held(judged, config))


def _held(judged: JudgedBy, config: TrainConfig) -> list[HeldOut]:
    inputs = inputs_to_ask(config, declared(judged.pretrained), device_of("auto", 0))
    return held_out(ShardSet.open(judged.shards, judged.storage), JUDGED_ON, config, inputs=inputs)


def latencies(request: LatencyRequest) -> Iterator[Latency]:
    """One way of being asked after the other. Raises JoineryError for what a user can mend."""
    with _mendable():
        device = device_of("cuda" if request.device == "cuda" else "cpu" if request.device == "cpu" else "auto", 0)
        if request.shapes is not None:
            if request.shapes not in CONFIGS:
                known = ", ".join(sorted(CONFIGS))
                raise ValueError(f"--shapes {request.shapes}: no such configuration; there are {known}")
            config = CONFIGS[request.shapes]()
            model = build(config.model, config.seed)
        elif request.run is not None:
            model, config = load_model(checkpoint_folder(request.run))
        else:
            raise ValueError("name a run, or a configuration with --shapes")
        asked: list[Asked] = ways(device, request.steps)
        vae = declared(Pretrained(request.vae)).vae
        codec = None if vae is None else codec_of(config.data.codec, vae, device)
        yield from measure(model.to(device).eval(), config, request.event, asked, request.repeats, codec)
