"""How the work goes: how fast, and how far people agree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.refusal import RefusalError
from annotators.review.role import Role

router = APIRouter()


@router.get("/api/throughput")
def throughput(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """By person and day; annotators see their own."""
    everybody = caller.role.covers(Role.REVIEWER)
    lines = [line for line in review.activity.throughput() if everybody or line.actor == caller.actor]
    return {"rows": [asdict(line) for line in lines]}


@router.get("/api/agreement")
def agreement(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """As `joinery review agreement` writes it."""
    caller.must_be(Role.REVIEWER)
    if review.agreement is None:
        raise RefusalError(501, "agreement", found="no workspace", do="serve the recipe whose run it is")
    return review.agreement()
