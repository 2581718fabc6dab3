"""Reviews: what people said about events, and its way back into a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from annotators.review.role import Role
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors

if TYPE_CHECKING:
    from annotators.review.agenda import AgendaSpec

commands = typer.Typer(no_args_is_help=True, help="What people say about events, and its way back into a run.")

Format = Literal["csv", "cvat", "elan", "fiftyone", "label_studio", "lerobot"]
Folder = Annotated[
    Path | None, typer.Option(file_okay=False, help="Where the reviews are; default: review/ in a local workspace.")
]

Episodes = Annotated[
    list[str] | None, typer.Option("--episodes", help="Beginnings of episode ids, or parts of locators; default: all.")
]


Seed = Annotated[int | None, typer.Option(min=0, help="Of the audit's sample; with a folder's first import only.")]
Share = Annotated[float | None, typer.Option(min=0, max=1, help="Of the episodes: the random audit; default 0.1.")]


@commands.command()
def serve(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Keep it: pages keep unsent edits under it.")] = 8675,
    host: Annotated[str, typer.Option(help="Where to listen; others than this machine need accounts.")] = "127.0.0.1",
    name: Annotated[list[str] | None, typer.Option(help="A host name by which people reach it.")] = None,
    actor: Annotated[str, typer.Option("--as", help="Who you are, in the log; default: the system's user.")] = "",
    episodes: Episodes = None,
    seed: Seed = None,
    audit_share: Share = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    folder: Folder = None,
    override: Override = None,
) -> None:
    """Take the episodes of a run under review, and serve the app in which people look at them."""
    from jobs.review_serve import Serving, serve_reviews

    with teaching_errors():
        loaded = load(recipe, override)
        named, spec = tuple(each.lower() for each in name or ()), _agenda(seed, audit_share)
        serving = Serving(host, port, actor, tuple(episodes or ()), folder, open_page, named, spec)
        serve_reviews(loaded.recipe, serving, OUT)


@commands.command("import")
def import_(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    episodes: Episodes = None,
    seed: Seed = None,
    audit_share: Share = None,
    folder: Folder = None,
    override: Override = None,
) -> None:
    """Take the episodes of a run under review, without serving them."""
    from jobs.review_serve import import_reviews

    with teaching_errors():
        recipe_ = load(recipe, override).recipe
        taken = import_reviews(recipe_, folder, tuple(episodes or ()), _agenda(seed, audit_share))
        for reason in taken.refused:
            OUT.print(reason, style="yellow", markup=False, highlight=False, soft_wrap=True)
        OUT.print(f"{taken.new} episodes are new under review, {taken.followed} follow a newer run")


@commands.command()
def queue(
    recipe: RecipePath,
    limit: Annotated[int, typer.Option(min=1, help="How many lines to print; --json prints all.")] = 20,
    folder: Folder = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """List what there is to review, the most doubtful first, and who is at it."""
    import time

    from jobs import show_review
    from jobs.review_folder import review_folder
    from jobs.review_queue import queue as listed

    with teaching_errors():
        lines = listed(review_folder(load(recipe, override).recipe, folder), time.time_ns())
        show_review.queue(OUT, lines, limit, as_json)


def _agenda(seed: int | None, audit_share: float | None) -> AgendaSpec | None:
    given = {"seed": seed, "audit_share": audit_share}
    from annotators.review.agenda import AgendaSpec

    chosen = {key: value for key, value in given.items() if value is not None}
    return AgendaSpec.model_validate(chosen) if chosen else None


@commands.command()
def backup(
    recipe: RecipePath,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="File to write; default: a new snapshot.")] = None,
    folder: Folder = None,
    override: Override = None,
) -> None:
    """Copy all that people said into one file, also while it is served."""
    from jobs.review_backup import back_up
    from jobs.review_folder import review_folder

    with teaching_errors():
        OUT.print(f"wrote {back_up(review_folder(load(recipe, override).recipe, folder), out)}", soft_wrap=True)


@commands.command()
def restore(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    snapshot: Annotated[Path | None, typer.Argument(help="A backup or snapshot; default: the latest snapshot.")] = None,
    only_snapshot: Annotated[bool, typer.Option(help="Leave out what was saved after it (it is set aside).")] = False,
    folder: Folder = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Put a snapshot back, and on top of it what the mirror has of later."""
    from jobs import show_review
    from jobs.review_backup import put_back
    from jobs.review_folder import review_folder

    with teaching_errors():
        where = review_folder(load(recipe, override).recipe, folder)
        show_review.restored(OUT, put_back(where, snapshot, replay=not only_snapshot), as_json)


@commands.command("verify-media")
def verify_media(recipe: RecipePath, folder: Folder = None, override: Override = None, as_json: AsJson = False) -> None:
    """Check that the pictures people look at are there and are what their names say."""
    from jobs import show_review
    from jobs.review_backup import verify_media as check
    from jobs.review_folder import review_folder

    with teaching_errors():
        report = check(review_folder(load(recipe, override).recipe, folder))
        show_review.media(OUT, report, as_json)
    if report.problems:
        raise typer.Exit(1)


users = typer.Typer(no_args_is_help=True, help="Who may log in; without any, one person works on this machine.")
commands.add_typer(users, name="users")
PersonName = Annotated[str, typer.Argument(help="Letters, digits, dots, dashes, underscores.")]


@users.command()
def add(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    name: PersonName,
    role: Annotated[Role, typer.Option(help="What they may do (docs/review.md).")] = Role.ANNOTATOR,
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
    folder: Folder = None,
    override: Override = None,
) -> None:
    """Make an account; asks for its password."""
    from jobs.review_accounts import add as make
    from jobs.review_folder import review_folder

    with teaching_errors():
        where = review_folder(load(recipe, override).recipe, folder)
        if password_stdin:
            password = sys.stdin.readline().rstrip("\n")
        else:
            password = typer.prompt("password", hide_input=True, confirmation_prompt=True)
        make(where, name, role, password)
        OUT.print(f"{name} may log in as {role}")


@users.command("list")
def list_(recipe: RecipePath, folder: Folder = None, override: Override = None, as_json: AsJson = False) -> None:
    """Show all accounts."""
    from jobs import show_review
    from jobs.review_accounts import listed
    from jobs.review_folder import review_folder

    with teaching_errors():
        show_review.accounts(OUT, listed(review_folder(load(recipe, override).recipe, folder)), as_json)


@users.command()
def remove(recipe: RecipePath, name: PersonName, folder: Folder = None, override: Override = None) -> None:
    """Close an account and its sessions; what the person said stays."""
    from jobs.review_accounts import remove as close
    from jobs.review_folder import review_folder

    with teaching_errors():
        close(review_folder(load(recipe, override).recipe, folder), name)
        OUT.print(f"{name} is out")


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
    frame_step: Annotated[int, typer.Option(min=1, help="With --to cvat: the task shows every N-th picture.")] = 1,
    start_frame: Annotated[int, typer.Option(min=0, help="With --to cvat: the first picture the task shows.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written and done again.")] = False,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Hand what people said back to the pipeline; the next run does the episodes they touched again."""
    from annotators.review.formats.cvat import ALL, Task
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
        task = Task(start_frame, frame_step)
        if task != ALL and to != "cvat":
            raise JoineryError("--frame-step, --start-frame: only tasks of CVAT have them; add --to cvat")
        if to is not None and out is not None:
            workspace, ledger = opened(loaded)
            files = write_files(workspace, ledger, where, to, out, recipe=loaded.recipe, task=task)
            show_review.written(OUT, files, as_json)
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
