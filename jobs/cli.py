"""The ``joinery`` command: the product, one verb at a time. `joinery --help` lists the verbs.

Commands take the recipe: it names the workspace and decides which results are current. Errors a user can
act on are printed as one line each and end with status 1 (2 for a recipe that is not valid); anything else is a
bug and keeps its traceback. ``--json`` prints one machine-readable document instead of tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from annotators.tree.pick_place import View
from data_cards.registry import bundled_cards
from jobs import show, show_clusters, show_costs
from pipeline.errors import JoineryError
from pipeline.exporters.target import STRIDE, Language, Target
from schemas.cluster import Space
from schemas.event import Level, Outcome, RecoveryKind, ReviewState, Verb
from schemas.recipe_file import LoadedRecipe, RecipeErrors, load_recipe

if TYPE_CHECKING:
    from pipeline.ledger import Ledger
    from pipeline.store import Workspace

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Carve robot and human video at its joints: recordings in, captioned events out as balanced shards.",
)

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe file (YAML).")]
Override = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a recipe key, e.g. run.executor=inline."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]

OUT = Console()
if not OUT.is_terminal:
    OUT.width = 1000  # a file or a pipe has no edge at which names would have to be cut
ERR = Console(stderr=True)


@contextmanager
def _teaching_errors() -> Iterator[None]:
    """Turn errors a user can act on into lines on stderr and an exit status."""
    try:
        yield
    except RecipeErrors as errors:
        for line in errors.problems:
            ERR.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except JoineryError as error:
        ERR.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:  # disk full, store unreachable, no permission: the message says which
        said = f"error: storage or file system: {type(error).__name__}: {error}"
        ERR.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _load(recipe: Path, overrides: list[str] | None) -> LoadedRecipe:
    return load_recipe(recipe, overrides or [], bundled_cards())


def _opened(loaded: LoadedRecipe) -> tuple[Workspace, Ledger]:
    """An existing workspace and its ledger under the recipe, up to date; raises StoreError when there is none yet."""
    from jobs.river import RIVER
    from pipeline.ledger import Ledger
    from pipeline.store import Workspace

    spec = loaded.recipe.workspace
    workspace = Workspace.existing(spec.url, spec.storage)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    return workspace, ledger


@app.command()
def plan(recipe: RecipePath, override: Override = None, as_json: AsJson = False) -> None:
    """Show what a run would do: sources, bytes, and per stage what is cached and what is left."""
    from jobs.plan import make_plan
    from pipeline.store import Workspace

    with _teaching_errors():
        loaded = _load(recipe, override)
        spec = loaded.recipe.workspace
        made = make_plan(Workspace.open(spec.url, spec.storage), loaded.recipe)
        show.plan(OUT, made, loaded.recipe, as_json)
        if not as_json:
            show_clusters.clusters(OUT, made.clusters)


@app.command()
def run(
    recipe: RecipePath,
    override: Override = None,
    as_json: AsJson = False,
    retry_quarantined: Annotated[bool, typer.Option(help="Try quarantined items again.")] = False,
) -> None:
    """Run a recipe. Does what is not done yet; safe to kill and repeat at any time."""
    from jobs.progress import JsonReporter, LineReporter, LiveReporter
    from jobs.run import run_recipe

    with _teaching_errors():
        loaded = _load(recipe, override)
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


@app.command()
def status(recipe: RecipePath, override: Override = None, as_json: AsJson = False) -> None:
    """Show how far every stage is, the last runs, what is in quarantine, how far clusters have drifted, and costs."""
    from jobs.clusters import cluster_states
    from jobs.costs import costs_so_far
    from jobs.plan import stage_states

    with _teaching_errors():
        workspace, ledger = _opened(_load(recipe, override))
        states, clusters = stage_states(ledger), cluster_states(ledger)
        spent = costs_so_far(workspace, ledger)
        show.status(OUT, workspace, states, clusters, spent, as_json=as_json)
        if not as_json:
            show_clusters.clusters(OUT, clusters)
            show_costs.costs(OUT, spent)


@app.command()
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

    with _teaching_errors():
        workspace, ledger = _opened(_load(recipe, override))
        show.traced(OUT, walk(workspace, ledger, subject), as_json)


@app.command()
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

    with _teaching_errors():
        loaded = _load(recipe, override)
        workspace, ledger = _opened(loaded)
        show.reasons(OUT, reasons(workspace, ledger, loaded.recipe, subject), as_json, everything=subject is None)


@app.command()
def duplicates(recipe: RecipePath, override: Override = None, as_json: AsJson = False) -> None:
    """Every recording that is there more than once, under whatever name: what is left out, and what is kept for it."""
    from jobs.duplicates import duplicates as find
    from jobs.show_duplicates import duplicates as shown

    with _teaching_errors():
        _, ledger = _opened(_load(recipe, override))
        shown(OUT, find(ledger), as_json)


@app.command()
def score(  # noqa: PLR0917 - typer reads options from parameters
    recipe: RecipePath,
    truth: Annotated[
        str,
        typer.Option(metavar="FILE|track:NAME", help="What really happens (docs/score.md)."),
    ],
    level: Annotated[
        Level | None, typer.Option(help="Which level of the event tree to score; default action, or the track's own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Score the events of a run against the truth, with baselines beside and intervals for both."""
    from jobs.score import score as score_run
    from jobs.show_scores import scores

    with _teaching_errors():
        loaded = _load(recipe, override)
        workspace, ledger = _opened(loaded)
        scores(OUT, score_run(workspace, ledger, loaded.recipe, truth, level=level, seed=seed), as_json)


