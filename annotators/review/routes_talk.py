"""What people say about an episode: comments, questions to an adjudicator, and that it must not be seen."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.comments import Flag
from annotators.review.copies import open_for, parted
from annotators.review.role import Role

router = APIRouter()


class Remark(BaseModel):
    """A comment as it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: int = Field(ge=0)
    boundary_id: str = Field(default="", max_length=64)
    text: str = Field(min_length=1, max_length=4000)


class Doubtful(BaseModel):
    """A flag as it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: str = Field(default="", max_length=128, description="A boundary's or label's key; empty for all of it.")
    text: str = Field(default="", max_length=4000)


class Reason(BaseModel):
    """Why an episode must not be seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(default="", max_length=4000)


@router.get("/api/episodes/{review_id}/comments")
def comments(review_id: str, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """All remarks, oldest first."""
    open_for(review, review_id, caller)
    return {"comments": [asdict(comment) for comment in review.comments.of(review_id)]}


@router.post("/api/episodes/{review_id}/comments")
def comment(review_id: str, remark: Remark, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Add a remark; answers with all."""
    open_for(review, review_id, caller)
    review.comments.say(review_id, caller.actor, remark.frame, remark.boundary_id, remark.text)
    return comments(review_id, review, caller)


@router.post("/api/episodes/{review_id}/flag")
def flag(review_id: str, doubtful: Doubtful, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Ask an adjudicator to look."""
    open_for(review, review_id, caller)
    name = f"flag-{uuid.uuid4().hex}"
    review.comments.flag(Flag(name, review_id, caller.actor, time.time_ns(), doubtful.on, doubtful.text))
    return {"flag_id": name}


@router.post("/api/episodes/{review_id}/quarantine")
def quarantine(review_id: str, why: Reason, review: ReviewOf, caller: CallerOf) -> JSONResponse:
    """Out of sight at once: queue, pictures, search, export. Anybody may; the browser forgets what it has cached."""
    open_for(review, review_id, caller)
    episode_id = parted(review_id)[0]
    review.quarantine.put(episode_id, caller.actor, why.reason)
    return JSONResponse({"quarantined": episode_id}, headers={"clear-site-data": '"cache"'})


@router.delete("/api/episodes/{review_id}/quarantine")
def lift(review_id: str, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Back in sight."""
    caller.must_be(Role.ADMIN)
    episode_id = parted(review_id)[0]
    review.quarantine.lift(episode_id, caller.actor)
    return {"lifted": episode_id}
