"""Making a trained model cheap to ask, and saying what an answer takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.commands.pretrained import Cache, TextFolder, Vae
from jobs.commands.terminal import OUT, AsJson, shards_of, teaching_errors

commands = typer.Typer(
    no_args_is_help=True, help="Distil a model into few steps, quantise it to FP8, time its answers."
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run, or a checkpoint of it.")]


@commands.command("distill")
def compress_distill(  # noqa: PLR0917 - typer reads options from parameters
    run: Run,
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[Path, typer.Option(help="Folder for the student, its log and, without --plan, the load plan.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of the student, where no plan says.")] = 200,
    sample_steps: Annotated[int, typer.Option(min=1, max=4, help="Euler steps the student will be asked in.")] = 2,
    ratio: Annotated[int, typer.Option(min=1, help="Steps of the fake score for each of the student.")] = 5,
    action_weight: Annotated[float, typer.Option(min=0.0, help="Of the plain action loss; 0 leaves it out.")] = 1.0,
    match_weight: Annotated[float, typer.Option(min=0.0, help="Of distribution matching; 0 leaves it out.")] = 1.0,
    plan: Annotated[str | None, typer.Option(help="A load plan to read; default: compile one into --out.")] = None,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    cache: Cache = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read and decode.")] = 0,
    resume: Annotated[bool, typer.Option(help="Continue the checkpoint in --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Teach a copy of a model to answer in one to four steps (DMD2 with the action loss)."""
    from jobs import show
    from jobs.compress import distil
    from jobs.train import TrainRequest
    from pipeline.shards.handed_out import remember_made
    from trainer.compress.distill import DistillConfig
    from trainer.inputs import Pretrained
    from trainer.run import RunOptions

    with teaching_errors():
        folder, storage = shards_of(shards)
        parts = Pretrained(vae, text_encoder, cache)
        request = TrainRequest(folder, out, "", steps, plan=plan, workers=workers, storage=storage, pretrained=parts)
        how = DistillConfig(steps=sample_steps, ratio=ratio, action_weight=action_weight, match_weight=match_weight)
        remember_made("training run", str(out), folder, storage)
        report = distil(run, request, how, RunOptions(resume), lambda n: show.TrainingLines(OUT, n, as_json))
        show.trained(OUT, report, as_json)


@commands.command("fp8")
def compress_fp8(  # noqa: PLR0917 - typer reads options from parameters
    run: Run,
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
    shards: Annotated[
        str | None, typer.Option(metavar="RECIPE|SHARDS", help="Judge it on the validation split of this set.")
    ] = None,
    scheme: Annotated[
        Literal["block128", "mx32"], typer.Option(help="Blocks of 128 × 128, or MX's 1 × 32.")
    ] = "block128",
    leave: Annotated[
        list[str] | None, typer.Option(help="Pattern of layers to leave alone, in place of the usual ones; repeatable.")
    ] = None,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a checkpoint with its matrices in block-scaled FP8, and say what that cost."""
    from jobs import show_compress
    from jobs.compress import JudgedBy, quantise
    from trainer.compress.fp8_config import LEFT_ALONE, Fp8Config
    from trainer.inputs import Pretrained

    with teaching_errors():
        judged = JudgedBy(*shards_of(shards), Pretrained(vae, text_encoder)) if shards else None
        config = Fp8Config(scheme, tuple(leave) if leave else LEFT_ALONE)
        show_compress.quantised(OUT, quantise(run, out, config, judged), as_json)


@commands.command("latency")
def compress_latency(  # noqa: PLR0917 - typer reads options from parameters
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A training run, or a checkpoint of it.")] = None,
    shapes: Annotated[str | None, typer.Option(help="A configuration with random weights in place of a run.")] = None,
    frames: Annotated[int, typer.Option(min=5, help="Of the event: 1 + 4N.")] = 33,
    actions: Annotated[int, typer.Option(min=1, help="Of the event.")] = 32,
    views: Annotated[int, typer.Option(min=1, help="Cameras.")] = 2,
    steps: Annotated[
        list[int] | None, typer.Option(help="Euler steps; repeatable. Default 1, 2, 4, 10, 20, 50.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Answers timed of each kind.")] = 20,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where.")] = "auto",
    vae: Annotated[Path | None, typer.Option(help="Folder of Wan's VAE, to be timed with the rest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Time an answer stage by stage: symmetric and asymmetric, few and many steps, each precision, graphs on CUDA."""
    from jobs import show_compress
    from jobs.compress import LatencyRequest, latencies
    from trainer.compress.latency import STEPS, Event

    with teaching_errors():
        chosen = tuple(steps) if steps else STEPS
        request = LatencyRequest(run, shapes, Event(frames, actions, views), chosen, repeats, device, vae)
        show_compress.latencies(OUT, list(latencies(request)), as_json)