@app.command()
def view(
    recipe: RecipePath,
    out: Annotated[Path, typer.Option(dir_okay=False, help="File to write, one JSON line per episode.")],
    named: Annotated[View, typer.Option("--as", help="Pick, place and other; or one stretch per object.")],
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Write the events of a run as benchmarks see them that know only pick and place (docs/segment.md)."""
    from jobs.view import write_view

    with _teaching_errors():
        workspace, ledger = _opened(_load(recipe, override))
        show.viewed(OUT, write_view(workspace, ledger, named, out), as_json)


recover = typer.Typer(no_args_is_help=True, help="Starts near contacts: plan them, and roll them out in a simulator.")
app.add_typer(recover, name="recover")


@recover.command("plan")
def recover_plan(
    recipe: RecipePath,
    out: Annotated[Path, typer.Option(help="Folder for the plan.")],
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Write a collection plan: where to start so that an arm has to recover, from the contact events of a run."""
    from jobs.recover import make_recovery_plan

    with _teaching_errors():
        loaded = _load(recipe, override)
        workspace, ledger = _opened(loaded)
        show.recovery_plan(OUT, make_recovery_plan(workspace, ledger, loaded.recipe, out), out, as_json)


@recover.command("rollout")
def recover_rollout(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A collection plan: its folder or plan.json.")],
    simulator: Annotated[str, typer.Option(help="Name of a registered simulator, e.g. synthetic or robosuite.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings.")],
    as_json: AsJson = False,
) -> None:
    """Roll the starts of a plan out in a simulator: perturb, recover, repeat the demonstration, record."""
    from jobs.rollout import roll_out_plan

    with _teaching_errors():
        lines = show.RolloutLines(OUT, as_json)
        results = roll_out_plan(plan, simulator, out, lines)
        show.rolled_out(OUT, results, out, as_json)


@app.command()
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
    with _teaching_errors():
        workspace, ledger = _opened(_load(recipe, override))
        found(OUT, find(workspace, ledger, query, like=like, spaces=spaces, filters=filters, limit=limit), as_json)


@app.command()
def verify(
    recipe: RecipePath,
    shard_set: Annotated[str | None, typer.Option(help="Id of a shard set; default: the latest.")] = None,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Check every event tree of the workspace, and every byte of a shard set: manifest, plan, shard contract."""
    from jobs.trees import verify_trees
    from pipeline.shards.latest import shard_set_path
    from pipeline.shards.verify import verify as check

    with _teaching_errors():
        loaded = _load(recipe, override)
        workspace, ledger = _opened(loaded)
        report = check(workspace.blobs, shard_set_path(workspace.blobs, shard_set))
        trees = verify_trees(workspace, ledger, loaded.recipe.caption.by)
        show.verified(OUT, report, trees, as_json)
    if report.problems or trees.problems:
        raise typer.Exit(1)


@app.command("compile")
def compile_(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[str, typer.Option(help="Folder for the plan.")],
    recipe: Annotated[Path | None, typer.Option(help="Recipe whose `load` section to use, for a folder.")] = None,
    override: Override = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Draws in all; default: one epoch, or one more.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps in all, instead of draws.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Extend the plan in --out, or go on otherwise.")] = False,
    from_step: Annotated[
        int | None, typer.Option(min=0, help="First step that is otherwise; default: the end.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compile a load plan: which windows of which events every step of a training run reads."""
    from jobs.compile import Extent, compile_load_plan
    from jobs.show_plan import compiled

    with _teaching_errors():
        folder, storage = _shards_of(shards)
        named = Path(shards) if folder != shards else recipe
        spec = _load(named, override).recipe.load if named else None
        extent = Extent(draws, steps, append, from_step)
        made = compile_load_plan(folder, out, spec, extent, overrides=override or [], storage=storage)
        compiled(OUT, made, out, as_json)


@app.command()
def export(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    to: Annotated[Target, typer.Option(help="Whose layout to write.")],
    out: Annotated[Path, typer.Option(help="Folder for the export; must not be there yet, or hold this very export.")],
    split: Annotated[str | None, typer.Option(help="Which split; default train, energon takes all.")] = None,
    language: Annotated[
        Language, typer.Option(help="lerobot: where captions go; columns from LeRobot 0.6 on, subtask_index for 0.4.")
    ] = Language.COLUMNS,
    stride: Annotated[int, typer.Option(min=1, help="vla_foundry: frames from one sample to the next.")] = STRIDE,
    as_json: AsJson = False,
) -> None:
    """Write a shard set as LeRobot v3, Energon or VLA Foundry reads it, and say what could not be carried."""
    from jobs.export import export as write

    with _teaching_errors():
        folder, storage = _shards_of(shards)
        show.exported(OUT, write(folder, storage, to, out, split=split, language=language, stride=stride), as_json)


@app.command()
def audit(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Folder of a load plan.")],
    ledger: Annotated[Path | None, typer.Option(help="Folder the ranks of a run wrote their ledgers to.")] = None,
    shards: Annotated[
        str | None, typer.Option(metavar="RECIPE|SHARDS", help="Its shard set: also audits layout, sources, seconds.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the report as an HTML page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a load plan, and what a run has read of it, is what the sampling plan promised."""
    import dataclasses

    from pipeline.loader.audit import audit as check
    from pipeline.loader.audit_page import audit_lines, audit_page
    from pipeline.loader.plan import LoadPlan
    from pipeline.loader.reader import shard_set_folder

    with _teaching_errors():
        folder, storage = _shards_of(shards) if shards else ("", {})
        report = check(LoadPlan.open(plan, storage), ledger, shard_set_folder(folder, storage) if shards else None)
    if html is not None:
        html.write_text(audit_page(report), encoding="utf-8")
    if as_json:
        show.print_json({**dataclasses.asdict(report), "ok": report.ok})
    else:
        for line in audit_lines(report):
            OUT.print(line, markup=False, highlight=False, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def train(  # noqa: PLR0917 - typer reads options from parameters
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint and log.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all.")] = 200,
    config: Annotated[str, typer.Option(help="Name of a configuration in trainer/configs.py.")] = "tiny",
    overfit: Annotated[str | None, typer.Option(help="Train on one event alone: its id or draw number.")] = None,
    resume: Annotated[bool, typer.Option(help="Continue the checkpoint in --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train the reference WALL-WM on published shards."""
    from trainer.configs import CONFIGS
    from trainer.run import train as fit

    with _teaching_errors():
        if config not in CONFIGS:
            raise JoineryError(f"--config {config}: no such configuration; there are {', '.join(sorted(CONFIGS))}")
        folder, storage = _shards_of(shards)
        lines = show.TrainingLines(OUT, steps, as_json)
        try:
            report = fit(
                folder, CONFIGS[config](), out, steps, overfit=overfit, resume=resume, storage=storage, on_step=lines
            )
        except (FileExistsError, FileNotFoundError, ValueError) as error:
            raise JoineryError(str(error)) from error
        show.trained(OUT, report, as_json)


def _shards_of(named: str) -> tuple[str, dict[str, str]]:
    """The shards folder a recipe's workspace holds, or the folder itself."""
    if not named.endswith((".yaml", ".yml")):
        return named, {}
    spec = _load(Path(named), None).recipe.workspace
    return f"{spec.url}/shards", dict(spec.storage)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
