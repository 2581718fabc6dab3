"""Every status and every exception has one meaning, and none means success."""

from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.vlm.fault import Fault, Kind, fault_of_error, fault_of_status, retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        (Kind.FORBIDDEN, [401, 403]),
        (Kind.REFUSED, [400, 413, 422]),
        (Kind.BUSY, [429]),
        (Kind.BROKEN, [408, 409, 500, 502, 503, 504, 599]),
        (Kind.STRANGE, [201, 204, 301, 302, 404, 405, 418]),
    ],
)
def test_what_a_status_means(kind: Kind, statuses: list[int]) -> None:
    assert {status: fault_of_status(status, "words", {}).kind for status in statuses} == dict.fromkeys(statuses, kind)


def test_what_a_server_says_of_a_wrong_key_is_not_repeated() -> None:
    assert "sk-1" not in fault_of_status(401, "wrong key sk-1", {}).message
    assert "too long" in fault_of_status(400, "too long", {}).message


def test_503_with_a_time_is_busy() -> None:
    fault = fault_of_status(503, "", {"retry-after": "7"})
    assert (fault.kind, fault.retry_after_s) == (Kind.BUSY, 7.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        (None, None),
    ],
)
def test_how_long_a_server_asks_to_wait(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx2.ConnectError("refused"), Kind.UNREACHABLE),
        (httpx2.ConnectTimeout("slow"), Kind.UNREACHABLE),
        (httpx2.ReadError("reset"), Kind.BROKEN),
        (httpx2.RemoteProtocolError("half a body"), Kind.BROKEN),
        (httpx2.DecodingError("no gzip"), Kind.BROKEN),
        (httpx2.UnsupportedProtocol("ftp"), Kind.STRANGE),
    ],
)
def test_what_an_exception_means(error: httpx2.HTTPError, kind: Kind) -> None:
    fault = fault_of_error(error)
    assert isinstance(fault, Fault)
    assert (fault.kind, str(error) in fault.message) == (kind, True)
