"""One line of the queue per episode, as one person sees it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from annotators.review.agenda import AgendaItem
from annotators.review.copies import review_id_of
from annotators.review.review import Review


def queue_items(review: Review, items: Sequence[AgendaItem], actor: str, now_ns: int) -> list[dict[str, Any]]:
    """What `/api/queue` shows of these."""
    flagged = {flag.review_id for flag in review.comments.flags()}
    return [_line(review, item, actor, now_ns, flagged) for item in items]


def _line(review: Review, item: AgendaItem, actor: str, now_ns: int, flagged: Set[str]) -> dict[str, Any]:
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
        "n_comments": review.comments.count(review_id),
        "flagged": review_id in flagged,
        "thumbnail": picture_of(review, item.episode_id, 0, row["n_frames"]),
        "media": state,
        "media_said": said,
    }


def picture_of(review: Review, episode_id: str, first: int, last: int) -> str | None:
    """Address of the master view's picture in the middle of a span; None while there are no pictures."""
    sha256 = review.store.media(episode_id)
    return f"/media/{sha256}/frames/{(first + max(first, last - 1)) // 2}.jpg?h=90" if sha256 else None


def _state(item: AgendaItem, actor: str, at_work: Sequence[str], finished: Sequence[str]) -> str:
    if actor in finished or len(finished) >= item.raters:
        return "done"
    if actor in at_work:
        return "mine"
    return "taken" if len({*at_work, *finished}) >= item.raters else "open"
