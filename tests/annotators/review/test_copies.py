"""Several people rate one episode without seeing each other, and blind ones without seeing the machine (Q1)."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from annotators.review.agenda import AgendaSpec
from annotators.review.copies import blind_document
from annotators.review.document import problems
from annotators.review.role import Role
from tests.annotators.review.live import Server, recording, served
from tests.annotators.review.made import made

PEOPLE = {"ann": Role.ANNOTATOR, "bob": Role.ADJUDICATOR, "cyd": Role.ADJUDICATOR}
BLIND = AgendaSpec(audit_share=1, overlap_share=1, blind_share=1)
SECRET = 137
"""A boundary of the machine that is nowhere else: its frame, its id and its words must not come out."""
CUTS = {0: 0, 60: 2, SECRET: 1, 200: 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("blind")
    with served(folder, recording(folder, "ep-1", cuts=CUTS, picture=None), spec=BLIND, accounts=PEOPLE) as server:
        yield server


def deed(client: httpx2.Client, review_id: str, operation: Any, base: int = 0, op_id: str = "op-00001") -> Any:
    sha = client.get(f"/api/episodes/{review_id}").json().get("media_sha256", "")
    body = {"op_id": op_id, "base_rev": base, "operation": operation, "media_sha256": sha, "frame_verified": True}
    return client.post(f"/api/episodes/{review_id}/ops", json=body)


def everything(client: httpx2.Client, review_id: str) -> str:
    """The text of what every route says that this person may ask, and of what they are refused."""
    paths = ["/api/session", "/api/queue", "/api/conflicts", "/api/throughput", "/api/agreement", "/api/people"]
    paths += ["/api/audit", "/api/adjudication/ep-1", "/api/search?q=segment", "/api/episodes/ep-1"]
    paths += [f"/api/episodes/{name}{rest}" for name in (review_id, "ep-1") for rest in ("", "/log", "/comments")]
    said = [client.get(path).text for path in paths]
    said.append(client.post(f"/api/episodes/{review_id}/lease").text)
    said.append(client.post("/api/queue/next").text)
    split = {"kind": "split", "boundary_id": "new-00001", "frame": 50, "rank": 2}
    said.append(deed(client, review_id, split).text)
    said.append(deed(client, review_id, "undo", 1, "op-00002").text)
    said.append(
        deed(client, review_id, {"kind": "move", "boundary_id": f"b{SECRET}", "frame": 9}, 2, "op-3456789").text
    )
    said.append(deed(client, "ep-1", {"kind": "move", "boundary_id": "b60", "frame": 70}, 0, "op-45678901").text)
    return "\n".join(said)


def test_no_answer_to_a_blind_rater_holds_a_boundary_of_the_machine(server: Server) -> None:
    with server.client("ann") as ann:
        assert ann.post("/api/queue/next").json() == {"review_id": "ep-1@ann"}
        episode = ann.get("/api/episodes/ep-1@ann").json()
        assert set(episode["document"]["boundaries"]) == {"b0", "b200"}
        assert episode["document"]["labels"] == {}
        assert (episode["sheet"]["evidence"], episode["sheet"]["alternatives"]) == ({}, {})
        said = everything(ann, "ep-1@ann").replace(f"boundary b{SECRET}: there is none", "")  # what ann herself named
        assert re.findall(rf"\bb?{SECRET}\b|from {SECRET}\b|segment from|task from", said) == []
        assert ann.get("/api/episodes/ep-1").status_code == 403


def test_the_scan_would_find_one(server: Server) -> None:
    with server.client("cyd") as cyd:  # adjudicates and does not rate
        said = cyd.get("/api/episodes/ep-1").text
    assert re.findall(rf"\bb{SECRET}\b", said)


def test_each_rater_has_a_copy_and_an_adjudicator_sees_all_of_them(server: Server) -> None:
    with server.client("ann") as ann, server.client("bob") as bob, server.client("cyd") as cyd:
        assert [who.post("/api/queue/next").json()["review_id"] for who in (ann, bob, cyd)] == [
            "ep-1@ann",
            "ep-1@bob",
            None,
        ]
        split = {"kind": "split", "boundary_id": "new-00077", "frame": 77, "rank": 2}
        base = ann.get("/api/episodes/ep-1@ann").json()["rev"]
        assert deed(ann, "ep-1@ann", split, base, "op-by-ann").status_code == 200
        assert deed(bob, "ep-1@bob", split, 0, "op-by-ann").status_code == 422, "an id is one deed's"
        assert "new-00077" not in bob.get("/api/episodes/ep-1@bob").text
        assert bob.get("/api/episodes/ep-1@ann").status_code == 403
        assert bob.get("/api/adjudication/ep-1").status_code == 403, "bob still rates it"
        assert bob.post("/api/episodes/ep-1@bob/finish").status_code == 200
        for who in (bob, cyd):
            sides = who.get("/api/adjudication/ep-1").json()
            assert [(side["actor"], side["finished"]) for side in sides["raters"]] == [("ann", False), ("bob", True)]
            assert "new-00077" in sides["raters"][0]["document"]["boundaries"]
        move = {"kind": "move", "boundary_id": f"b{SECRET}", "frame": 140}
        assert deed(cyd, "ep-1", move, op_id="op-decided").status_code == 200
        assert cyd.post("/api/episodes/ep-1/lease").status_code == 200
        assert ann.get("/api/queue").json()["items"][0]["at_work"] == ["ann"], "who decides is no rater"


def test_a_blind_document_is_one_and_holds_only_what_cleaning_decided() -> None:
    blind = blind_document(made(CUTS))
    assert problems(blind) == []
    assert {edge.frame for edge in blind.boundaries.values()} == {0, 200}
    assert {edge.rank for edge in blind.boundaries.values()} == {0}
