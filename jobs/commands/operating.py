"""Keeping a workspace and a machine in order: doctor, gc, backup, restore, upgrade (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, teaching_errors

if TYPE_CHECKING:
    from pipeline.upkeep.backup_place import BackupPlace

commands = typer.Typer()


@commands.command()
def doctor(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="[RECIPE]", help="Also try its workspace, its models and its cluster.")
    ] = None,
    no_ray: Annotated[bool, typer.Option("--no-ray", help="Leave Ray alone, which takes some ten seconds.")] = False,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Try everything a run needs of this machine, its cluster and its storage, and say what to do about the rest."""
    from jobs.doctor.examine import examine
    from jobs.show_doctor import diagnosis

    with teaching_errors():
        spec = load(recipe, override).recipe if recipe is not None else None
        if not diagnosis(OUT, examine(spec, with_ray=not no_ray), as_json):
            raise typer.Exit(1)


@commands.command()
def gc(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="Leave what is younger: 90s, 30m, 1h, 7d; 0s takes all.")
    ] = "1h",
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Also results that this recipe has no use for and no set is made of.")
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option("--also", metavar="RECIPE", help="With --superseded: another recipe whose results stay."),
    ] = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Remove what no longer counts: attempts never committed, old versions of tables, what killed runs left."""
    from clustering.device import settled
    from jobs.gc import Wish, collect
    from jobs.show_upkeep import collected
    from pipeline.store import Workspace
    from pipeline.upkeep.age import seconds

    with teaching_errors():
        own = load(recipe, override).recipe
        others = [load(path, None).recipe for path in also or []] if superseded else []
        in_use = tuple(settled(one) for one in (own, *others)) if superseded else ()
        workspace = Workspace.existing(own.workspace.url, own.workspace.storage)
        result = collect(workspace, Wish(seconds(older_than), in_use), dry_run=dry_run)
        collected(OUT, result, recipe, as_json)


Storage = Annotated[
    list[str] | None,
    typer.Option("--storage", metavar="KEY=VALUE", help="Object-store option of that place, e.g. region=eu-west-1."),
]
ReviewFolder = Annotated[Path | None, typer.Option("--review", help="The review folder, where not in the workspace.")]


@commands.command()
def backup(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where backups are kept: a folder or s3://…")],
    keep: Annotated[int | None, typer.Option(min=1, help="Remove all but so many of this workspace's backups.")] = None,
    review: ReviewFolder = None,
    storage: Storage = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Back up the workspace with its reviews, also while a run is at work; what is kept already is not copied again."""
    from jobs.backup import make_backup
    from jobs.show_upkeep import backed_up
    from pipeline.store import Workspace

    with teaching_errors():
        spec = load(recipe, override).recipe.workspace
        workspace = Workspace.existing(spec.url, spec.storage)
        made = make_backup(workspace, _place(to, storage, spec.storage), review, keep)
        backed_up(OUT, made, to, as_json)


@commands.command()
def restore(  # noqa: PLR0917 - typer reads options from parameters
    url: Annotated[str, typer.Argument(metavar="URL", help="Where backups are kept.")],
    to: Annotated[str | None, typer.Option("--to", metavar="WORKSPACE", help="An empty folder, or s3://…")] = None,
    name: Annotated[str, typer.Option("--backup", metavar="NAME", help="Which one; default: the newest.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only read all of it and compare.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Only list the backups there are.")] = False,
    review: Annotated[Path | None, typer.Option("--review", help="Put the reviews into this folder.")] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty folder, or say whether it is whole."""
    from jobs import show_upkeep
    from jobs.backup import restore_backup
    from pipeline.blobs import Blobs
    from pipeline.errors import JoineryError
    from pipeline.upkeep.restore import check as read_all

    with teaching_errors():
        place = _place(url, storage, {})
        if listed:
            show_upkeep.backups(OUT, place.backups(), as_json)
            return
        if check:
            result = read_all(place, place.backup(name))
        elif to is None:
            raise JoineryError("--to: found nothing, expected the folder to restore into; or say --check or --list")
        else:
            result = restore_backup(place, name, Blobs(_absolute(to), place.blobs.storage), review)
        show_upkeep.restored(OUT, result, to, as_json)
    if result.problems:
        raise typer.Exit(1)


def _place(url: str, options: list[str] | None, of_workspace: Mapping[str, str]) -> BackupPlace:
    """The place of that URL; where nothing is said, an object store is reached as the workspace's is."""
    from pipeline.blobs import Blobs, is_local
    from pipeline.errors import JoineryError
    from pipeline.upkeep.backup_place import BackupPlace

    said = {}
    for option in options or []:
        key, equals, value = option.partition("=")
        if not equals:
            raise JoineryError(f"--storage: found {option!r}, expected KEY=VALUE, such as region=eu-west-1")
        said[key] = value
    return BackupPlace(Blobs(_absolute(url), said or ({} if is_local(url) else dict(of_workspace))))


def _absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).absolute())


@commands.command()
def upgrade(
    recipe: RecipePath,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Carry a workspace that another version of Joinery wrote over to this one, as far as that is true."""
    from jobs.show_upkeep import upgraded
    from jobs.upgrade import upgrade_workspace
    from pipeline.store import Workspace

    with teaching_errors():
        spec = load(recipe, override).recipe.workspace
        result = upgrade_workspace(Workspace(spec.url, spec.storage), dry_run=dry_run)
        upgraded(OUT, result, recipe, as_json)
    if result.impossible:
        raise typer.Exit(1)
