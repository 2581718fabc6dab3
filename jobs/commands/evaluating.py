"""Closed-loop evaluation: a trained checkpoint in a simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.commands.pretrained import TextFolder, Vae
from jobs.commands.terminal import OUT, AsJson, shards_of, teaching_errors

commands = typer.Typer()


@commands.command()
def evaluate(  # noqa: PLR0917 - typer reads options from parameters
    run: Annotated[str, typer.Argument(metavar="RUN", help="A training run, a checkpoint, or `expert` or `idle`.")],
    shards: Annotated[str, typer.Option(metavar="RECIPE|SHARDS", help="What it was trained on: units and durations.")],
    out: Annotated[Path, typer.Option(help="Folder for results, summary and films; holds no evaluation yet.")],
    simulator: Annotated[str, typer.Option(help="Task: demo, demo:SOURCE or robosuite-lift.")] = "demo",
    episodes: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first scene; the others follow.")] = 0,
    films: Annotated[int, typer.Option(min=0, help="Of how many episodes to make a film.")] = 3,
    planner: Annotated[
        Literal["task", "heads"], typer.Option(help="Who says what is next: the simulator, or the model's own heads.")
    ] = "task",
    vae: Vae = None,
    text_encoder: TextFolder = None,
    as_json: AsJson = False,
) -> None:
    """Let a trained checkpoint act in a simulator, and measure Task Progress."""
    from jobs.evaluate import Baseline, EvaluateRequest
    from jobs.evaluate import evaluate as evaluate_policy
    from jobs.show_evaluation import EpisodeLines, evaluated
    from trainer.inputs import Pretrained

    with teaching_errors():
        folder, storage = shards_of(shards)
        parts = Pretrained(vae, text_encoder)
        policy = Baseline(run) if run in set(Baseline) else Path(run)
        request = EvaluateRequest(policy, folder, simulator, out, episodes, seed, films, storage, parts, planner)
        evaluated(OUT, evaluate_policy(request, EpisodeLines(OUT, as_json)), as_json)
