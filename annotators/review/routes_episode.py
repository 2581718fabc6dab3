"""One document: what is there, what people do to it, and what was done."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.copies import open_for, parted
from annotators.review.log import LogEntry, MarkMode, dump_change, dump_document, dump_entity
from annotators.review.media_registry import MediaState
from annotators.review.operation import Operation, OperationError, value_of
from annotators.review.review import Review
from annotators.review.sheet import blind, dump_sheet
from annotators.review.store import Receipt, Submission

router = APIRouter()
_PLACED = {"move", "split"}
"""Operations that name a frame, and so need one that was proven to be on screen."""


class Deed(BaseModel):
    """What a page sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op_id: str = Field(min_length=8, max_length=64)
    base_rev: int = Field(ge=0)
    operation: Operation | Literal["undo", "redo"]
    media_sha256: str
    frame_verified: bool
    mark_mode: MarkMode = MarkMode.PAUSED


@router.get("/api/episodes/{review_id}")
def episode(review_id: str, review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """The present document with everything beside it."""
    item = open_for(review, review_id, caller)
    if review.media.state(item.episode_id)[0] is not MediaState.READY:
        review.preparer.first(item.episode_id)
    review.activity.seen(review_id, caller.actor, time.time_ns())
    rev, document = review.store.document(review_id)
    state, said = review.media.state(item.episode_id)
    return {
        "review_id": review_id,
        "episode_id": item.episode_id,
        "rev": rev,
        "media_sha256": review.store.media(review_id),
        "media": state,
        "media_said": said,
        "stratum": item.stratum,
        "blind": item.blind and bool(parted(review_id)[1]),
        "document": dump_document(document),
        "sheet": _sheet(review, review_id, as_blind=item.blind and bool(parted(review_id)[1])),
    }


@router.post("/api/episodes/{review_id}/ops")
def submit(review_id: str, deed: Deed, review: ReviewOf, caller: CallerOf) -> JSONResponse:
    """Do something; on disk when this answers."""
    open_for(review, review_id, caller)
    if not isinstance(deed.operation, str) and deed.operation.kind in _PLACED and not deed.frame_verified:
        raise OperationError("the picture on screen was not proven to be the one named; nothing was saved")
    submission = Submission(
        deed.op_id, review_id, deed.base_rev, caller.actor, deed.operation, deed.media_sha256, deed.frame_verified,
        deed.mark_mode,
    )  # fmt: skip
    receipt = review.store.submit(submission)
    review.mirror.catch_up()
    if receipt.status.took_effect:
        return JSONResponse({"status": receipt.status, "rev": receipt.rev, "change": dump_change(receipt.change)})
    return JSONResponse(_conflict(review, review_id, deed.op_id, receipt), 409)


@router.get("/api/episodes/{review_id}/log")
def log(
    review_id: str, review: ReviewOf, caller: CallerOf, after_rev: Annotated[int, Query(ge=-1)] = -1
) -> dict[str, Any]:
    """What was done since a revision, oldest first."""
    open_for(review, review_id, caller)
    entries = [_line(entry) for entry in review.store.log(review_id) if entry.rev > after_rev]
    return {"rev": review.store.document(review_id)[0], "entries": entries}


def _conflict(review: Review, review_id: str, op_id: str, receipt: Receipt) -> dict[str, Any]:
    _, document = review.store.document(review_id)
    return {
        "status": receipt.status,
        "rev": receipt.rev,
        "yours": {key: dump_entity(after) for key, (_, after) in receipt.change.items()},
        "current": {key: dump_entity(value_of(document, key)) for key in receipt.change},
        "by": receipt.by,
        "at_ns": receipt.at_ns,
        "op_id": op_id,
    }


def _line(entry: LogEntry) -> dict[str, Any]:
    return {
        "op_id": entry.op_id,
        "rev": entry.rev,
        "actor": entry.actor,
        "at_ns": entry.at_ns,
        "kind": entry.kind,
        "status": entry.status,
        "mark_mode": entry.mark_mode,
        "change": dump_change(entry.change),
    }


def _sheet(review: Review, review_id: str, *, as_blind: bool) -> dict[str, Any]:
    episode_id = parted(review_id)[0]
    sheet = review.sheets.get(episode_id)
    dumped = dump_sheet(blind(sheet) if as_blind else sheet)
    media = review.media.of_episode(episode_id)
    views = [
        {
            **vars(view),
            "sha256": media[view.name].proxy.sha256 if view.name in media else "",
            "start_ns": media[view.name].proxy.start_ns if view.name in media else 0,
        }
        for view in sheet.views
    ]
    newer = [] if as_blind else review.store.suggestions(review_id)
    suggestions = [{"beside": each.beside, "value": dump_entity(each.value)} for each in newer]
    return {**dumped, "views": views, "suggestions": suggestions}
