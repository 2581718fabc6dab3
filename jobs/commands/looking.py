"""Looking things up in a workspace: where from, why, how often, and by words."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import show
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors
from schemas.cluster import Space
from schemas.event import Level, Outcome, RecoveryKind, ReviewState, Verb

commands = typer.Typer()


@commands.command()
def trace(
    recipe: RecipePath,
    subject: Annotated[
        str, typer.Argument(help="Episode, event or sample id, shard, cell:V/A, or part of a file path.")
    ],
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Walk source → episode → event → cell → shard from any id, both ways."""
    from jobs.trace import trace as walk

    with teaching_errors():
        workspace, ledger = opened(load(recipe, override))
        show.traced(OUT, walk(workspace, ledger, subject), as_json)


@commands.command()
def why(
    recipe: RecipePath,
    subject: Annotated[
        str | None, typer.Argument(help="Source name, episode id or locator; all when left out.")
    ] = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """List every reason something was dropped, trimmed, doubted or quarantined; without SUBJECT some of each kind."""
    from jobs.why import why as reasons

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        show.reasons(OUT, reasons(workspace, ledger, loaded.recipe, subject), as_json, everything=subject is None)


@commands.command()
def duplicates(recipe: RecipePath, override: Override = None, as_json: AsJson = False) -> None:
    """Every recording that is there more than once, under whatever name: what is left out, and what is kept for it."""
    from jobs.duplicates import duplicates as find
    from jobs.show_duplicates import duplicates as shown

    with teaching_errors():
        _, ledger = opened(load(recipe, override))
        shown(OUT, find(ledger), as_json)


@commands.command()
def search(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    query: Annotated[str, typer.Argument(help="Words, e.g. 're-grasp after slip'.")] = "",
    like: Annotated[str | None, typer.Option(help="An event's id, or its beginning: rank by likeness to it.")] = None,
    by: Annotated[Space | None, typer.Option(help="Compare in this space alone; default: both.")] = None,
    level: Annotated[Level | None, typer.Option(help="Events of this level only.")] = None,
    source: Annotated[str | None, typer.Option(help="Events of this source only.")] = None,
    verb: Annotated[Verb | None, typer.Option(help="Events of this verb only.")] = None,
    recovery: Annotated[RecoveryKind | None, typer.Option(help="Events that recover from this, or are it.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Events that ended so.")] = None,
    review: Annotated[ReviewState | None, typer.Option(help="Events of which people said this.")] = None,
    doubtful: Annotated[bool | None, typer.Option(help="Events with a doubt, or without any.")] = None,
    min_s: Annotated[float | None, typer.Option(help="Seconds an event lasts at least.")] = None,
    max_s: Annotated[float | None, typer.Option(help="Seconds an event lasts at most.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Find events by words, by likeness to an event, and by what is recorded of them."""
    from annotators.search.ranking import Filters
    from jobs.search import search as find
    from jobs.show_search import found

    filters = Filters(level, source, verb, recovery, outcome, review, doubtful, min_s, max_s)
    spaces = tuple(Space) if by is None else (by,)
    with teaching_errors():
        workspace, ledger = opened(load(recipe, override))
        found(OUT, find(workspace, ledger, query, like=like, spaces=spaces, filters=filters, limit=limit), as_json)
