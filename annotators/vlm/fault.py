"""What can go wrong between us and a server, sorted by what to do about it.

Nothing here reads a clock or a socket: a status, its headers or an exception of the HTTP library go in, a `Fault` comes
out. Sorting decides everything that follows, so it stands in one place: a 401 will not mend itself and ends the run at
once, a 400 is about one request and never about the others, and the rest is worth another try.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import httpx2

UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
"""No connection came about: the question was never put."""


class Kind(StrEnum):
    """What a fault is about."""

    UNREACHABLE = "unreachable"
    """Nobody listens. Wait for the server; the request has not been tried."""
    BUSY = "busy"
    """The server says later. Wait as long as it says."""
    BROKEN = "broken"
    """The server failed on the way, or what it sent is no answer. Try again, elsewhere if possible."""
    REFUSED = "refused"
    """This request is what it cannot take: no server of the same model will."""
    FORBIDDEN = "forbidden"
    """We are not let in, and trying again locks accounts."""
    STRANGE = "strange"
    """It does not speak the protocol, or has no such model; only its operator or the recipe can mend that."""


class Fault(Exception):  # noqa: N818 - some are the request's fault, some the server's
    """One try that brought no answer."""

    def __init__(self, kind: Kind, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after_s = retry_after_s


def fault_of_status(status: int, words: str, headers: Mapping[str, str]) -> Fault:
    """What a status other than 200 means. ``words``: what the server said of it."""
    said = f"HTTP {status}: {words}"
    match status:
        case 401 | 403:  # without its words: servers quote keys
            return Fault(Kind.FORBIDDEN, f"HTTP {status}")
        case 400 | 413 | 422:
            return Fault(Kind.REFUSED, said)
        case 429:
            return Fault(Kind.BUSY, said, retry_after(headers.get("retry-after"), datetime.now(UTC)))
        case 408 | 409:
            return Fault(Kind.BROKEN, said, retry_after(headers.get("retry-after"), datetime.now(UTC)))
        case _ if status >= 500:
            after = retry_after(headers.get("retry-after"), datetime.now(UTC))
            return Fault(Kind.BUSY if status == 503 and after is not None else Kind.BROKEN, said, after)
        case _:
            return Fault(Kind.STRANGE, said)


def fault_of_error(error: httpx2.HTTPError | TimeoutError) -> Fault:
    """What an exception on the way means."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, UNREACHED):
        return Fault(Kind.UNREACHABLE, said)
    if isinstance(error, httpx2.UnsupportedProtocol):
        return Fault(Kind.STRANGE, said)
    return Fault(Kind.BROKEN, said)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds a Retry-After header asks for, given as a number or a date; None when it says nothing one can read."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            then = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return max(0.0, seconds) if math.isfinite(seconds) else None
