"""Who one is: the session, logging in and out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.database import SCHEMA

router = APIRouter()


@router.get("/api/session")
def session(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Whom the server takes one for, and the token that writes need."""
    mode = review.access.mode
    return {"actor": caller.actor, "role": caller.role, "csrf": caller.csrf, "mode": mode, "schema": SCHEMA}
