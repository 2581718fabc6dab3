"""``joinery run``: list the sources, then let every stage do what it has left, and say how it went.

There is no resume mode: a run always does exactly what is not committed yet. It ends non-zero when more than the
recipe's error budget is in quarantine, this run's and earlier runs' alike.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from clustering.device import settled
from jobs.asking import check_servers, servers_for
from jobs.budget import Budget
from jobs.costs import Costs, costs_so_far
from jobs.forecast import Forecaster
from jobs.inline import InlineExecutor
from jobs.listing import commit_listing_findings, list_sources
from jobs.placement import Placement, placement
from jobs.progress import Reporter, StageProgress
from jobs.river import RIVER
from jobs.telemetry.observed import observed
from jobs.telemetry.watcher import Watchers
from jobs.withheld import Withheld, withheld
from jobs.worker import Batch
from pipeline import align
from pipeline.at_work import Deed, at_work
from pipeline.attempt import Attempt
from pipeline.blobs import in_a_hurry
from pipeline.errors import JoineryError, ServiceError, UnreachableError
from pipeline.ledger import Ledger, StageState
from pipeline.shards import publish
from pipeline.shards.latest import point_at, present_version
from pipeline.stage import Scope, Stage
from pipeline.store import Workspace
from pipeline.tables import LEDGERS, TABLES
from pipeline.work_item import WorkItem
from schemas.cost import BatchCost, StageEstimate
from schemas.episode import Alignment
from schemas.recipe import ExecutorName, Recipe, RunSpec
from schemas.recipe_file import LoadedRecipe
from schemas.run import Run, StageCount
from schemas.shard import ShardSet

COMMIT_EVERY_S = 2.0
"""A commit costs some 30 ms and a few small files; two seconds of work is all a kill can lose."""


class Executor(Protocol):
    """Runs batches somewhere and brings their attempts back in any order."""

    name: str

    def n_workers(self, placement: Placement) -> int:
        """How many batches of such a stage are done at a time; 0 where it cannot be done at all."""

    def execute(self, batches: Iterator[Batch], placement: Placement) -> Iterator[Attempt]:
        """Attempts as they finish."""

    def close(self) -> None:
        """Release what it holds."""


WHOLE = (Scope.CORPUS, Scope.SHARD)
"""Where one failure spoils everything after it: half a shard set must not be published as if it were whole."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    run: Run
    quarantined: int
    episodes: int
    costs: Costs
    """What models were asked, in this run and before."""
    withheld: tuple[Withheld, ...] = ()
    """What `shard.allow` left out of the shard set."""

    @property
    def succeeded(self) -> bool:
        return self.run.outcome == "succeeded"


def make_executor(spec: RunSpec) -> Executor:
    """The executor a recipe asks for; Ray is only imported when it is used."""
    if spec.executor is ExecutorName.INLINE:
        return InlineExecutor()
    from jobs.ray_executor import RayExecutor  # noqa: PLC0415 - importing ray takes seconds

    return RayExecutor(spec.ray_address, spec.workers, spec.patience_s)


def run_recipe(loaded: LoadedRecipe, reporter: Reporter, *, retry_quarantined: bool = False) -> RunResult:
    """Run a recipe to the end. Raises JoineryError when the run as a whole cannot go on."""
    recipe = settled(loaded.recipe)
    for stage in RIVER:
        stage.check(stage.recipe_slice(recipe))
    workspace = Workspace.open(recipe.workspace.url, recipe.workspace.storage)
    run = _new_run(loaded)
    with at_work(workspace.blobs, Deed.RUN), observed(workspace, recipe, run, reporter) as watchers:
        return _run(run, recipe, workspace, watchers, retry_quarantined)


