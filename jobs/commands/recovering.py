"""Recoveries: where to start so that an arm has to recover, and rolling that out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs import show
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors

commands = typer.Typer(no_args_is_help=True, help="Starts near contacts: plan them, and roll them out in a simulator.")


@commands.command("plan")
def recover_plan(
    recipe: RecipePath,
    out: Annotated[Path, typer.Option(help="Folder for the plan.")],
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Write a collection plan: where to start so that an arm has to recover, from the contact events of a run."""
    from jobs.recover import make_recovery_plan

    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        show.recovery_plan(OUT, make_recovery_plan(workspace, ledger, loaded.recipe, out), out, as_json)


@commands.command("rollout")
def recover_rollout(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A collection plan: its folder or plan.json.")],
    simulator: Annotated[str, typer.Option(help="Name of a registered simulator, e.g. synthetic or robosuite.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings.")],
    as_json: AsJson = False,
) -> None:
    """Roll the starts of a plan out in a simulator: perturb, recover, repeat the demonstration, record."""
    from jobs.rollout import roll_out_plan

    with teaching_errors():
        lines = show.RolloutLines(OUT, as_json)
        results = roll_out_plan(plan, simulator, out, lines)
        show.rolled_out(OUT, results, out, as_json)
