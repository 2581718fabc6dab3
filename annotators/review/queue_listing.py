"""One line of the queue per episode, as one person sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotators.review.agenda import AgendaItem
from annotators.review.copies import review_id_of
from annotators.review.review import Review


def queue_items(review: Review, items: Sequence[AgendaItem], actor: str, now_ns: int) -> list[dict[str, Any]]:
    """What `/api/queue` shows of these."""
    return [_line(review, item, actor, now_ns) for item in items]


def _line(review: Review, item: AgendaItem, actor: str, now_ns: int) -> dict[str, Any]:
    row = review.database.row(
        "SELECT source, instruction, n_frames, duration_s FROM sheet WHERE episode_id = ?", item.episode_id
    )
    assert row is not None, f"{item.episode_id}: on the agenda without a sheet"
    review_id = review_id_of(item, actor)
    revised = review.database.row("SELECT rev FROM episode WHERE episode_id = ?", review_id)
    at_work, finished = review.leases.at_work(item.episode_id, now_ns), review.leases.finished_by(item.episode_id)
    state, said = review.media.state(item.episode_id)
    return {
        "review_id": review_id,
        "episode_id": item.episode_id,
        "stratum": item.stratum,
        "blind": item.blind,
        "risk": None if item.blind else item.risk,
        **{name: row[name] for name in ("source", "instruction", "n_frames", "duration_s")},
        "raters": item.raters,
        "state": _state(item, actor, at_work, finished),
        "at_work": at_work,
        "rev": 0 if revised is None else revised["rev"],
        "n_comments": 0,
        "flagged": False,
        "media": state,
        "media_said": said,
    }


def _state(item: AgendaItem, actor: str, at_work: Sequence[str], finished: Sequence[str]) -> str:
    if actor in finished or len(finished) >= item.raters:
        return "done"
    if actor in at_work:
        return "mine"
    return "taken" if len({*at_work, *finished}) >= item.raters else "open"
