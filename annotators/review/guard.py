"""What every request must pass before a route sees it: the host's name, the origin, a session, and for writes a token.

A review server is on a machine where a browser also opens strangers' pages. Such a page can send requests here, even
under a name of its own that it made to lead here. So only known host names are answered, nothing from another origin,
nothing without a session, and no write without the token that only our own pages can read (review.md §3.8).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotators.review.caller import Caller
from annotators.review.refusal import RefusalError

MOST_BYTES = 1 << 20
"""An operation is a few hundred bytes; nothing anybody sends here is larger."""
_READING = {"GET", "HEAD"}
_PRIVATE = ("/api/", "/media/")
_OPEN = {"/api/login"}
"""Asked for without a session."""
CSRF = "x-joinery-csrf"


class Guard:
    """Around the whole app. ``session_of`` finds a request's session; ``refused`` is told of every refusal."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Callable[[str], bool],
        page: str,
        session_of: Callable[[Request], Caller | None],
        refused: Callable[[Request, RefusalError], None],
    ) -> None:
        self._app, self._hosts, self._session_of, self._refused = app, hosts, session_of, refused
        self._policy = content_security_policy(page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        sending = self._with_headers(request, send)
        try:
            self._check(request)
        except RefusalError as refusal:
            self._refused(request, refusal)
            await refusal.response()(scope, receive, sending)
            return
        await self._app(scope, _limited(receive), sending)

    def _check(self, request: Request) -> None:
        host = request.headers.get("host", "")
        if not self._hosts(_name_of(host)):
            raise RefusalError(
                421,
                "host",
                found=host,
                expected="a name this server goes by",
                do="use the address that the server printed",
            )
        origin = request.headers.get("origin")
        own = {f"http://{host}", f"https://{host}"}
        if origin is not None and origin not in own:
            raise RefusalError(403, "origin", found=origin, expected=sorted(own), do="use the app's own pages")
        path, writing = request.url.path, request.method not in _READING
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and (
            writing or path.startswith(_PRIVATE)
        ):
            raise RefusalError(
                403, "origin", found="another site", expected="the app's own pages", do="open the app itself"
            )
        caller = self._session_of(request)
        if path.startswith(_PRIVATE) and path not in _OPEN and caller is None:
            raise RefusalError(
                401, "session", found="none", expected="a session", do="log in, or open the printed address"
            )
        if writing and path in _OPEN and origin is None:
            raise RefusalError(403, "origin", found="none", expected=sorted(own), do="use the app's own pages")
        if writing and path not in _OPEN and (caller is None or not _same(request.headers.get(CSRF, ""), caller.csrf)):
            raise RefusalError(
                403, "csrf", found="another token", expected="that of /api/session", do="reload the page"
            )
        if int(request.headers.get("content-length", "0") or 0) > MOST_BYTES:
            raise RefusalError(413, "body", found="too large", expected=f"at most {MOST_BYTES} bytes")
        request.scope["caller"] = caller

    def _with_headers(self, request: Request, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = self._policy
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"  # the first address holds the token
                headers["cross-origin-resource-policy"] = "same-origin"
                headers["cross-origin-opener-policy"] = "same-origin"
                if request.url.path.startswith("/api/"):
                    headers["cache-control"] = "no-store"
            await send(message)

        return sending


def content_security_policy(page: str) -> str:
    """Nothing from elsewhere and no inline script but those of our own page, by their hash (its import map)."""
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self'", *hashes]),
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _name_of(host: str) -> str:
    """The host's name without its port; a name that is none is answered like a foreign one."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _limited(receive: Receive) -> Receive:
    """Bodies that do not say how long they are end at the same limit."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise RefusalError(413, "body", found="too large", expected=f"at most {MOST_BYTES} bytes")
        return message

    return receiving
