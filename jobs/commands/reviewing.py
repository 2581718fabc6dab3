"""Reviews: what people said about events, and its way back into a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, teaching_errors

commands = typer.Typer(no_args_is_help=True, help="What people say about events, and its way back into a run.")

Folder = Annotated[
    Path | None, typer.Option(file_okay=False, help="Where the reviews are; default: review/ in a local workspace.")
]


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
