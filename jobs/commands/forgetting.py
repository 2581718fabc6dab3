"""Taking an episode out for good, with proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, teaching_errors

commands = typer.Typer()


@commands.command()
def forget(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    episodes: Annotated[
        list[str], typer.Argument(metavar="EPISODE…", help="Ids, locators, or parts of a file's path.")
    ],
    reason: Annotated[str, typer.Option(help="Why; kept on the takedown list, so name nobody.")] = "",
    with_copies: Annotated[
        bool, typer.Option("--with-copies", help="Also every recording that dedup found to be like it.")
    ] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Also the clusters: the next run fits them afresh, with other ids.")
    ] = False,
    at: Annotated[str, typer.Option(help="When it was asked for (UTC, ISO 8601); default: now.")] = "",
    review: Annotated[Path | None, typer.Option(help="The review folder, where it is not in the workspace.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Remove an episode from the workspace and every shard set, keep it out, and prove that nothing is left."""
    from jobs.forget import Wish
    from jobs.forget import forget as take_down
    from jobs.show_forget import forgotten
    from pipeline.store import Workspace

    with teaching_errors():
        spec = load(recipe, override).recipe.workspace
        wish = Wish(tuple(episodes), at, reason, with_copies, refit, review)
        result = take_down(Workspace.existing(spec.url, spec.storage), wish, dry_run=dry_run)
        forgotten(OUT, result, recipe, as_json)
    if not (result.proven or dry_run):
        raise typer.Exit(1)
