"""The whole report as one value, and that value as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

from jobs.report.balance import Balance, balance
from jobs.report.cluster_map import ClusterMap, cluster_map
from jobs.report.events import Events, events
from jobs.report.funnel import Funnel, funnel
from jobs.report.galleries import Gallery, galleries
from jobs.report.people import People, people
from jobs.report.quality import Quality, quality
from jobs.report.scorecards import Scorecard, scorecards
from jobs.report.spending import Spending, spending
from jobs.report.tables import Tables

FORMAT = 1
REVIEW_URL = "http://127.0.0.1:8675"
"""Where `joinery review serve` listens unless told otherwise."""
WORST = 8
DIGITS = 6
"""Of a number in report.json: sums of floats may differ in their last bits, what is told may not."""


@dataclass(frozen=True)
class Options:
    """What a reader may choose."""

    recipe: str
    """The recipe's name as commands are shown with it; never a path of one machine."""
    review_url: str = REVIEW_URL
    worst: int = WORST


@dataclass(frozen=True)
class Report:
    """Everything there is to say. A part that is None has not been made yet; the page says by which command."""

    format: int
    title: str
    recipe: str
    review_url: str
    funnel: Funnel
    sources: tuple[Scorecard, ...]
    events: Events | None
    cluster_map: ClusterMap | None
    balance: Balance | None
    quality: Quality
    spending: Spending
    galleries: tuple[Gallery, ...]
    people: People


def gather(tables: Tables, options: Options) -> Report:
    """Count everything. The funnel comes first: the others ask what it has found out about each recording."""
    return Report(
        format=FORMAT,
        title=tables.recipe.shard.card.title,
        recipe=options.recipe,
        review_url=options.review_url.rstrip("/"),
        funnel=funnel(tables),
        sources=scorecards(tables),
        events=events(tables),
        cluster_map=cluster_map(tables),
        balance=balance(tables),
        quality=quality(tables),
        spending=spending(tables),
        galleries=galleries(tables, options.worst),
        people=people(tables),
    )


def as_json(report: Report) -> str:
    """``report.json``: keys in the order of the records, numbers to six digits; what is not finite is null."""
    return json.dumps(plain(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Records as dictionaries, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