def _run(run: Run, recipe: Recipe, workspace: Workspace, watchers: Watchers, retry_quarantined: bool) -> RunResult:
    over = present_version(workspace.blobs)
    workspace.append(Run, [run])
    counts: list[StageCount] = []
    estimates: list[StageEstimate] = []
    try:
        ledger = _listed(workspace, recipe, run.run_id)
        _check_servers(ledger, recipe)
        with closing(make_executor(recipe.run)) as executor:
            _check_workers(executor, recipe)
            budget = Budget(recipe.run.vlm.max_calls, recipe.run.vlm.max_tokens) if recipe.run.vlm else Budget()
            forecaster = Forecaster(workspace, ledger, recipe)
            session = _Session(workspace, recipe, run.run_id, ledger, executor, watchers, budget, retry_quarantined)
            for stage in RIVER:
                ledger.refresh(stage.name)
                estimates += forecaster.about_to_begin(run.run_id, stage, retry_quarantined)
                counts.append(_run_stage(session, stage))
                state = ledger.state(stage.name)
                if stage.scope in WHOLE and (state.quarantined or state.left or state.waiting):
                    raise JoineryError(f"stage {stage.name} failed, and all that follows needs it; see `joinery why`")
        quarantined, episodes = ledger.quarantined_share()
        outcome, said = _outcome(ledger, quarantined, episodes, recipe.run.error_budget)
        if dropped := _n_dropped(ledger):
            said += f"; cleaning dropped {dropped} of the others"
        run = _finished(run, counts, outcome, said)
        if run.outcome == "succeeded":
            _point_at_present_set(workspace, ledger, over)
        result = RunResult(run, quarantined, episodes, costs_so_far(workspace, ledger), withheld(ledger))
        watchers.ended(run, None)
        _note(workspace, run, [watchers.coordinator_cost()], estimates)
        return result
    except BaseException as error:  # an interrupt too is how a run ended; noted, then raised again
        run = _finished(run, counts, "failed", f"{type(error).__name__}: {error}")
        watchers.ended(run, error)
        _note_failure(workspace, run, error, [watchers.coordinator_cost()], estimates)
        raise


def _note(workspace: Workspace, run: Run, costs: list[BatchCost], estimates: list[StageEstimate]) -> None:
    """How a run ended, after what it cost and what was expected of it."""
    workspace.append(BatchCost, costs)
    workspace.append(StageEstimate, estimates)
    workspace.append(Run, [run])


def _note_failure(
    workspace: Workspace, run: Run, error: BaseException, costs: list[BatchCost], estimates: list[StageEstimate]
) -> None:
    """A store that went away has been waited for already; if it stays away, `why` says that the run never ended."""
    if not isinstance(error, UnreachableError):
        _note(workspace, run, costs, estimates)
        return
    with suppress(UnreachableError):
        _note(replace(workspace, storage=in_a_hurry(workspace.storage)), run, costs, estimates)


@dataclass(frozen=True)
class _Session:
    """What every stage of one run shares."""

    workspace: Workspace
    recipe: Recipe
    run_id: str
    ledger: Ledger
    executor: Executor
    watchers: Watchers
    budget: Budget
    retry_quarantined: bool


def _listed(workspace: Workspace, recipe: Recipe, run_id: str) -> Ledger:
    """List the sources and publish what that showed. Raises JoineryError when there is no episode at all."""
    listing = list_sources(workspace, recipe)
    ledger = Ledger(workspace, recipe, RIVER, listing.version)
    commit_listing_findings(workspace, listing, ledger, run_id)
    if not any(listing.episodes.values()):
        raise JoineryError(f"no episodes: the sources {sorted(listing.episodes)} list none; see `joinery why`")
    return ledger


def _check_servers(ledger: Ledger, recipe: Recipe) -> None:
    """A wrong address or key is told before hours of other work, unless nothing is left to ask."""
    if recipe.run.vlm is None:
        return
    ledger.refresh_all()
    for stage in RIVER:
        state = ledger.state(stage.name)
        if state.left or state.waiting:
            check_servers(recipe, stage)


def _check_workers(executor: Executor, recipe: Recipe) -> None:
    """A stage that nobody can do is told before hours of other work."""
    for stage in RIVER:
        needed = placement(stage, recipe)
        if executor.n_workers(needed) == 0:
            raise JoineryError(
                f"stage {stage.name}: its model is to run on {needed.gpus:g} GPU per process (device: cuda, "
                f"run.gpu_share), and no machine of the {executor.name} executor has that; join a cluster that does "
                "with run.ray_address, or say device: cpu"
            )


