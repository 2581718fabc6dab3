"""The ledger of costs, summed up: per stage and per run, held against what was expected, with prices if there are any.

What counts as spent is what was committed: a batch whose worker was killed leaves no trace here, so a run that was
killed has cost more than its line says, by at most the batches that were in flight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.rates import NAMES, Amounts, sum_of
from jobs.river import RIVER
from pipeline.blobs import Blobs
from pipeline.sql import in_memory
from pipeline.store import Workspace
from schemas.cost import SERVERS, BatchCost, StageEstimate
from schemas.recipe_run import Prices

S_PER_HOUR = 3600.0
GB = 1e9
MILLION = 1e6


@dataclass(frozen=True)
class Expense:
    """What one stage has taken, in one run or in all of them."""

    stage: str
    items: int
    failed: int
    took: Amounts
    price: float | None
    """None without prices."""
    expected: Amounts | None = None
    """Of one run: what was said before; None where nothing was."""

    @property
    def times_expected(self) -> float | None:
        """Worker time taken over worker time expected."""
        if self.expected is None or self.expected.seconds <= 0:
            return None
        return self.took.seconds / self.expected.seconds


@dataclass(frozen=True)
class RunExpense:
    """What one run has taken."""

    run_id: str
    stages: tuple[Expense, ...]
    """In the order of the river."""

    @property
    def total(self) -> Expense:
        return summed("all", self.stages)


@dataclass(frozen=True)
class Expenses:
    """Everything the ledger has."""

    runs: tuple[RunExpense, ...]
    """In order of time."""
    stages: tuple[Expense, ...]
    """Over all runs."""
    stored_bytes: int | None = None
    """Size of the workspace now, old versions included; None where nobody looked."""
    price_per_month: float | None = None

    @property
    def total(self) -> Expense:
        return summed("all", self.stages)


def expenses(workspace: Workspace, prices: Prices | None) -> Expenses:
    """Sums of every cost that was committed."""
    with in_memory() as sql:
        sql.register("cost_rows", workspace.scan(BatchCost))
        sums = ", ".join(f"sum({name})" for name in NAMES)
        rows = sql.execute(
            f"""SELECT run_id, stage, sum(items)::BIGINT, sum(failed)::BIGINT, {sums}
                FROM cost_rows GROUP BY run_id, stage ORDER BY run_id, stage"""  # noqa: S608 - own words
        ).fetchall()
    said = {(row.run_id, row.stage): amounts_of(row) for row in workspace.rows(StageEstimate)}
    runs: dict[str, list[Expense]] = {}
    for run_id, stage, items, failed, *amounts in rows:
        took = Amounts(*amounts)
        expense = Expense(stage, items, failed, took, price(took, stage, prices), said.get((run_id, stage)))
        runs.setdefault(run_id, []).append(expense)
    by_stage: dict[str, list[Expense]] = {}
    for spent in runs.values():
        for expense in spent:
            by_stage.setdefault(expense.stage, []).append(expense)
    order = _order(by_stage)
    return Expenses(
        tuple(RunExpense(run_id, tuple(sorted(spent, key=lambda e: order[e.stage]))) for run_id, spent in runs.items()),
        tuple(summed(stage, by_stage[stage]) for stage in sorted(by_stage, key=lambda stage: order[stage])),
    )


def _order(stages: Mapping[str, object]) -> dict[str, int]:
    """Stages as the river has them, then what is no stage of it."""
    names = [stage.name for stage in RIVER]
    return {name: i for i, name in enumerate(dict.fromkeys([*names, *sorted(stages)]))}


def summed(name: str, spent: Sequence[Expense]) -> Expense:
    """Several expenses as one."""
    prices = [expense.price for expense in spent if expense.price is not None]
    return Expense(
        name,
        sum(expense.items for expense in spent),
        sum(expense.failed for expense in spent),
        sum_of(expense.took for expense in spent),
        sum(prices) if prices else None,
    )


def price(amounts: Amounts, stage: str, prices: Prices | None) -> float | None:
    """What some work costs. A worker holds one core; the coordinator holds one too, servers hold GPUs alone."""
    if prices is None:
        return None
    held = 0.0 if stage == SERVERS else amounts.seconds
    return (
        held / S_PER_HOUR * prices.cpu_hour
        + amounts.gpu_s / S_PER_HOUR * prices.gpu_hour
        + amounts.prompt_tokens / MILLION * prices.million_tokens_in
        + amounts.completion_tokens / MILLION * prices.million_tokens_out
        + amounts.source_bytes / GB * prices.gb_read
    )


def amounts_of(estimate: StageEstimate) -> Amounts:
    """An estimate's amounts."""
    return Amounts(*(float(getattr(estimate, name)) for name in NAMES))


def size_of(blobs: Blobs) -> int:
    """Bytes of every file of a workspace, those of old versions and killed runs too."""
    if blobs.bucket is not None:
        return sum(entry.size for entry in blobs.bucket.list())
    return sum(blobs.local(path).stat().st_size for path in blobs.list("", unfinished=True))
