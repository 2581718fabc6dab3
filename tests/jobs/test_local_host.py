"""Which addresses only this machine reaches."""

import pytest

from jobs.local_host import is_local_host


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.2", False), ("lab.example", False), ("", False)],
)  # fmt: skip
def test_an_address_is_local_or_not(host: str, local: bool) -> None:
    assert is_local_host(host) is local
