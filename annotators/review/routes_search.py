"""Events by words and by likeness, of the episodes one may see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from annotators.review.caller import Caller, CallerOf, ReviewOf
from annotators.review.copies import review_id_of, sees_all
from annotators.review.queue_listing import picture_of
from annotators.review.refusal import RefusalError
from annotators.review.review import Question, Review
from annotators.review.store import UnknownEpisodeError
from pipeline.errors import JoineryError

router = APIRouter()
_MORE = 4
"""Asked for this many times as many, since some may not be shown."""


@router.get("/api/search")
def search(  # noqa: PLR0917 - FastAPI reads a query from parameters
    review: ReviewOf,
    caller: CallerOf,
    q: Annotated[str, Query(max_length=400)] = "",
    like: Annotated[str, Query(max_length=64)] = "",
    level: Annotated[str, Query(max_length=16)] = "",
    verb: Annotated[str, Query(max_length=32)] = "",
    source: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> dict[str, Any]:
    """Best first. Nothing of an episode in quarantine, and nothing that would tell a blind rater what to find."""
    if review.search is None:
        raise RefusalError(501, "search", found="no workspace", do="serve the recipe whose run it is")
    if not (q.strip() or like or level or verb or source):
        return {"hits": []}
    try:
        answers = review.search(Question(q, like, level, verb, source, limit * _MORE))
    except JoineryError as error:
        raise RefusalError(422, str(error), do="ask otherwise") from error
    hits: list[dict[str, Any]] = []
    for answer in answers:
        review_id = _shown_as(review, answer.episode_id, caller)
        if review_id is not None and len(hits) < limit:
            thumbnail = picture_of(review, answer.episode_id, answer.frame_start, answer.frame_end)
            hits.append({**asdict(answer), "review_id": review_id, "thumbnail": thumbnail})
    return {"hits": hits}


def _shown_as(review: Review, episode_id: str, caller: Caller) -> str | None:
    """The document a hit leads to; None when it must not be shown."""
    try:
        item = review.agenda.item(episode_id)
    except UnknownEpisodeError:
        return None
    if review.quarantine.holds(episode_id) or not sees_all(review, item, caller):
        return None
    return review_id_of(item, caller.actor)