def _run_stage(session: _Session, stage: Stage) -> StageCount:
    """Do what one stage has left, committing as attempts come in."""
    ledger, retry = session.ledger, session.retry_quarantined
    state = ledger.state(stage.name)
    quarantined = 0 if retry else state.quarantined
    progress = StageProgress(stage.name, state.total, state.done, quarantined=quarantined, running=True)
    session.watchers.update(progress)
    if n_left := _n_left(state, retry):
        with servers_for(stage, session.recipe, session.workspace, session.run_id) as servers:
            batches = _batches(session, stage, ledger.left(stage.name, retry), n_left)
            _execute(session, stage, (replace(batch, servers=servers) for batch in batches), progress)
    session.workspace.compact([TABLES[record] for record in stage.writes] + list(LEDGERS.values()))
    ledger.refresh(stage.name)
    progress.seconds = time.monotonic() - progress.started
    progress.running = False
    session.watchers.update(progress)
    seconds = round(progress.seconds, 3)
    return StageCount(stage.name, progress.total, progress.cached, progress.done, progress.quarantined, seconds)


def _forget_listings(session: _Session, attempts: list[Attempt]) -> None:
    """Wide stages were told their inputs in files (`pipeline.ledger`); once committed these are of no more use."""
    for attempt in attempts:
        for done in attempt.done:
            session.workspace.blobs.remove_folder(session.ledger.listing_of(done.work_key))


def _execute(session: _Session, stage: Stage, batches: Iterator[Batch], progress: StageProgress) -> None:
    pending: list[Attempt] = []
    last_commit = time.monotonic()

    def commit() -> None:
        session.workspace.commit(pending)
        if stage.scope in (Scope.GROUP, Scope.CORPUS):
            _forget_listings(session, pending)
        pending.clear()

    for attempt in session.executor.execute(batches, placement(stage, session.recipe)):
        pending.append(attempt)
        session.watchers.came(stage.name, attempt)
        try:
            session.budget.spend(attempt.calls)
            if attempt.stopped:
                raise ServiceError(f"stage {stage.name}: {attempt.stopped}")
        except ServiceError:  # what is done is done, and what was spent is told
            commit()
            raise
        if time.monotonic() - last_commit > COMMIT_EVERY_S:
            commit()
            last_commit = time.monotonic()
        progress.done += len(attempt.done)
        progress.quarantined += len(attempt.failures)
        session.watchers.update(progress)
    commit()


def _n_left(state: StageState, retry: bool) -> int:
    return state.left + (state.quarantined if retry else 0)


def _batches(session: _Session, stage: Stage, work: Iterator[WorkItem], n_left: int) -> Iterator[Batch]:
    """Items in batches small enough that every worker gets one."""
    recipe = session.recipe
    needed = placement(stage, recipe)
    per_batch = max(1, min(needed.items, -(-n_left // session.executor.n_workers(needed))))
    while items := tuple(islice(work, per_batch)):
        session.watchers.handed(stage.name, len(items))
        yield Batch(session.workspace, recipe, session.run_id, stage.name, items, gpus=needed.gpus)


def _point_at_present_set(workspace: Workspace, ledger: Ledger, over: str) -> None:
    """Readers find the set of the last run that succeeded, also one that an earlier run had published already."""
    attempts = [attempt for _, attempt in ledger.done_attempts(publish.STAGE.name)]
    for shard_sets in workspace.read(ShardSet, attempts).values():
        for shard_set in shard_sets:
            point_at(workspace.blobs, shard_set.shard_set_id, over)


def _new_run(loaded: LoadedRecipe) -> Run:
    now = datetime.now(UTC)
    return Run(
        run_id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        started_at=now.isoformat(timespec="seconds"),
        finished_at="",
        recipe_digest=loaded.digest,
        recipe_yaml=loaded.text,
        executor=loaded.recipe.run.executor,
        outcome="running",
        message="",
        stages=(),
    )


def _finished(run: Run, counts: list[StageCount], outcome: str, message: str) -> Run:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(run, finished_at=now, outcome=outcome, message=message, stages=tuple(counts))


def _n_dropped(ledger: Ledger) -> int:
    """Episodes of which cleaning kept nothing."""
    return sum(not alignment.kept for alignment in ledger.present(Alignment, align.STAGE.name))


def _outcome(ledger: Ledger, quarantined: int, episodes: int, budget: float) -> tuple[str, str]:
    """Outcome and message of a run that came to its end."""
    if not ledger.done_attempts(publish.STAGE.name):
        return "failed", "nothing was published: no episode came through; see `joinery why`"
    share = quarantined / episodes
    said = f"{quarantined} of {episodes} episodes in quarantine ({share:.1%}), error budget {budget:.1%}"
    return ("over_error_budget" if share > budget else "succeeded"), said
