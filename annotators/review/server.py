"""The review app's server: the routes, what guards them, and how errors are told (docs/review_api.md)."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from annotators.review import (
    routes_app,
    routes_conflicts,
    routes_episode,
    routes_media,
    routes_numbers,
    routes_people,
    routes_queue,
    routes_search,
    routes_session,
    routes_talk,
)
from annotators.review.audit import AuditKind
from annotators.review.caller import Caller
from annotators.review.guard import Guard
from annotators.review.operation import OperationError
from annotators.review.refusal import RefusalError
from annotators.review.review import Review
from annotators.review.sessions import answers_to, session_of
from annotators.review.store import UnknownEpisodeError
from pipeline.errors import JoineryError

ROUTES = (
    routes_session,
    routes_queue,
    routes_episode,
    routes_talk,
    routes_conflicts,
    routes_search,
    routes_numbers,
    routes_people,
    routes_media,
    routes_app,
)

_WRITTEN_DOWN = {401, 403, 410}


def create_app(review: Review, page: Path = routes_app.PAGE) -> FastAPI:
    """The app over an open review; whoever made the review closes it."""
    app = FastAPI(title="Joinery review", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.review = review
    for routes in ROUTES:
        app.include_router(routes.router)
    app.add_middleware(
        Guard,
        hosts=lambda name: answers_to(review.access, name),
        page=page.read_text(encoding="utf-8"),
        session_of=lambda request: session_of(review, request),
        refused=lambda request, refusal: _write_down(review, request, refusal),
    )
    for kind, told in _TOLD.items():
        app.add_exception_handler(kind, _answering(told))
    return app


def _write_down(review: Review, request: Request, refusal: RefusalError) -> None:
    """A full disk keeps nobody out, and must not turn a refusal into an error."""
    caller: Caller | None = request.scope.get("caller")
    path = f"{request.method} {request.url.path}"
    try:
        review.audit.enter(
            AuditKind.REFUSED, "" if caller is None else caller.actor, path, f"{refusal.status} {refusal}"
        )
    except sqlite3.OperationalError:
        return


def _refusal(error: Exception) -> RefusalError:
    assert isinstance(error, RefusalError)
    return error


def _makes_no_sense(error: Exception) -> RefusalError:
    return RefusalError(422, str(error), do="look at the present document; nothing was changed")


def _unknown(error: Exception) -> RefusalError:
    return RefusalError(404, str(error.args[0]))


def _invalid(error: Exception) -> RefusalError:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return RefusalError(422, where, found=repr(first.get("input"))[:200], expected=first["msg"])


def _http(error: Exception) -> RefusalError:
    assert isinstance(error, HTTPException)
    return RefusalError(error.status_code, str(error.detail))


def _storage(error: Exception) -> RefusalError:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if full or code == sqlite3.SQLITE_FULL:
        return RefusalError(507, "the disk is full", do="free some space; the page sends again by itself")
    if code == sqlite3.SQLITE_IOERR or isinstance(error, OSError):
        return RefusalError(507, f"the disk does not take it ({error})", do="look at the disk; nothing was saved")
    raise error


def _damaged(error: Exception) -> RefusalError:
    return RefusalError(500, str(error), do="`joinery review verify-media` looks at all pictures")


_TOLD: Mapping[type[Exception], Callable[[Exception], RefusalError]] = {
    RefusalError: _refusal,
    OperationError: _makes_no_sense,
    RequestValidationError: _invalid,
    HTTPException: _http,
    UnknownEpisodeError: _unknown,
    sqlite3.OperationalError: _storage,
    OSError: _storage,
    JoineryError: _damaged,
}


def _answering(told: Callable[[Exception], RefusalError]) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        refusal = told(error)
        if refusal.status in _WRITTEN_DOWN:
            _write_down(request.app.state.review, request, refusal)
        return refusal.response()

    return answer
