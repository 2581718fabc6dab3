"""Running a recipe: what it would do, doing it, and how far it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs import show, show_clusters, show_costs, show_expenses
from jobs.commands.terminal import OUT, AsJson, Override, RecipePath, load, opened, teaching_errors

commands = typer.Typer()


@commands.command()
def plan(recipe: RecipePath, override: Override = None, as_json: AsJson = False) -> None:
    """Show what a run would do: sources, bytes, and per stage what is cached and what is left."""
    from jobs.plan import make_plan
    from pipeline.store import Workspace

    with teaching_errors():
        loaded = load(recipe, override)
        spec = loaded.recipe.workspace
        made = make_plan(Workspace.open(spec.url, spec.storage), loaded.recipe)
        show.plan(OUT, made, loaded.recipe, as_json)
        if not as_json:
            show_clusters.clusters(OUT, made.clusters)
            show_expenses.forecast(OUT, made.expected, loaded.recipe.run.prices)


@commands.command()
def run(
    recipe: RecipePath,
    override: Override = None,
    as_json: AsJson = False,
    retry_quarantined: Annotated[bool, typer.Option(help="Try quarantined items again.")] = False,
) -> None:
    """Run a recipe. Does what is not done yet; safe to kill and repeat at any time."""
    from jobs.progress import JsonReporter, LineReporter, LiveReporter
    from jobs.run import run_recipe
    from pipeline.heap import give_back_large_blocks

    give_back_large_blocks()
    with teaching_errors():
        loaded = load(recipe, override)
        if as_json:
            reporter: JsonReporter | LineReporter | LiveReporter = JsonReporter(sys.stdout)
        elif OUT.is_terminal:
            reporter = LiveReporter(OUT)
        else:
            reporter = LineReporter(lambda line: print(line, flush=True))
        result = run_recipe(loaded, reporter, retry_quarantined=retry_quarantined)
        show.run_result(OUT, loaded, result, as_json)
        if not as_json:
            show_costs.run_costs(OUT, result.costs, result.run.run_id)
    if not result.succeeded:
        raise typer.Exit(1)


@commands.command()
def status(
    recipe: RecipePath,
    override: Override = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Follow the run that began last until it ends; its exit status is this one's."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how far every stage is, the last runs, what is in quarantine, how far clusters have drifted, and costs."""
    from jobs.clusters import cluster_states
    from jobs.costs import costs_so_far
    from jobs.expenses import expenses
    from jobs.plan import stage_states

    if watch:
        _watch(recipe, override, as_json)
        return
    with teaching_errors():
        loaded = load(recipe, override)
        workspace, ledger = opened(loaded)
        states, clusters = stage_states(ledger), cluster_states(ledger)
        spent = costs_so_far(workspace, ledger)
        show.status(OUT, workspace, states, clusters, spent, as_json=as_json)
        if not as_json:
            show_clusters.clusters(OUT, clusters)
            show_costs.costs(OUT, spent)
            show_expenses.summary(OUT, expenses(workspace, loaded.recipe.run.prices))


def _watch(recipe: Path, override: list[str] | None, as_json: bool) -> None:
    """Follow a run. Ends with 0 when it succeeded, with 1 when it failed, went over its error budget or died."""
    from jobs.show_watch import watch, watch_json
    from jobs.telemetry.watching import watched
    from pipeline.store import Workspace

    with teaching_errors():
        spec = load(recipe, override).recipe.workspace
        run = watched(Workspace.existing(spec.url, spec.storage))
        seen = watch_json(run) if as_json else watch(OUT, run)
    if seen.outcome != "succeeded":
        raise typer.Exit(1)
