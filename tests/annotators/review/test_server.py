"""The app over real HTTP: a session, the queue, a document, pictures in ranges, and edits that stay."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.annotators.review.live import Server, recording, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with served(folder, recording(folder, "ep-1"), recording(folder, "ep-2", views=("main", "wrist"))) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def move(client: httpx2.Client, op_id: str, base: int, frame: int, episode: str = "ep-1") -> httpx2.Response:
    sha = client.get(f"/api/episodes/{episode}").json()["media_sha256"]
    deed = {"kind": "move", "boundary_id": "b200", "frame": frame}
    body = {
        "op_id": op_id, "base_rev": base, "operation": deed, "media_sha256": sha, "frame_verified": True,
        "mark_mode": "paused",
    }  # fmt: skip
    return client.post(f"/api/episodes/{episode}/ops", json=body)


def test_the_queue_lists_what_is_to_do_and_next_takes_it(client: httpx2.Client) -> None:
    listed = client.get("/api/queue").json()
    assert [item["review_id"] for item in listed["items"]] == ["ep-1", "ep-2"]
    assert listed["total"] == 2
    assert client.post("/api/queue/next").json() == {"review_id": "ep-1"}
    assert [item["state"] for item in client.get("/api/queue").json()["items"]] == ["mine", "open"]
    assert client.post("/api/episodes/ep-1/lease").json()["at_work"] == ["ann"]


def test_an_episode_comes_with_all_that_is_beside_it(client: httpx2.Client) -> None:
    episode = client.get("/api/episodes/ep-2").json()
    sheet = episode["sheet"]
    assert [view["name"] for view in sheet["views"]] == ["main", "wrist"]
    assert episode["media_sha256"] == sheet["views"][0]["sha256"] != ""
    assert episode["document"]["n_frames"] == 300
    assert set(sheet["evidence"]) == set(episode["document"]["boundaries"])
    assert sheet["signals"][0]["name"] == "opening"


def test_a_move_is_saved_once_and_told_in_the_log(client: httpx2.Client) -> None:
    first = move(client, "op-00001", 0, 210)
    assert (first.status_code, first.json()["rev"]) == (200, 1)
    assert move(client, "op-00001", 0, 210).json() == first.json()
    log = client.get("/api/episodes/ep-1/log", params={"after_rev": 0}).json()
    assert (log["rev"], [entry["op_id"] for entry in log["entries"]]) == (1, ["op-00001"])
    assert client.get("/api/episodes/ep-1").json()["document"]["boundaries"]["b200"]["frame"] == 210
    refused = move(client, "op-00002", 1, 299)
    assert refused.status_code == 422
    assert "in the way" in refused.json()["error"]["what"]


def test_pictures_come_in_ranges_and_one_by_one(client: httpx2.Client) -> None:
    sha = client.get("/api/episodes/ep-1").json()["media_sha256"]
    whole = client.get(f"/media/{sha}.mp4")
    part = client.get(f"/media/{sha}.mp4", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert whole.headers["etag"] == f'"{sha}"'
    assert "immutable" in whole.headers["cache-control"]
    assert len(client.get(f"/media/{sha}.times").content) == 8 * 301
    assert client.get(f"/media/{sha}/frames/299.jpg", params={"h": 60}).content[:2] == b"\xff\xd8"
    assert client.get(f"/media/{sha}/frames/300.jpg").status_code == 404


def test_the_page_allows_no_script_from_elsewhere(server: Server) -> None:
    with httpx2.Client(base_url=server.url) as stranger:
        page = stranger.get("/")
        assert page.status_code == 200
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert stranger.get("/app/vendor/preact.mjs").headers["content-type"].startswith("text/javascript")


def test_it_ends_when_told_to_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with served(tmp_path, recording(tmp_path, picture=None)) as server:
        for how in (signal.SIGINT, signal.SIGTERM):
            assert server.stop(how) == 0
            assert (server.folder / "lock").read_text() == ""
            server.start()
            with server.client() as client:
                assert client.get("/api/queue").json()["total"] == 1


def test_a_second_server_on_the_folder_is_refused(server: Server, tmp_path: Path) -> None:
    from annotators.review.folder import ReviewFolder
    from pipeline.errors import StoreError

    assert server.process is not None
    held = ReviewFolder(server.folder).held()
    with pytest.raises(StoreError, match=f"process {server.process.pid} has these reviews open"), held:
        pass
