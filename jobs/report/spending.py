"""What it took: seconds of work per stage, and calls and tokens per source and run.

Runs go by number, not by their ids, which are dates: the same workspace is the same report on any day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jobs.costs import Cost, costs_so_far
from jobs.report.tables import Tables
from jobs.river import RIVER
from schemas.run import Run

MOST_RUNS = 20


@dataclass(frozen=True)
class StageTime:
    """One stage; times are added up over all items and workers."""

    stage: str
    n_items: int
    present_ms: int
    """Of what is current under the recipe."""
    all_ms: int
    """Of everything ever committed, replaced results included."""


@dataclass(frozen=True)
class RunLine:
    """One run."""

    name: str
    outcome: str
    executor: str
    done: int
    cached: int
    quarantined: int
    seconds: float


@dataclass(frozen=True)
class Spending:
    """The ledger of time and tokens."""

    stages: tuple[StageTime, ...]
    video_ns: int
    """Kept video: what an hour of it took is the time by this."""
    runs: tuple[RunLine, ...]
    """The last `MOST_RUNS`."""
    n_runs: int
    models_by_source: tuple[Cost, ...]
    models_by_run: tuple[Cost, ...]


def spending(tables: Tables) -> Spending:
    """Everything there is a record of."""
    found = costs_so_far(tables.workspace, tables.ledger)
    runs: dict[str, Run] = {}
    for run in tables.workspace.rows(Run):
        if run.finished_at or run.run_id not in runs:
            runs[run.run_id] = run
    number = {run_id: f"run {i}" for i, run_id in enumerate(sorted(runs), 1)}
    lines = [_line(number[run_id], runs[run_id]) for run_id in sorted(runs)]
    return Spending(
        stages=_stages(tables),
        video_ns=tables.number("SELECT sum(ns) FROM alignment"),
        runs=tuple(lines[-MOST_RUNS:]),
        n_runs=len(lines),
        models_by_source=tuple(_rounded(cost) for cost in found.sources),
        models_by_run=tuple(
            _rounded(replace(cost, name=number.get(cost.name, "a run not listed"))) for cost in found.runs[-MOST_RUNS:]
        ),
    )


def _rounded(cost: Cost) -> Cost:
    """Sums of floats to what they are good for."""
    return replace(cost, seconds=round(cost.seconds, 1), video_hours=round(cost.video_hours, 4))


def _line(name: str, run: Run) -> RunLine:
    return RunLine(
        name,
        run.outcome,
        run.executor,
        sum(stage.done for stage in run.stages),
        sum(stage.cached for stage in run.stages),
        sum(stage.quarantined for stage in run.stages),
        round(sum(stage.seconds for stage in run.stages), 1),
    )


def _stages(tables: Tables) -> tuple[StageTime, ...]:
    of_all = dict(tables.rows("SELECT stage, sum(ms)::BIGINT FROM work GROUP BY stage ORDER BY stage"))
    found = []
    for stage in RIVER:
        done = tables.ledger.done_attempts(stage.name)
        tables.replace_names("current_work", [attempt for _, attempt in done])
        ms = tables.number(
            "SELECT sum(ms) FROM work SEMI JOIN current_work ON name = attempt WHERE stage = ?", [stage.name]
        )
        found.append(StageTime(stage.name, len(done), ms, of_all.get(stage.name, 0)))
    return tuple(found)
