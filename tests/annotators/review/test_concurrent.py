"""Two people at once, over HTTP: nothing is silently overwritten, and what does not stand is kept (C1 to C4)."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from annotators.review.database import Database
from annotators.review.leases import LEASE_NS
from annotators.review.role import Role
from tests.annotators.review.live import Server, recording, served

PEOPLE = {"ann": Role.ANNOTATOR, "bob": Role.REVIEWER}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("two")
    episodes = [recording(folder, f"ep-{number}", risk=1 - number / 10, picture=None) for number in range(4)]
    with served(folder, *episodes, accounts=PEOPLE) as server:
        yield server


@pytest.fixture(scope="module")
def ann(server: Server) -> Iterator[httpx2.Client]:
    with server.client("ann") as client:
        yield client


@pytest.fixture(scope="module")
def bob(server: Server) -> Iterator[httpx2.Client]:
    with server.client("bob") as client:
        yield client


def send(client: httpx2.Client, episode: str, op_id: str, base: int, operation: Any) -> httpx2.Response:
    sha = client.get(f"/api/episodes/{episode}").json()["media_sha256"]
    body = {"op_id": op_id, "base_rev": base, "operation": operation, "media_sha256": sha, "frame_verified": True}
    return client.post(f"/api/episodes/{episode}/ops", json=body)


def move(boundary: str, frame: int) -> dict[str, Any]:
    return {"kind": "move", "boundary_id": boundary, "frame": frame}


def test_the_second_of_two_moves_is_told_of_the_first_and_either_can_be_chosen(
    ann: httpx2.Client, bob: httpx2.Client
) -> None:
    assert send(ann, "ep-0", "c1-by-ann", 0, move("b200", 210)).status_code == 200
    held = send(bob, "ep-0", "c1-by-bob", 0, move("b200", 190))
    assert held.status_code == 409
    said = held.json()
    assert (said["status"], said["rev"], said["by"], said["op_id"]) == ("conflict", 1, "ann", "c1-by-bob")
    assert (said["yours"]["boundary:b200"]["frame"], said["current"]["boundary:b200"]["frame"]) == (190, 210)
    assert said["at_ns"] > 0
    assert send(bob, "ep-0", "c1-by-bob", 0, move("b200", 190)).json() == said, "however often it is sent"
    (listed,) = ann.get("/api/conflicts").json()["conflicts"]
    assert (listed["op_id"], listed["actor"], listed["by"]) == ("c1-by-bob", "bob", "ann")
    assert ann.post("/api/conflicts/c1-by-bob/resolve", json={"how": "mine"}).status_code == 403, (
        "bob's or a reviewer's"
    )
    assert send(bob, "ep-0", "c1-insists", 1, move("b200", 190)).json()["rev"] == 2
    assert bob.post("/api/conflicts/c1-by-bob/resolve", json={"how": "mine"}).status_code == 200
    assert ann.get("/api/conflicts").json()["conflicts"] == []
    log = ann.get("/api/episodes/ep-0/log").json()["entries"]
    assert [(entry["op_id"], entry["status"]) for entry in log] == [
        ("c1-by-ann", "applied"),
        ("c1-by-bob", "conflict"),
        ("c1-insists", "applied"),
    ]


def test_two_moves_far_from_each_other_both_stand(ann: httpx2.Client, bob: httpx2.Client) -> None:
    assert send(ann, "ep-1", "c2-by-ann", 0, move("b100", 105)).json()["status"] == "applied"
    rebased = send(bob, "ep-1", "c2-by-bob", 0, move("b260", 265))
    assert (rebased.status_code, rebased.json()["status"], rebased.json()["rev"]) == (200, "rebased", 2)
    boundaries = ann.get("/api/episodes/ep-1").json()["document"]["boundaries"]
    assert (boundaries["b100"]["frame"], boundaries["b260"]["frame"]) == (105, 265)


def test_an_undo_of_what_somebody_else_has_changed_since_is_no_silent_revert(
    ann: httpx2.Client, bob: httpx2.Client
) -> None:
    send(ann, "ep-2", "c3-by-ann", 0, move("b200", 210))
    send(bob, "ep-2", "c3-by-bob", 1, move("b200", 220))
    undone = send(ann, "ep-2", "c3-takes-back", 2, "undo")
    assert (undone.status_code, undone.json()["by"]) == (409, "bob")
    assert undone.json()["current"]["boundary:b200"]["frame"] == 220
    assert ann.get("/api/episodes/ep-2").json()["document"]["boundaries"]["b200"]["frame"] == 220


def test_a_save_after_the_lease_ran_out_lands_or_is_told(
    server: Server, ann: httpx2.Client, bob: httpx2.Client
) -> None:
    while (taken := ann.post("/api/queue/next").json()["review_id"]) != "ep-3":
        assert ann.post(f"/api/episodes/{taken}/finish").status_code == 200
    assert bob.post("/api/queue/next").json() == {"review_id": None}
    database = Database(server.folder / "review.sqlite")  # ten minutes later
    database.write("UPDATE lease SET until_ns = until_ns - ?", LEASE_NS + 1)
    database.close()
    assert bob.post("/api/queue/next").json() == {"review_id": "ep-3"}
    assert bob.post("/api/episodes/ep-3/lease").json()["at_work"] == ["bob"]
    assert send(bob, "ep-3", "c4-by-bob", 0, move("b100", 105)).status_code == 200
    assert send(ann, "ep-3", "c4-lands", 0, move("b260", 265)).json()["status"] == "rebased"
    assert send(ann, "ep-3", "c4-is-told", 0, move("b100", 95)).status_code == 409
    log = ann.get("/api/episodes/ep-3/log").json()["entries"]
    assert [entry["op_id"] for entry in log] == ["c4-by-bob", "c4-lands", "c4-is-told"]


def test_a_flag_waits_for_somebody_and_a_comment_is_read_by_all(ann: httpx2.Client, bob: httpx2.Client) -> None:
    name = ann.post("/api/episodes/ep-0/flag", json={"on": "boundary:b200", "text": "which one?"}).json()["flag_id"]
    (flag,) = bob.get("/api/conflicts").json()["flags"]
    assert (flag["on"], flag["text"], flag["actor"], flag["review_id"]) == (
        "boundary:b200", "which one?", "ann", "ep-0",
    )  # fmt: skip
    remark = {"frame": 200, "boundary_id": "b200", "text": "the cup touches here"}
    assert ann.post("/api/episodes/ep-0/comments", json=remark).status_code == 200
    (comment,) = bob.get("/api/episodes/ep-0/comments").json()["comments"]
    assert (comment["actor"], comment["text"], comment["frame"]) == ("ann", "the cup touches here", 200)
    (item,) = [item for item in bob.get("/api/queue").json()["items"] if item["review_id"] == "ep-0"]
    assert (item["n_comments"], item["flagged"]) == (1, True)
    assert bob.post(f"/api/conflicts/{name}/resolve", json={"how": "other"}).status_code == 200
    assert bob.get("/api/conflicts").json()["flags"] == []
    assert bob.post("/api/conflicts/none-of-that-name/resolve", json={"how": "other"}).status_code == 404


def test_throughput_tells_who_did_what(ann: httpx2.Client, bob: httpx2.Client) -> None:
    own = ann.get("/api/throughput").json()["rows"]
    assert {row["actor"] for row in own} == {"ann"}
    both = {row["actor"]: row for row in bob.get("/api/throughput").json()["rows"]}
    assert set(both) == {"ann", "bob"}
    assert both["ann"]["items"] == 3, "she finished three on her way to the fourth"
    assert time.strftime("%Y", time.gmtime()) in both["ann"]["day"]
