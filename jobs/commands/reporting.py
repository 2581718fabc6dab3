"""Reporting: what a workspace holds, as a page anybody can open."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import show
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors

commands = typer.Typer()


@commands.command()
def report(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    out: Annotated[str | None, typer.Option(help="Folder to write; default: report/ in the workspace.")] = None,
    worst: Annotated[int, typer.Option(min=1, max=50, help="Entries of each gallery of the worst.")] = 8,
    review_url: Annotated[
        str, typer.Option(metavar="URL", help="Where the review app is; events on the page lead there.")
    ] = "http://127.0.0.1:8675",
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Write a report: one self-contained page with figures and tables, and report.json beside it."""
    from jobs.report.report import Options
    from jobs.report.write import write_report

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        written = write_report(workspace, ledger, loaded.recipe, Options(recipe.name, review_url, worst), out)
        if as_json:
            print(written.text, end="")
            return
        OUT.print(f"page  {written.page} ({show.size(written.n_bytes)})", highlight=False, soft_wrap=True)
        OUT.print(f"data  {written.data}", highlight=False, soft_wrap=True)
