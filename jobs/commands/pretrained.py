"""What surrounds a run that starts from Wan: encode its inputs beforehand, hand its video tower back."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.terminal import OUT, AsJson, shards_of, teaching_errors

commands = typer.Typer()

Vae = Annotated[
    Path | None, typer.Option(help="Folder of Wan's VAE in diffusers' layout, or of the pipeline that holds it.")
]
TextFolder = Annotated[
    Path | None,
    typer.Option("--text-encoder", help="Folder with text_encoder/ and tokenizer/, or with the files of both."),
]
Cache = Annotated[
    Path | None, typer.Option(help="Folder for latents and caption features; runs may share one. Default: --out/cache.")
]
Weights = Annotated[
    Path | None,
    typer.Option(help="What a new run starts from: the folder of a Wan transformer or a checkpoint of ours."),
]


class Names(StrEnum):
    """Whose names weights get."""

    DIFFUSERS = "diffusers"
    WAN = "wan"


@commands.command()
def encode(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that will train on it.")],
    config: Annotated[str, typer.Option(help="Name of a configuration in trainer/configs.py.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, where no plan says.")] = 200,
    plan: Annotated[str | None, typer.Option(help="A load plan to read; default: compile one into --out.")] = None,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    cache: Cache = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read and decode.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Encode what a run will read, pictures and captions, before it reads it. The options are those of `train`."""
    from dataclasses import asdict

    from jobs import show
    from jobs.encode import encode as fill
    from jobs.train import TrainRequest
    from trainer.inputs import Pretrained

    def said(what: str) -> Callable[[int, int], None]:
        def line(done: int, n_all: int) -> None:
            if not as_json and (done == n_all or done % max(1, n_all // 10) == 0):
                OUT.print(f"{what} {done}/{n_all}", highlight=False)

        return line

    with teaching_errors():
        folder, storage = shards_of(shards)
        request = TrainRequest(
            folder, out, config, steps, plan=plan, workers=workers, storage=storage,
            pretrained=Pretrained(vae, text_encoder, cache),
        )  # fmt: skip
        report = fill(request, said("captions"), said("steps"))
    if as_json:
        show.print_json({**asdict(report), "cache": str(report.cache)})
    else:
        OUT.print(f"{report.captions} captions and {report.windows} windows are in {report.cache}", highlight=False)


@commands.command()
def export_tower(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Folder of a checkpoint (step-…).")],
    config: Annotated[str, typer.Option(help="The configuration it was trained with.")],
    out: Annotated[Path, typer.Option(help="New folder for config.json and safetensors.")],
    names: Annotated[Names, typer.Option(help="Whose names the weights get.")] = Names.DIFFUSERS,
    averaged: Annotated[bool, typer.Option(help="The moving average of the weights, where there is one.")] = True,
) -> None:
    """Write a checkpoint's video tower as a Wan transformer that diffusers, or Wan's own code, loads."""
    from jobs.encode import export_tower as write

    with teaching_errors():
        left = write(checkpoint, config, out, names.value, averaged=averaged)
    OUT.print(f"{out}: the video tower under {names.value} names", highlight=False)
    if left:
        OUT.print(f"left behind: {len(left)} weights of the cross-view branch, which Wan has not", highlight=False)
