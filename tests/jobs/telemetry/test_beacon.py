"""The record of a run is written whether or not anything comes back, and its last state is how the run ended."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.telemetry.beacon import SHOWN_FAILURES, Beacon, beacon_path
from pipeline.attempt import Attempt
from pipeline.blobs import Blobs
from tests.jobs.telemetry.happened import ATTEMPT, FAILURE, RUN, progress


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / beacon_path("run-1")).read_bytes())
    return found


def test_a_record_grows_no_older_than_a_few_beats_while_a_batch_takes_its_time(tmp_path: Path) -> None:
    called: list[float] = []
    beacon = Beacon(Blobs(str(tmp_path)), lambda: called.append(time.time()), every_s=0.02)
    beacon.began(RUN)
    first = record(tmp_path)["written_at"]
    beacon.stage(progress(0, 0, running=True))
    while len(called) < 4:
        time.sleep(0.01)
    assert record(tmp_path)["written_at"] > first
    (stage,) = record(tmp_path)["stages"]
    assert (stage["stage"], stage["running"], stage["total"]) == ("ingest", True, 10)
    beacon.ended(replace(RUN, outcome="succeeded", message="fine"), None)
    assert (record(tmp_path)["outcome"], record(tmp_path)["message"]) == ("succeeded", "fine")
    n = len(called)
    time.sleep(0.1)
    assert len(called) == n, "nothing is written after the end"


def test_what_is_with_workers_and_what_failed_last_is_told(tmp_path: Path) -> None:
    beacon = Beacon(Blobs(str(tmp_path)), every_s=60)
    beacon.began(RUN)
    beacon.stage(progress(0, 0, running=True))
    beacon.handed("ingest", 4)
    beacon.came("ingest", ATTEMPT)
    for i in range(SHOWN_FAILURES):
        beacon.handed("ingest", 1)
        beacon.came("ingest", Attempt({}, (), (replace(FAILURE, item=f"ep-{i}", message="x" * 1000),)))
    beacon.ended(RUN, None)
    found = record(tmp_path)
    assert found["stages"][0]["in_flight"] == 2
    assert [failure["item"] for failure in found["failures"]] == [f"ep-{i}" for i in range(SHOWN_FAILURES)]
    assert all(len(failure["message"]) <= 300 for failure in found["failures"])


class Down(Blobs):
    def put_bytes(self, path: str, data: bytes) -> None:
        raise OSError("connection refused")


def test_a_store_that_is_gone_is_not_the_beacons_business(tmp_path: Path) -> None:
    beacon = Beacon(Down(str(tmp_path)), every_s=0.01)
    beacon.began(RUN)
    time.sleep(0.05)
    assert beacon._thread.is_alive()
    beacon.ended(RUN, None)
