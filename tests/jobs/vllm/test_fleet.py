"""The servers of a run as Ray actors: as many as there is room for, and none that outlives the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotators.vlm.client import ServerAsker
from annotators.vlm.endpoint import Server
from annotators.vlm.request import Answer, Call, Request
from jobs.ray_executor import RayExecutor
from jobs.vllm.fleet import started
from pipeline.blobs import Blobs
from pipeline.errors import ServiceError
from schemas.recipe_vlm import VlmServersSpec
from tests.jobs.vllm.standing_in import ROOT, VLM, stand_in

pytestmark = pytest.mark.slow
"""A minute: Ray is started twice. What ends servers with the run is tested by itself in test_guard.py."""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    executor = RayExecutor(None, 1)
    yield
    executor.close()


def listens(server: Server) -> bool:
    spec = VlmServersSpec.model_validate(
        {"endpoints": [{"url": server.url}], "patience_s": 0.1, "first_pause_s": 0.05, "longest_pause_s": 0.05}
    )
    with ServerAsker(VLM, [server], spec) as asker:
        try:
            return [type(answer) for answer in asker.ask([request()])] == [Answer]
        except ServiceError:
            return False


def request() -> Request:
    return Request(Call.TREE, "ev-1", VLM.identity, "", (), "id=1", "{}", 10)


def test_servers_answer_while_the_run_lasts_and_their_logs_stay(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    with started(VLM, stand_in(tmp_path, servers=2), Blobs(str(workspace)), "run-1") as fleet:
        assert len({server.url for server in fleet.servers}) == 2
        assert all(listens(server) for server in fleet.servers)
        assert [state.ready for state in fleet.states()] == [True, True]
    assert not any(listens(server) for server in fleet.servers)
    for i in range(2):
        assert "joinery starts:" in (workspace / "logs" / "run-1" / f"vllm-{i}.log").read_text()


def test_a_server_that_does_not_start_ends_the_run_with_its_log(tmp_path: Path) -> None:
    broken = stand_in(tmp_path, arguments=["--state"])
    with (
        pytest.raises(ServiceError, match="expected one argument"),
        started(VLM, broken, Blobs(str(tmp_path / "workspace")), "run-1"),
    ):
        pass


def test_a_missing_interpreter_is_said_before_anything_waits(tmp_path: Path) -> None:
    with (
        pytest.raises(ServiceError, match="make vllm"),
        started(VLM, stand_in(tmp_path, python="/nowhere"), Blobs(str(tmp_path)), "run-1"),
    ):
        pass


def test_a_run_killed_outright_leaves_no_server(tmp_path: Path) -> None:
    """A driver of its own with a cluster of its own gets SIGKILL: it, Ray and the actor can tidy up nothing."""
    driver = f"""
from pathlib import Path
import time
from jobs.ray_executor import RayExecutor
from jobs.vllm.fleet import started
from pipeline.blobs import Blobs
from tests.jobs.vllm.standing_in import VLM, stand_in
folder = Path({str(tmp_path)!r})
RayExecutor(None, 1)
with started(VLM, stand_in(folder), Blobs(str(folder / "workspace")), "run-1") as fleet:
    (server,) = fleet.servers
    (folder / "found.tmp").write_text(server.url + " " + server.key.reveal())
    (folder / "found.tmp").rename(folder / "found")
    time.sleep(600)
"""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("RAY_ADDRESS")}
    process = subprocess.Popen([sys.executable, "-c", driver], cwd=ROOT, env=alone, start_new_session=True)
    try:
        wait_for((tmp_path / "found").exists, 90)
        port = (tmp_path / "found").read_text().split()[0].rpartition(":")[2].removesuffix("/v1")
        assert running_on(port)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: not running_on(port), 60)
    finally:
        process.kill()


def running_on(port: str) -> bool:
    """Whether any process, server or guard, names the port on its command line."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if port.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                    return True
            except OSError:
                continue
    return False


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
