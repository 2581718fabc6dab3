"""Where people disagree: edits that met others, questions to an adjudicator, and the raters of an episode."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from annotators.review.caller import Caller, CallerOf, ReviewOf
from annotators.review.conflicts import HeldBack, Resolution
from annotators.review.copies import must_be_in_sight, open_for, parted, sees_all
from annotators.review.log import dump_document, dump_entity
from annotators.review.operation import value_of
from annotators.review.refusal import RefusalError
from annotators.review.review import Review
from annotators.review.role import Role
from annotators.review.store import UnknownEpisodeError

router = APIRouter()


class Settled(BaseModel):
    """How a conflict was settled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    how: Resolution


@router.get("/api/conflicts")
def conflicts(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """What waits for a decision, of the documents one may see."""
    held = [_told(review, held) for held in review.conflicts.open() if _may_see(review, held.review_id, caller)]
    flags = [
        {**asdict(flag), "on": flag.entity, "episode_id": parted(flag.review_id)[0]}
        for flag in review.comments.flags()
        if _may_see(review, flag.review_id, caller)
    ]
    return {"conflicts": held, "flags": flags}


@router.post("/api/conflicts/{name}/resolve")
def resolve(name: str, settled: Settled, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Settle a conflict (its op_id) or a flag (its flag_id). What stands is said by an operation of its own."""
    review_id = review.conflicts.about(name)
    open_for(review, review_id, caller)
    own = any(entry.op_id == name and entry.actor == caller.actor for entry in review.store.log(review_id))
    if not own:
        caller.must_be(Role.REVIEWER)
    review.conflicts.resolve(name, settled.how, caller.actor)
    return {"resolved": name, "how": settled.how}


@router.get("/api/adjudication/{episode_id}")
def adjudication(episode_id: str, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """The main document and every rater's, side by side. What is decided are operations on the main document."""
    caller.must_be(Role.ADJUDICATOR)
    item = review.agenda.item(episode_id)
    must_be_in_sight(review, episode_id)
    if not sees_all(review, item, caller):
        raise RefusalError(403, episode_id, found="you rate it yourself", do="finish your own copy first")
    raters = []
    finished = review.leases.finished_by(episode_id)
    for review_id in review.store.copies(episode_id):
        actor = parted(review_id)[1]
        raters.append({"actor": actor, "finished": actor in finished, **_side(review, review_id)})
    return {"episode_id": episode_id, "main": _side(review, episode_id), "raters": raters}


def _side(review: Review, review_id: str) -> dict[str, Any]:
    rev, document = review.store.document(review_id)
    return {"review_id": review_id, "rev": rev, "document": dump_document(document)}


def _may_see(review: Review, review_id: str, caller: Caller) -> bool:
    try:
        open_for(review, review_id, caller)
    except (RefusalError, UnknownEpisodeError):
        return False
    return True


def _told(review: Review, held: HeldBack) -> dict[str, Any]:
    log = review.store.log(held.review_id)
    entry = next(entry for entry in log if entry.op_id == held.op_id)
    rev, document = review.store.document(held.review_id)
    met = review.store.met(entry)
    return {
        "op_id": held.op_id,
        "review_id": held.review_id,
        "episode_id": parted(held.review_id)[0],
        "actor": entry.actor,
        "at_ns": entry.at_ns,
        "kind": entry.kind,
        "rev": rev,
        "by": "" if met is None else met.actor,
        "by_at_ns": 0 if met is None else met.at_ns,
        "yours": {key: dump_entity(after) for key, (_, after) in entry.change.items()},
        "current": {key: dump_entity(value_of(document, key)) for key in entry.change},
    }
