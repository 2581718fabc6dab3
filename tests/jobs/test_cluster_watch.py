"""Waiting for a cluster ends: with an answer, or with a reason."""

import socket
import time
from collections.abc import Iterator

import pytest

from jobs.cluster_watch import ClusterLostError, ClusterWatch, waited_for, watched


def test_a_head_that_says_nothing_for_longer_than_patience_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        watch = ClusterWatch(address, patience_s=0.2)
        watch.check(lambda: 1)
    watch.check(lambda: 1)
    time.sleep(0.3)
    with pytest.raises(ClusterLostError, match=rf"head of the Ray cluster at {address} has not answered for 0\.2 s"):
        watch.check(lambda: 1)


def test_a_cluster_without_any_machine_is_lost_and_one_that_comes_back_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.cluster_watch.COUNT_EVERY_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as head:
        watch = ClusterWatch(f"127.0.0.1:{head.getsockname()[1]}", patience_s=1.0)
        for n_workers, seconds in ((0, 0.5), (1, 0.5), (0, 0.6)):
            looked(watch, n_workers, seconds)
        with pytest.raises(ClusterLostError, match="has had no machine for this stage"):
            looked(watch, 0, 1.5)


def looked(watch: ClusterWatch, n_workers: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        watch.check(lambda: n_workers)
        time.sleep(0.02)


def test_a_head_that_dies_while_it_is_asked_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.cluster_watch.STEP_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as head:
        watch = ClusterWatch(f"127.0.0.1:{head.getsockname()[1]}", patience_s=0.1)
    with pytest.raises(ClusterLostError, match="has not answered"):
        waited_for(lambda: time.sleep(5), watch.check_head)


def test_items_come_in_their_order_and_so_does_what_broke_them() -> None:
    def items() -> Iterator[int]:
        yield from range(200)
        raise LookupError("broke")

    found: list[int] = []
    with pytest.raises(LookupError, match="broke"):
        found.extend(watched(items(), lambda: None))
    assert found == list(range(200))


def test_whoever_waits_looks_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.cluster_watch.STEP_S", 0.02)

    def never() -> Iterator[int]:
        time.sleep(5)
        yield 1

    def look() -> None:
        raise ClusterLostError("gone")

    with pytest.raises(ClusterLostError, match="gone"):
        next(watched(never(), look))


def test_whoever_is_kept_busy_with_answers_looks_around_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that dies must be noticed within a minute, although what workers have to say needs no head."""
    monkeypatch.setattr("jobs.cluster_watch.STEP_S", 0.05)
    looked_at = []

    def items() -> Iterator[int]:
        for number in range(50):
            time.sleep(0.01)
            yield number

    assert list(watched(items(), lambda: looked_at.append(1))) == list(range(50))
    assert len(looked_at) >= 3


@pytest.mark.parametrize("head_answers", [True, False])
def test_while_nobody_looks_no_patience_is_lost(monkeypatch: pytest.MonkeyPatch, head_answers: bool) -> None:
    """Whoever is busy elsewhere for a minute, as with a slow commit, has not waited for a minute."""
    monkeypatch.setattr("jobs.cluster_watch.COUNT_EVERY_S", 0.01)
    monkeypatch.setattr("jobs.cluster_watch.UNSEEN_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as head:
        watch = ClusterWatch(f"127.0.0.1:{head.getsockname()[1]}", patience_s=0.8)
        looked(watch, 1, 0.1)
        if not head_answers:
            head.close()
        time.sleep(1.2)
        looked(watch, 0, 0.4)
        with pytest.raises(ClusterLostError):
            looked(watch, 0, 1.0)
