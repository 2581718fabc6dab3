"""What there is to do, and who is at it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from annotators.review.agenda import AgendaItem
from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.copies import open_for, parted, review_id_of
from annotators.review.leases import LEASE_NS
from annotators.review.queue_listing import queue_items

router = APIRouter()


@router.get("/api/queue")
def queue(
    review: ReviewOf,
    caller: CallerOf,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Episodes in the order to look at them."""
    items = review.items()
    shown = queue_items(review, items[offset : offset + limit], caller.actor, time.time_ns())
    return {"items": shown, "total": len(items)}


@router.post("/api/queue/next")
def take_next(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """The first episode that wants this person; it is theirs as long as they keep it open."""
    lease = review.leases.take(review.items(), caller.actor, time.time_ns())
    if lease is None:
        return {"review_id": None}
    review_id = review_id_of(lease.item, caller.actor)
    open_for(review, review_id, caller)
    review.preparer.first(lease.item.episode_id)
    return {"review_id": review_id}


@router.post("/api/episodes/{review_id}/lease")
def lease(review_id: str, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """The heartbeat of an open page."""
    now_ns = time.time_ns()
    key = _lease_key(review_id, open_for(review, review_id, caller))
    review.leases.renew(key, caller.actor, now_ns)
    review.activity.seen(review_id, caller.actor, now_ns)
    rev, _ = review.store.document(review_id)
    return {"at_work": review.leases.at_work(key, now_ns), "rev": rev, "until_ns": now_ns + LEASE_NS}


@router.post("/api/episodes/{review_id}/finish")
def finish(review_id: str, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """This person is done with it; it is not offered to them again."""
    key = _lease_key(review_id, open_for(review, review_id, caller))
    review.leases.renew(key, caller.actor, time.time_ns())
    review.leases.finish(key, caller.actor)
    review.activity.seen(review_id, caller.actor, time.time_ns(), finished=True)
    return {"finished": review_id}


def _lease_key(review_id: str, item: AgendaItem) -> str:
    """Raters are counted by episode; whoever adjudicates its main document is no rater."""
    adjudicates = item.raters > 1 and not parted(review_id)[1]
    return f"{item.episode_id}#adjudication" if adjudicates else item.episode_id
