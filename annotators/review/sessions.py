"""From a request to the person behind it: a cookie per port, since cookies know no ports and servers share machines."""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import Response

from annotators.review.caller import Caller
from annotators.review.review import Access, Mode, Review
from annotators.review.role import Role


def cookie_name(request: Request) -> str:
    """The session cookie's name."""
    return f"joinery_review_{request.url.port or 80}"


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Not to be read by scripts, and never sent with a request that another site started."""
    secure = request.url.scheme == "https"
    response.set_cookie(cookie_name(request), value, httponly=True, samesite="strict", secure=secure, path="/")


def session_of(review: Review, request: Request) -> Caller | None:
    """Who asks; None without a session."""
    value = request.cookies.get(cookie_name(request), "")
    access = review.access
    if access.mode is Mode.SINGLE and value and hmac.compare_digest(value.encode(), cookie_of(access).encode()):
        return Caller(access.actor, Role.ADMIN, derived(access, "csrf"))
    if access.mode is Mode.ACCOUNTS and value:
        found = review.accounts.session(value, time.time_ns())
        return None if found is None else Caller(found.name, found.role, found.csrf)
    return None


def answers_to(access: Access, name: str) -> bool:
    """Whether the server goes by this host name."""
    if name.lower() in access.hosts:
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return access.any_address


def cookie_of(access: Access) -> str:
    """Single mode: what the cookie holds. Not the token, which would then stand in the browser's files."""
    return derived(access, "session")


def derived(access: Access, purpose: str) -> str:
    """A secret for one purpose: the same after a restart, so that an open page just goes on."""
    return hmac.new(access.token.encode(), purpose.encode(), sha256).hexdigest()


def opens(access: Access, token: str) -> bool:
    """Whether this is the token of the printed address."""
    return access.mode is Mode.SINGLE and bool(token) and hmac.compare_digest(token.encode(), access.token.encode())
