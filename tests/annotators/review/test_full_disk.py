"""L4: on a full disk a save is refused as such, nothing of it is there, and it lands when there is room again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotators.review.store import ReviewStore
from jobs.vllm.server import free_port
from tests.annotators.review.live import ALONE, Server, fill, recording

CUTS = {0: 0, 100: 2, 200: 0}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs to be allowed to; test_store_full.py limits the file instead")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_save_on_a_full_disk_is_refused_and_lands_afterwards(small_disk: Path, tmp_path: Path) -> None:
    folder = small_disk / "review"
    fill(folder, [recording(tmp_path, "ep-1", cuts=CUTS, picture=None)], ALONE)
    server = Server(folder, free_port("127.0.0.1"))
    server.start()
    try:
        with server.client() as client:
            rev = 0

            def save(number: int) -> int:
                move = {"kind": "move", "boundary_id": "b100", "frame": 50 + number % 99}
                body = {"op_id": f"op-{number:06}", "base_rev": rev, "operation": move, "media_sha256": ""}
                body["frame_verified"] = True
                answer = client.post("/api/episodes/ep-1/ops", json=body)
                assert answer.status_code in (200, 507), answer.text
                return answer.status_code

            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                except OSError:
                    pass
            number = 0
            while (status := save(number)) == 200:
                rev, number = rev + 1, number + 1
                assert number < 2000, "the disk never filled up"
            assert status == 507
            assert save(number) == 507, "and again"
            seen = client.get("/api/episodes/ep-1/log").json()
            assert (seen["rev"], len(seen["entries"])) == (rev, rev), "nothing half-written"
            filler.unlink()
            assert save(number) == 200
            assert client.get("/api/episodes/ep-1/log").json()["rev"] == rev + 1
            assert client.get("/api/session").json()["warnings"] == []
    finally:
        server.stop()
    store = ReviewStore(folder / "review.sqlite")
    assert store.verify("ep-1") == []
    assert store.document("ep-1")[0] == rev + 1
    store.close()
