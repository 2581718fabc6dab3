"""Who one is: the session, logging in and out."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from annotators.review.audit import AuditKind
from annotators.review.caller import CallerOf, ReviewOf
from annotators.review.database import SCHEMA
from annotators.review.refusal import RefusalError
from annotators.review.review import Mode
from annotators.review.sessions import cookie_name, set_cookie

router = APIRouter()


class Login(BaseModel):
    """What the login page sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=64)
    password: str = Field(max_length=1024)


@router.get("/api/session")
def session(review: ReviewOf, caller: CallerOf) -> dict[str, Any]:
    """Whom the server takes one for, and the token that writes need."""
    mode = review.access.mode
    behind = [said for said in (review.mirror.problem, review.snapshots.problem) if said]
    return {
        "actor": caller.actor,
        "role": caller.role,
        "csrf": caller.csrf,
        "mode": mode,
        "schema": SCHEMA,
        "warnings": behind,
    }


@router.post("/api/login")
def login(given: Login, request: Request, review: ReviewOf) -> JSONResponse:
    """A session for a name and its password; after five wrong tries one has to wait."""
    if review.access.mode is not Mode.ACCOUNTS:
        raise RefusalError(403, "login", found="no accounts", do="open the address that the server printed")
    now_ns = time.time_ns()
    keys = f"name:{given.name}", f"address:{request.client.host if request.client else ''}"
    wait_ns = review.login_limit.wait_ns(now_ns, *keys)
    if wait_ns:
        wait_s = -(-wait_ns // 1_000_000_000)
        answer = RefusalError(429, "login", found="too many wrong tries", do=f"wait {wait_s} s").response()
        answer.headers["retry-after"] = str(wait_s)
        return answer
    value = review.accounts.log_in(given.name, given.password, now_ns)
    if value is None:
        review.login_limit.failed(now_ns, *keys)
        review.audit.enter(AuditKind.LOGIN_FAILED, given.name, keys[1])
        raise RefusalError(401, "login", found="a wrong name or password", do="try again, or ask an admin")
    review.audit.enter(AuditKind.LOGGED_IN, given.name, keys[1])
    answer = JSONResponse({"actor": given.name})
    set_cookie(request, answer, value)
    return answer


@router.post("/api/logout")
def logout(request: Request, review: ReviewOf, caller: CallerOf) -> JSONResponse:
    """Close the session; what the browser has cached goes too."""
    name = cookie_name(request)
    review.accounts.log_out(request.cookies.get(name, ""))
    answer = JSONResponse({"actor": caller.actor}, headers={"clear-site-data": '"cache"'})
    answer.delete_cookie(name)
    return answer
