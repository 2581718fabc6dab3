"""What an item of each stage has taken in a workspace lately, and the figures that come with Joinery.

The newest runs speak for a stage, as far back as `ENOUGH_ITEMS` go: a recipe that asks for larger pictures soon has
rates of its own. Where a workspace has nothing of a stage yet, shipped figures do: what a byte of source has taken in
the demo, measured by ``python -m benchmarks.shipped_rates``. They are right about the order of magnitude and of stages,
not about your machine and videos, and whoever is shown one is told so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from pipeline.sql import in_memory
from pipeline.store import Workspace
from schemas.cost import BatchCost

ENOUGH_ITEMS = 200
"""Of a stage, after which older runs are not asked. Stages of the whole corpus have one item: their last run speaks."""
SHIPPED = Path(__file__).with_name("shipped_rates.json")


@dataclass(frozen=True)
class Amounts:
    """What some work takes, or a part of it, such as one item."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    gpu_s: float = 0.0
    source_bytes: float = 0.0
    stored_bytes: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    def times(self, factor: float) -> Amounts:
        return Amounts(*(getattr(self, field.name) * factor for field in fields(self)))

    def plus(self, other: Amounts) -> Amounts:
        return Amounts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def sum_of(amounts: Iterable[Amounts]) -> Amounts:
    """All of them together."""
    total = Amounts()
    for each in amounts:
        total = total.plus(each)
    return total


NAMES = tuple(field.name for field in fields(Amounts))


@dataclass(frozen=True)
class Measured:
    """Amounts per item, by stage."""

    per_item: Mapping[str, Amounts]
    since: str
    """The oldest run they come from; empty when there is none."""


def measured(workspace: Workspace, wide: frozenset[str]) -> Measured:
    """Rates of a workspace. ``wide``: stages with one item, or a few that are unlike each other."""
    with in_memory() as sql:
        sql.register("cost_rows", workspace.scan(BatchCost))
        sql.execute("CREATE TABLE costs AS SELECT * FROM cost_rows WHERE items > 0")
        enough = " OR ".join(f"stage = '{name}'" for name in sorted(wide)) or "false"
        sums = ", ".join(f"sum({name}) / sum(items)" for name in NAMES)
        rows = sql.execute(
            f"""WITH runs AS (SELECT stage, run_id, sum(items) AS n FROM costs GROUP BY ALL),
                newer AS (SELECT stage, run_id, sum(n) OVER (PARTITION BY stage ORDER BY run_id DESC) - n AS before
                          FROM runs),
                asked AS (SELECT stage, run_id FROM newer
                          WHERE before < CASE WHEN {enough} THEN 1 ELSE {ENOUGH_ITEMS} END)
                SELECT stage, min(run_id), {sums} FROM costs JOIN asked USING (stage, run_id) GROUP BY stage"""  # noqa: S608 - own words
        ).fetchall()
    per_item = {stage: Amounts(*amounts) for stage, _, *amounts in rows}
    return Measured(per_item, min((since for _, since, *_ in rows), default=""))


def shipped() -> dict[str, Amounts]:
    """Amounts for every byte of source, by stage."""
    found = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return {stage: Amounts(**per_gb).times(1e-9) for stage, per_gb in found["per_gb"].items()}
