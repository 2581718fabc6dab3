"""The data card of a shard set: see it before it is published, and hold it against the files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import show_cards
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, shards_of, teaching_errors

commands = typer.Typer(no_args_is_help=True, help="What people state and what is counted, as a card beside the shards.")


@commands.command("build")
def build(
    recipe: RecipePath,
    out: Annotated[Path, typer.Option(help="Folder for the card: README.md, croissant.json, card.html, facts.json.")],
    shard_set: Annotated[str | None, typer.Option(help="Id of a shard set; default: the latest.")] = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Write the card of a shard set as the recipe has it now; `joinery run` publishes it with the set."""
    from jobs.cards import build_card
    from pipeline.shards.latest import shard_set_path

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, _ = opened(loaded)
        path = shard_set_path(workspace.blobs, shard_set)
        show_cards.built(OUT, build_card(workspace.blobs, path, loaded.recipe.shard.card, out), as_json)


@commands.command("validate")
def validate(
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    as_json: AsJson = False,
) -> None:
    """Count every number of a card again, hold its words against them, and load its Croissant to the last row."""
    from jobs.cards import validate_card

    with teaching_errors():
        folder, storage = shards_of(shards)
        report = validate_card(folder, storage)
        show_cards.validated(OUT, report, as_json)
    if report.problems:
        raise typer.Exit(1)
