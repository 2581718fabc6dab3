"""What runs have cost, and what they say of themselves: the ledger of costs and the log."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, teaching_errors

commands = typer.Typer()
RunId = Annotated[str | None, typer.Option("--run", metavar="ID", help="Which run; default: the last one.")]


@commands.command()
def costs(recipe: RecipePath, run_id: RunId = None, override: Override = None, as_json: AsJson = False) -> None:
    """Show what a run took, stage by stage, beside what was expected: time, processors, GPUs, bytes, tokens, money."""
    from dataclasses import replace

    from jobs.expenses import GB, expenses, size_of
    from jobs.show_expenses import expenses as shown
    from pipeline.errors import StoreError
    from pipeline.store import Workspace

    with teaching_errors():
        spec = load(recipe, override).recipe
        workspace = Workspace.existing(spec.workspace.url, spec.workspace.storage)
        found = expenses(workspace, spec.run.prices)
        if run_id is not None and run_id not in {run.run_id for run in found.runs}:
            there = ", ".join(run.run_id for run in found.runs[-5:]) or "none"
            raise StoreError(f"--run {run_id}: no cost of such a run is known; the last are {there}")
        stored, prices = size_of(workspace.blobs), spec.run.prices
        month = None if prices is None else stored / GB * prices.gb_month
        shown(OUT, replace(found, stored_bytes=stored, price_per_month=month), prices, run_id, as_json)
