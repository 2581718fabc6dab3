"""How good a trained model is: what it imagines of held-out events, and what its features know of space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import show
from jobs.commands.pretrained import TextFolder, Vae
from jobs.commands.terminal import OUT, AsJson, shards_of, teaching_errors

commands = typer.Typer()


@commands.command("evaluate-video")
def evaluate_video(  # noqa: PLR0917 - typer reads options from parameters
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run, or one checkpoint of it.")],
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default: RUN/video.")] = None,
    split: Annotated[str, typer.Option(help="validation or test; never train.")] = "validation",
    events: Annotated[int | None, typer.Option(min=1, help="Events, spread over the split; default: all.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the sampler.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure what a model imagines of held-out events: pictures, motion, agreement of views, actions."""
    from jobs.evaluate_video import TABLE, VideoEvaluation
    from jobs.evaluate_video import evaluate_video as evaluate
    from trainer.inputs import Pretrained

    with teaching_errors():
        folder, storage = shards_of(shards)
        place = out or run / "video"
        parts = Pretrained(vae, text_encoder)
        results = evaluate(VideoEvaluation(run, folder, place, split, events, steps, seed, storage, parts))
    if as_json:
        show.print_json({key: value for key, value in results.items() if key != "events"})
    else:
        OUT.print((place / TABLE).read_text(encoding="utf-8"), markup=False, highlight=False, soft_wrap=True)
        OUT.print(f"results in {place}", markup=False, highlight=False, soft_wrap=True)


@commands.command("probe-3d")
def probe_3d(  # noqa: PLR0917 - typer reads options from parameters
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run, or one checkpoint of it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default: RUN/probe.")] = None,
    fit: Annotated[int, typer.Option(min=2, help="Clips to fit probes on.")] = 64,
    judge: Annotated[int, typer.Option(min=1, help="Clips to judge them on.")] = 32,
    sigma: Annotated[float, typer.Option(min=0.0, max=1.0, help="Noise the tower sees clips with.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the clips.")] = 0,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure what frozen features know of depth, points and the camera's way, on made-up scenes."""
    from jobs.probe import TABLE, ProbeRequest
    from jobs.probe import probe_3d as measure
    from trainer.inputs import Pretrained

    with teaching_errors():
        place = out or run / "probe"
        parts = Pretrained(vae, text_encoder)
        results = measure(ProbeRequest(run, place, fit=fit, judge=judge, sigma=sigma, seed=seed, pretrained=parts))
    if as_json:
        show.print_json(results)
    else:
        OUT.print((place / TABLE).read_text(encoding="utf-8"), markup=False, highlight=False, soft_wrap=True)
