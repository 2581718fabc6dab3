"""L1: the server is killed in the middle of saves by eight people over HTTP; nothing acknowledged is lost."""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from annotators.review.mirror import lines_of
from annotators.review.replay import replay_into
from annotators.review.store import ReviewStore
from tests.annotators.review.live import TOKEN, Server, recording, served

CLIENTS = 8
CUTS = {0: 0, **{100 * number: 2 for number in range(1, 2 * CLIENTS + 2)}, 100 * (2 * CLIENTS + 2): 0}
"""Every second boundary is a client's, in one document: what each saves concerns nothing that others touch."""


@dataclass
class Person:
    """Moves a boundary to and fro, sends again what was not answered, and remembers what was."""

    number: int
    url: str
    acknowledged: dict[str, int] = field(default_factory=dict)
    """op_id → revision."""
    problems: list[str] = field(default_factory=list)

    def work(self, stop: threading.Event) -> None:
        rev, at = 0, 0
        while not stop.is_set():
            op_id = f"person-{self.number}-{at}"
            move = {"kind": "move", "boundary_id": f"b{200 * self.number}", "frame": 200 * self.number + 1 + at % 20}
            body = {"op_id": op_id, "base_rev": rev, "operation": move, "media_sha256": "", "frame_verified": True}
            answer = self._sent(body, stop)
            if answer is None:
                return
            if answer.status_code != 200:
                self.problems.append(answer.text)
                return
            rev = answer.json()["rev"]
            self.acknowledged[op_id] = rev
            at += 1

    def _sent(self, body: dict[str, object], stop: threading.Event) -> httpx2.Response | None:
        while not stop.is_set():
            try:
                with httpx2.Client(base_url=self.url, timeout=5) as client:
                    client.get("/", params={"token": TOKEN})
                    csrf = client.get("/api/session").json()["csrf"]
                    client.headers["X-Joinery-CSRF"] = csrf
                    return client.post("/api/episodes/ep-1/ops", json=body)
            except (httpx2.HTTPError, KeyError, ValueError):
                time.sleep(0.02)  # the server is down or went down; the same operation again
        return None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path, recording(tmp_path, "ep-1", cuts=CUTS, picture=None)) as server:
        yield server


def kill_again_and_again(server: Server, kills: int, seed: int) -> dict[str, int]:
    """What people were told was saved; afterwards the server is down."""
    people = [Person(number, server.url) for number in range(1, CLIENTS + 1)]
    stop = threading.Event()
    threads = [threading.Thread(target=person.work, args=(stop,), daemon=True) for person in people]
    for thread in threads:
        thread.start()
    rng = random.Random(seed)
    for _ in range(kills):
        before = sum(len(person.acknowledged) for person in people)
        while sum(len(person.acknowledged) for person in people) < before + 2:
            time.sleep(0.005)
            assert not any(person.problems for person in people), [person.problems for person in people]
        time.sleep(rng.random() * 0.3)
        server.kill()
        server.start()
    stop.set()
    for thread in threads:
        thread.join()
    server.kill()
    assert [person.problems for person in people] == [[]] * CLIENTS
    return {op_id: rev for person in people for op_id, rev in person.acknowledged.items()}


def hold_to_it(server: Server, tmp_path: Path, acknowledged: dict[str, int]) -> None:
    with closing(sqlite3.connect(server.folder / "review.sqlite")) as sql:
        assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = ReviewStore(server.folder / "review.sqlite")
    log = store.log("ep-1")
    saved = [entry.op_id for entry in log]
    assert len(saved) == len(set(saved)), "each once"
    assert {entry.op_id: entry.rev for entry in log if entry.op_id in acknowledged} == acknowledged
    assert [entry.rev for entry in log] == list(range(1, len(log) + 1)), "no gap, and nobody was refused"
    assert store.verify("ep-1") == []
    server.start()  # it catches the mirror up
    server.stop()
    replayed = ReviewStore(tmp_path / "replayed.sqlite")
    replay_into(replayed, lines_of(server.folder / "log"))
    assert replayed.document("ep-1") == store.document("ep-1")
    assert replayed.log("ep-1") == log
    replayed.close()
    store.close()


@pytest.mark.slow
def test_what_was_acknowledged_survives_three_kills(server: Server, tmp_path: Path) -> None:
    acknowledged = kill_again_and_again(server, kills=3, seed=2)
    assert len(acknowledged) >= 6
    hold_to_it(server, tmp_path, acknowledged)


@pytest.mark.slow
def test_what_was_acknowledged_survives_forty_kills(server: Server, tmp_path: Path) -> None:
    """``python -m pytest -m slow tests/annotators/review/test_kills.py``"""
    acknowledged = kill_again_and_again(server, kills=40, seed=4)
    print(f"{len(acknowledged)} operations acknowledged through 40 kills")
    hold_to_it(server, tmp_path, acknowledged)
