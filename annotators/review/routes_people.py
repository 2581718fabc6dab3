"""For admins: who may come in, what is in quarantine, and the audit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.role import Role

router = APIRouter()


@router.get("/api/people")
def people(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Accounts; `joinery review users` makes and closes them."""
    caller.must_be(Role.ADMIN)
    return {
        "people": [asdict(account) for account in review.accounts.every()],
        "quarantine": [asdict(found) for found in review.quarantine.every()],
    }


@router.get("/api/audit")
def audit(review: ReviewOf, caller: CallerOf, limit: Annotated[int, Query(ge=1, le=10_000)] = 200) -> dict[str, Any]:
    """Refusals, looks at pictures of people, quarantines and logins, newest first."""
    caller.must_be(Role.ADMIN)
    return {"lines": [asdict(line) for line in review.audit.lines(limit=limit)]}
