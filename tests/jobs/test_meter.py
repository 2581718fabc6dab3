"""What a batch took: the processor time of whoever worked for it, the bytes it opened and wrote."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.meter import CoordinatorMeter, Meter, fragment_bytes, servers_cost, source_bytes
from pipeline.blobs import Blobs
from pipeline.store import Workspace
from schemas import arrow
from schemas.cost import COORDINATOR, SERVERS, BatchCost
from schemas.model_call import CallOutcome, ModelCall
from schemas.run import FileDigest
from schemas.source import EpisodeRef, SourceFile, SourceKind

SPIN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def spin() -> None:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        hashlib.sha256(b"0" * 4096)


def in_a_child_that_has_ended() -> None:
    subprocess.run([sys.executable, "-S", "-c", SPIN], check=True)


def taken(meter: Meter) -> BatchCost:
    return meter.cost(1, 0, (), {}, ())


@pytest.mark.parametrize("work", [spin, in_a_child_that_has_ended])
def test_processor_time_is_that_of_the_worker_and_its_children(work: Callable[[], None]) -> None:
    meter = Meter("run", "ingest")
    work()
    assert 0.25 <= taken(meter).cpu_s < 5


def test_a_child_that_lives_on_is_counted_while_it_works() -> None:
    meter = Meter("run", "ingest")
    child = subprocess.Popen([sys.executable, "-S", "-c", SPIN + "print(1, flush=True)\ninput()"], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    assert taken(meter).cpu_s >= 0.25
    child.communicate(b"\n")


def test_waiting_holds_a_place_and_a_gpu_and_takes_no_processor() -> None:
    meter = Meter("run", "embed", gpus=0.5)
    time.sleep(0.3)
    cost = taken(meter)
    assert cost.seconds >= 0.3
    assert cost.gpu_s == pytest.approx(cost.seconds / 2, abs=0.001)
    assert cost.cpu_s < cost.seconds / 2


def ref(locator: str, *files: tuple[str, int]) -> EpisodeRef:
    parts = tuple(SourceFile(f"part{i}", path, "", size) for i, (path, size) in enumerate(files))
    return EpisodeRef(locator, "s", SourceKind.TELEOP, "d", "e", locator, "/root", parts, "{}", "f")


def test_a_file_that_holds_two_recordings_is_opened_once() -> None:
    assert source_bytes([ref("a", ("0.mp4", 100), ("0.parquet", 7)), ref("b", ("0.mp4", 100)), None]) == 107


def test_tables_and_blobs_are_counted_as_they_lie_on_disk(tmp_path: Path) -> None:
    workspace = Workspace.open(str(tmp_path / "workspace"))
    rows = arrow.to_table(FileDigest, [FileDigest("x" * 1000, 1, 1, "")])
    fragments = workspace.write_fragments("file_digests", rows)
    (data,) = (tmp_path / "workspace" / "tables" / "file_digests.lance" / "data").iterdir()
    meter = Meter("run", "shard")
    meter.blobs(Blobs(str(tmp_path))).put("a/b", lambda stream: stream.write(b"12345") and None)
    cost = meter.cost(1, 0, (), {"file_digests": fragments}, ())
    assert fragment_bytes(fragments[0]) == data.stat().st_size
    assert cost.stored_bytes == data.stat().st_size + 5
    assert (tmp_path / "a" / "b").read_bytes() == b"12345"


def test_tokens_are_those_of_the_batchs_questions() -> None:
    call = ModelCall("run", "ep", "tree", "w", "m@1", "k", CallOutcome.ANSWERED, 100, 20, 1, 0.5)
    cost = Meter("run", "caption").cost(1, 0, (), {}, [call, call])
    assert (cost.prompt_tokens, cost.completion_tokens, cost.tokens) == (200, 40, 240)


def test_the_coordinator_does_not_count_what_batches_in_its_process_took_again() -> None:
    coordinator, meter = CoordinatorMeter("run"), Meter("run", "ingest")
    spin()
    batch = taken(meter)
    alone = CoordinatorMeter.cost(coordinator)
    coordinator.came(batch)
    coordinator.came(replace(batch, host="elsewhere"))
    cost = coordinator.cost()
    assert cost.stage == COORDINATOR
    assert alone.cpu_s - cost.cpu_s == pytest.approx(batch.cpu_s, abs=0.1)
    assert alone.seconds - cost.seconds == pytest.approx(batch.seconds, abs=0.1)


def test_servers_hold_all_their_gpus_from_start_to_end() -> None:
    cost = servers_cost("run", 60.0, 4)
    assert (cost.stage, cost.gpu_s, cost.seconds, cost.items) == (SERVERS, 240.0, 60.0, 0)
