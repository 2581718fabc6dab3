"""The app's own files, and the page that the printed address opens."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse
from starlette.responses import Response

from annotators.review.caller import ReviewOf
from annotators.review.refusal import RefusalError
from annotators.review.sessions import cookie_of, opens, set_cookie

APP = Path(__file__).parent / "app"
PAGE = APP / "index.html"
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
    ".json": "application/json", ".svg": "image/svg+xml",
}  # fmt: skip

router = APIRouter()


@router.get("/")
def page(request: Request, review: ReviewOf, token: str = "") -> Response:
    """The page; with the token of the printed address it makes a session and drops the token from the address."""
    if not token:
        return FileResponse(PAGE, headers={"cache-control": "no-cache"})
    if not opens(review.access, token):
        raise RefusalError(
            403, "token", found="another one", expected="that of the address that the server printed last"
        )
    answer = RedirectResponse("/", 303)
    set_cookie(request, answer, cookie_of(review.access))
    return answer


@router.get("/app/{name:path}")
def app_file(name: str) -> Response:
    """One file of the app; what is not one of them is not there."""
    there = {path.relative_to(APP).as_posix(): path for path in APP.rglob("*") if path.suffix in _TYPES}
    if name not in there:
        raise RefusalError(404, f"/app/{name}", expected="a file of the app")
    path = there[name]
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"cache-control": "no-cache"})
