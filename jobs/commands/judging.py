"""Judging what a run made: against the truth, against its own invariants, and as benchmarks see it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from annotators.tree.pick_place import View
from jobs import show
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors
from schemas.event import Level

commands = typer.Typer()


@commands.command()
def score(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    truth: Annotated[
        str,
        typer.Option(metavar="FILE|track:NAME|human", help="What really happens (docs/score.md)."),
    ],
    level: Annotated[
        Level | None, typer.Option(help="Which level of the event tree to score; default action, or the track's own.")
    ] = None,
    stratum: Annotated[
        Literal["audit", "all"], typer.Option(help="With --truth human: the random sample, or all that is finished.")
    ] = "audit",
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="With --truth human: where the reviews are.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Score the events of a run against the truth, with baselines beside and intervals for both."""
    from jobs.human_truth import HUMAN, WITHOUT_PEOPLE
    from jobs.review_folder import review_folder
    from jobs.score import Reviews
    from jobs.score import score as score_run
    from jobs.show_scores import scores

    with teaching_errors():
        by_people = truth == HUMAN
        loaded = load(recipe, [*(override or []), *([WITHOUT_PEOPLE] if by_people else [])])
        workspace, ledger = opened(loaded)
        reviews = Reviews(review_folder(loaded.recipe, folder), stratum == "all") if by_people else None
        report = score_run(workspace, ledger, loaded.recipe, truth, level=level, seed=seed, reviews=reviews)
        scores(OUT, report, as_json)


@commands.command()
def view(
    recipe: RecipePath,
    out: Annotated[Path, typer.Option(dir_okay=False, help="File to write, one JSON line per episode.")],
    named: Annotated[View, typer.Option("--as", help="Pick, place and other; or one stretch per object.")],
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Write the events of a run as benchmarks see them that know only pick and place (docs/segment.md)."""
    from jobs.view import write_view

    with teaching_errors():
        workspace, ledger = opened(load(recipe, override))
        show.viewed(OUT, write_view(workspace, ledger, named, out), as_json)


@commands.command()
def verify(
    recipe: RecipePath,
    shard_set: Annotated[str | None, typer.Option(help="Id of a shard set; default: the latest.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key (PEM) the set must be signed with.")] = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Check every event tree of the workspace, and every byte of a shard set: manifest, plan, shard contract."""
    from jobs.trees import verify_trees
    from pipeline.shards.latest import shard_set_path
    from pipeline.shards.verify import verify as check

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        report = check(workspace.blobs, shard_set_path(workspace.blobs, shard_set), key)
        trees = verify_trees(workspace, ledger, loaded.recipe.caption.by)
        show.verified(OUT, report, trees, as_json)
    if report.problems or trees.problems:
        raise typer.Exit(1)
