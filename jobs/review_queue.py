"""``joinery review queue``: what there is to review, in which order, and who is at it; readable while it is served."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from annotators.review.agenda import AgendaItem
from annotators.review.agenda_table import AgendaTable
from annotators.review.leases import Leases
from jobs.review_folder import existing_reviews, quarantined

State: TypeAlias = Literal["open", "taken", "done"]


@dataclass(frozen=True)
class QueueLine:
    """One episode, as the queue of the app has it."""

    episode_id: str
    stratum: str
    risk: float
    source: str
    instruction: str
    duration_s: float
    state: State
    raters: int
    """How many people are to review it."""
    at_work: tuple[str, ...]
    finished_by: tuple[str, ...]


def queue(folder: Path, now_ns: int) -> list[QueueLine]:
    """Every episode under review, what to look at first first, without what is in quarantine.

    Raises StoreError where there are no reviews.
    """
    with closing(existing_reviews(folder)) as store:
        hidden = quarantined(store)
        items = [item for item in AgendaTable(store.database).items() if item.episode_id not in hidden]
        leases = Leases(store.database)
        rows = store.database.rows("SELECT episode_id, source, instruction, duration_s FROM sheet")
        sheets = {row["episode_id"]: (row["source"], row["instruction"], row["duration_s"]) for row in rows}
        return [_line(item, sheets[item.episode_id], leases, now_ns) for item in items]


def _line(item: AgendaItem, sheet: tuple[str, str, float], leases: Leases, now_ns: int) -> QueueLine:
    at_work, finished = leases.at_work(item.episode_id, now_ns), leases.finished_by(item.episode_id)
    state: State = "open"
    if len(finished) >= item.raters:
        state = "done"
    elif len({*at_work, *finished}) >= item.raters:
        state = "taken"
    source, instruction, duration_s = sheet
    return QueueLine(
        episode_id=item.episode_id,
        stratum=str(item.stratum),
        risk=item.risk,
        source=source,
        instruction=instruction,
        duration_s=duration_s,
        state=state,
        raters=item.raters,
        at_work=tuple(at_work),
        finished_by=tuple(finished),
    )
