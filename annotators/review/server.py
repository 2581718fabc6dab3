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

from annotators.review import routes_app, routes_episode, routes_media, routes_queue, routes_session
from annotators.review.guard import Guard
from annotators.review.operation import OperationError
from annotators.review.refusal import RefusalError
from annotators.review.review import Review
from annotators.review.sessions import session_of

ROUTES = (routes_session, routes_queue, routes_episode, routes_media, routes_app)


def create_app(review: Review, page: Path = routes_app.PAGE) -> FastAPI:
    """The app over an open review; whoever made the review closes it."""
    app = FastAPI(title="Joinery review", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.review = review
    for routes in ROUTES:
        app.include_router(routes.router)
    app.add_middleware(
        Guard,
        hosts=review.access.hosts,
        page=page.read_text(encoding="utf-8"),
        session_of=lambda request: session_of(review, request),
        refused=lambda _request, _refusal: None,
    )
    for kind, told in _TOLD.items():
        app.add_exception_handler(kind, _answering(told))
    return app


def _refusal(error: Exception) -> RefusalError:
    assert isinstance(error, RefusalError)
    return error


def _makes_no_sense(error: Exception) -> RefusalError:
    return RefusalError(422, str(error), do="look at the present document; nothing was changed")


def _unknown(error: Exception) -> RefusalError:
    return RefusalError(404, str(error.args[0]) if error.args else "not found")


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


_TOLD: Mapping[type[Exception], Callable[[Exception], RefusalError]] = {
    RefusalError: _refusal,
    OperationError: _makes_no_sense,
    RequestValidationError: _invalid,
    HTTPException: _http,
    KeyError: _unknown,
    sqlite3.OperationalError: _storage,
    OSError: _storage,
}


def _answering(told: Callable[[Exception], RefusalError]) -> Callable[[Request, Exception], Response]:
    return lambda _, error: told(error).response()
