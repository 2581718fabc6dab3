"""S2: one key, and an episode is out of sight for everybody at once; an admin can bring it back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotators.review.audit import Audit
from annotators.review.database import Database
from annotators.review.quarantine import Quarantine
from annotators.review.store import UnknownEpisodeError
from tests.annotators.review.live import Server, recording, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("quarantined")
    with served(folder, recording(folder, "ep-1"), recording(folder, "ep-2", cuts={0: 0, 50: 2, 90: 0})) as server:
        yield server


def test_it_is_gone_everywhere_within_a_second_and_back_when_lifted(server: Server) -> None:
    with server.client() as client:
        sha = client.get("/api/episodes/ep-1").json()["media_sha256"]
        out = [f"/media/{sha}.mp4", f"/media/{sha}.times", f"/media/{sha}/frames/3.jpg"]
        out += [f"/api/episodes/ep-1{rest}" for rest in ("", "/log", "/comments")] + ["/api/adjudication/ep-1"]
        assert [client.get(path).status_code for path in out] == [200] * len(out)
        client.post("/api/episodes/ep-1/flag", json={"on": "", "text": "a face"})
        began = time.monotonic()
        answer = client.post("/api/episodes/ep-1/quarantine", json={"reason": "a face"})
        assert answer.headers["clear-site-data"] == '"cache"'
        assert [client.get(path).status_code for path in out] == [410] * len(out)
        assert [item["episode_id"] for item in client.get("/api/queue").json()["items"]] == ["ep-2"]
        assert client.get("/api/conflicts").json()["flags"] == []
        assert time.monotonic() - began < 1
        assert client.post("/api/queue/next").json() == {"review_id": "ep-2"}
        for rest in ("ops", "lease", "finish", "comments", "flag", "quarantine"):
            refused = client.post(f"/api/episodes/ep-1/{rest}", json=_body(rest))
            assert refused.status_code == 410, rest
        kinds = [(line["kind"], line["actor"], line["said"]) for line in client.get("/api/audit").json()["lines"]]
        assert ("quarantined", "ann", "a face") in kinds
        assert client.get("/api/people").json()["quarantine"][0]["episode_id"] == "ep-1"
        assert client.delete("/api/episodes/ep-1/quarantine").status_code == 200
        assert [client.get(path).status_code for path in out] == [200] * len(out)
        assert client.delete("/api/episodes/ep-1/quarantine").status_code == 404


def _body(rest: str) -> dict[str, object]:
    move = {"kind": "move", "boundary_id": "b200", "frame": 210}
    return {
        "ops": {"op_id": "op-00001", "base_rev": 0, "operation": move, "media_sha256": "", "frame_verified": True},
        "comments": {"frame": 1, "text": "x"},
    }.get(rest, {})


def test_what_is_in_quarantine_and_why_survives_a_restart(tmp_path: Path) -> None:
    database = Database(tmp_path / "review.sqlite")
    quarantine = Quarantine(database, Audit(database))
    quarantine.put("ep-1", "ann", "a face")
    quarantine.put("ep-1", "bob", "again")
    database.close()
    database = Database(tmp_path / "review.sqlite")
    quarantine = Quarantine(database, Audit(database))
    assert quarantine.holds("ep-1")
    assert [(found.actor, found.reason) for found in quarantine.every()] == [("ann", "a face")]
    quarantine.lift("ep-1", "eve")
    assert quarantine.episodes() == frozenset()
    with pytest.raises(UnknownEpisodeError, match="not in quarantine"):
        quarantine.lift("ep-1", "eve")
    database.close()
