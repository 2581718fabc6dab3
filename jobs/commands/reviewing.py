"""Reviews: what people said about events, and its way back into a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors

commands = typer.Typer(no_args_is_help=True, help="What people say about events, and its way back into a run.")

Format = Literal["csv", "cvat", "elan", "fiftyone", "label_studio", "lerobot"]
Folder = Annotated[
    Path | None, typer.Option(file_okay=False, help="Where the reviews are; default: review/ in a local workspace.")
]

Episodes = Annotated[
    list[str] | None, typer.Option("--episodes", help="Beginnings of episode ids, or parts of locators; default: all.")
]


@commands.command()
def serve(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Keep it: pages keep unsent edits under it.")] = 8675,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's needs accounts.")
    ] = "127.0.0.1",
    actor: Annotated[str, typer.Option("--as", help="Who you are, in the log; default: the system's user.")] = "",
    episodes: Episodes = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    folder: Folder = None,
    override: Override = None,
) -> None:
    """Take the episodes of a run under review, and serve the app in which people look at them."""
    from jobs.review_serve import Serving, serve_reviews

    with teaching_errors():
        loaded = load(recipe, override)
        serving = Serving(host, port, actor, tuple(episodes or ()), folder, open_page)
        serve_reviews(loaded.recipe, serving, OUT)


@commands.command()
def verify(recipe: RecipePath, folder: Folder = None, override: Override = None, as_json: AsJson = False) -> None:
    """Check the log of every episode under review: nothing taken out of it, and its replay is what people see."""
    from jobs import show_review
    from jobs.review_folder import review_folder
    from jobs.review_verify import verify_logs

    with teaching_errors():
        report = verify_logs(review_folder(load(recipe, override).recipe, folder))
        show_review.logs(OUT, report, as_json)
    if report.problems:
        raise typer.Exit(1)


@commands.command()
def export(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    folder: Folder = None,
    at_rev: Annotated[
        int | None, typer.Option(min=0, help="As it was after so many entries of the log; default: all of them.")
    ] = None,
    to: Annotated[Format | None, typer.Option(help="Write files of this tool instead, into --out.")] = None,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="With --to: a new or empty folder.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written and done again.")] = False,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Hand what people said back to the pipeline; the next run does the episodes they touched again."""
    from jobs import show_review
    from jobs.review_export import export_revision
    from jobs.review_folder import review_folder
    from jobs.review_formats import write_files
    from pipeline.errors import JoineryError
    from pipeline.store import Workspace

    with teaching_errors():
        loaded = load(recipe, override)
        where = review_folder(loaded.recipe, folder)
        if (to is None) != (out is None):
            raise JoineryError("--to, --out: expected both, or neither for the workspace's own revision")
        if to is not None and out is not None:
            workspace, ledger = opened(loaded)
            show_review.written(OUT, write_files(workspace, ledger, where, to, out), as_json)
            return
        workspace = Workspace.existing(loaded.recipe.workspace.url, loaded.recipe.workspace.storage)
        done = export_revision(workspace, where, at_rev=at_rev, dry_run=dry_run)
        show_review.exported(OUT, done, as_json)


@commands.command("import-file")
def import_file(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    file: Annotated[Path, typer.Argument(help="A file that another tool wrote.")],
    named: Annotated[Format, typer.Option("--from", help="Which tool's.")],
    actor: Annotated[str, typer.Option(help="Whose work it is.")],
    episode: Annotated[
        str | None, typer.Option(help="Which episode, by the beginning of its id; default: the file's name.")
    ] = None,
    folder: Folder = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Take in what somebody did in another tool, as operations of theirs; conflicts stay conflicts."""
    from jobs import show_review
    from jobs.review_folder import review_folder
    from jobs.review_formats import take_in_file

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        where = review_folder(loaded.recipe, folder)
        done = take_in_file(workspace, ledger, where, file, named=named, actor=actor, episode=episode)
        show_review.taken_in(OUT, done, as_json)


@commands.command()
def follow(recipe: RecipePath, folder: Folder = None, override: Override = None, as_json: AsJson = False) -> None:
    """Take the machine's present trees into the episodes under review; what people touched stays."""
    from jobs import show_review
    from jobs.review_folder import review_folder
    from jobs.review_follow import follow as take_in

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        done = take_in(workspace, ledger, review_folder(loaded.recipe, folder))
        show_review.followed(OUT, done, as_json)


@commands.command()
def agreement(recipe: RecipePath, folder: Folder = None, override: Override = None, as_json: AsJson = False) -> None:
    """How well people agree, blind or with the machine's boundaries before them, and how often the machine is wrong."""
    from jobs import show_review
    from jobs.review_agreement import agreement_report
    from jobs.review_folder import review_folder

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        report = agreement_report(workspace, ledger, review_folder(loaded.recipe, folder))
        show_review.agreement(OUT, report, as_json)
