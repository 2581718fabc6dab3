"""What is done with a shard set: plan its reading, export it, audit a run, train on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import show
from jobs.commands.pretrained import Cache, TextFolder, Vae, Weights
from jobs.commands.terminal import OUT, AsJson, Override, load, shards_of, teaching_errors
from pipeline.exporters.target import STRIDE, Language, Target
from pipeline.loader.signed_folder import SIGNED_BY
from pipeline.shards.handed_out import remember_made

commands = typer.Typer()


@commands.command("compile")
def compile_(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[str, typer.Option(help="Folder for the plan.")],
    recipe: Annotated[Path | None, typer.Option(help="Recipe whose `load` section to use, for a folder.")] = None,
    override: Override = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Draws in all; default: one epoch, or one more.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps in all, instead of draws.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Extend the plan in --out, or go on otherwise.")] = False,
    from_step: Annotated[
        int | None, typer.Option(min=0, help="First step that is otherwise; default: the end.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compile a load plan: which windows of which events every step of a training run reads."""
    from jobs.compile import Extent, compile_load_plan
    from jobs.show_plan import compiled

    with teaching_errors():
        folder, storage = shards_of(shards)
        named = Path(shards) if folder != shards else recipe
        spec = load(named, override).recipe.load if named else None
        extent = Extent(draws, steps, append, from_step)
        made = compile_load_plan(folder, out, spec, extent, overrides=override or [], storage=storage)
        remember_made("load plan", out, folder, storage)
        compiled(OUT, made, out, as_json)


@commands.command()
def export(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    to: Annotated[Target, typer.Option(help="Whose layout to write.")],
    out: Annotated[Path, typer.Option(help="Folder for the export; must not be there yet, or hold this very export.")],
    split: Annotated[str | None, typer.Option(help="Which split; default train, energon takes all.")] = None,
    language: Annotated[
        Language, typer.Option(help="lerobot: where captions go; columns from LeRobot 0.6 on, subtask_index for 0.4.")
    ] = Language.COLUMNS,
    stride: Annotated[int, typer.Option(min=1, help="vla_foundry: frames from one sample to the next.")] = STRIDE,
    as_json: AsJson = False,
) -> None:
    """Write a shard set as LeRobot v3, Energon or VLA Foundry reads it, and say what could not be carried."""
    from jobs.export import export as write

    with teaching_errors():
        folder, storage = shards_of(shards)
        made = write(folder, storage, to, out, split=split, language=language, stride=stride)
        remember_made(f"{to} export", str(out), folder, storage)
        show.exported(OUT, made, as_json)


@commands.command()
def sign(
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    key: Annotated[Path, typer.Option(help="Private Ed25519 key (PEM), which only you may read.")],
) -> None:
    """Sign a shard set, so that whoever trains on it can tell that it is yours and unchanged (docs/security.md)."""
    from pipeline.shards.sign import sign as sign_set

    with teaching_errors():
        folder, storage = shards_of(shards)
        made = sign_set(folder, storage, key)
        said = f"{made.shard_set_id}: signed with key {made.key}, {made.path}"
        OUT.print(said, markup=False, highlight=False, soft_wrap=True)


@commands.command()
def audit(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Folder of a load plan.")],
    ledger: Annotated[Path | None, typer.Option(help="Folder the ranks of a run wrote their ledgers to.")] = None,
    shards: Annotated[
        str | None, typer.Option(metavar="RECIPE|SHARDS", help="Its shard set: also audits layout, sources, seconds.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the report as an HTML page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a load plan, and what a run has read of it, is what the sampling plan promised."""
    import dataclasses

    from pipeline.loader.audit import audit as check
    from pipeline.loader.audit_page import audit_lines, audit_page
    from pipeline.loader.plan import LoadPlan
    from pipeline.loader.reader import shard_set_folder

    with teaching_errors():
        folder, storage = shards_of(shards) if shards else ("", {})
        report = check(LoadPlan.open(plan, storage), ledger, shard_set_folder(folder, storage) if shards else None)
    if html is not None:
        html.write_text(audit_page(report), encoding="utf-8")
    if as_json:
        show.print_json({**dataclasses.asdict(report), "ok": report.ok})
    else:
        for line in audit_lines(report):
            OUT.print(line, markup=False, highlight=False, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(1)


@commands.command()
def train(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, log and, without --plan, the load plan.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, where no plan says.")] = 200,
    config: Annotated[str, typer.Option(help="Name of a configuration in trainer/configs.py.")] = "tiny",
    plan: Annotated[str | None, typer.Option(help="A load plan to read; default: compile one into --out.")] = None,
    overfit: Annotated[str | None, typer.Option(help="Train on one event alone: its id or draw number.")] = None,
    weights: Weights = None,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    cache: Cache = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read and decode.")] = 0,
    stage: Annotated[
        str | None,
        typer.Option(help="Which of the stages of trainer/stages.py; default: the configuration's."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="Begin with the weights an earlier stage has left.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Continue the checkpoint in --out.")] = False,
    tensorboard: Annotated[bool, typer.Option(help="Also write TensorBoard events.")] = False,
    samples_every: Annotated[
        int, typer.Option(min=0, help="Steps between pictures of what is imagined of held-out events; 0: none.")
    ] = 0,
    sample_events: Annotated[int, typer.Option(min=1, help="How many held-out events those are of.")] = 4,
    peak_tflops: Annotated[
        float | None, typer.Option(help="What a device could do at best, for MFU; default: by its name.")
    ] = None,
    require_signature: Annotated[
        Path | None,
        typer.Option(help="Public key (PEM): a set that is not signed with it, or was changed, is refused."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the reference WALL-WM on published shards."""
    from jobs.train import TrainRequest, stage_of, train_on
    from trainer.inputs import Pretrained
    from trainer.run import RunOptions

    with teaching_errors():
        folder, storage = shards_of(shards)
        if require_signature is not None:
            storage[SIGNED_BY] = str(require_signature.resolve())
        request = TrainRequest(
            folder,
            out,
            config,
            steps,
            plan=plan,
            overfit=overfit,
            stage=stage_of(stage),
            workers=workers,
            storage=storage,
            samples_every=samples_every,
            sample_events=sample_events,
            peak_tflops=peak_tflops,
            weights=weights,
            pretrained=Pretrained(vae, text_encoder, cache),
        )
        remember_made("training run", str(out), folder, storage)  # first: one that is killed has learnt too
        report = train_on(
            request,
            RunOptions(resume, tensorboard, start=start),
            lambda n_steps: show.TrainingLines(OUT, n_steps, as_json),
        )
        show.trained(OUT, report, as_json)
