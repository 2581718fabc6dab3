"""A server of ours is watched: it comes back when it dies or hangs, a bounded number of times, at the same address."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from annotators.vlm.client import ServerAsker
from annotators.vlm.endpoint import Server
from annotators.vlm.request import Answer, Call, Request
from annotators.vlm.secret import Secret
from jobs.vllm.command import Wanted, vllm_command
from jobs.vllm.server import VllmServer, free_port
from pipeline.errors import ServiceError
from schemas.recipe_vlm import VlmServersSpec
from tests.jobs.vllm.standing_in import VLM, stand_in


@contextmanager
def started(folder: Path, **changes: Any) -> Iterator[VllmServer]:
    start = stand_in(folder, **changes)
    port, key = free_port("127.0.0.1"), Secret("sk-of-the-run")
    command = vllm_command(Wanted(VLM, start, key, 0), "127.0.0.1", port)
    server = VllmServer(command, Server(f"http://127.0.0.1:{port}/v1", key, str(folder / "logs" / "vllm.log")), start)
    try:
        yield server
    finally:
        server.close()


def processes_on(server: VllmServer) -> list[int]:
    """Ids of the processes whose command line names this server's port, but not those of guards."""
    port = server.server.url.rpartition(":")[2].removesuffix("/v1")
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if port.encode() in words and not any(word.endswith(b"guard.py") for word in words):
                found.append(int(folder.name))
    return found


def wait(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def ask(server: VllmServer, text: str = "id=1") -> str:
    spec = VlmServersSpec.model_validate({"endpoints": [{"url": server.server.url}], "first_pause_s": 0.1})
    with ServerAsker(VLM, [server.server], spec) as asker:
        (answer,) = asker.ask([Request(Call.TREE, "ev-1", VLM.identity, "", (), text, "{}", 10)])
    assert isinstance(answer, Answer)
    return answer.text


def test_a_server_is_asked_with_the_key_of_its_run_and_is_gone_afterwards(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        assert server.wait_ready() == server.server
        assert ask(server) == '{"id": "1"}'
        stranger = ServerAsker(VLM, [Server(server.server.url)], VlmServersSpec.model_validate({"start": {}}))
        with stranger, pytest.raises(ServiceError, match="401"):
            stranger.check()
    assert processes_on(server) == []
    assert "joinery starts:" in (tmp_path / "logs" / "vllm.log").read_text()


def test_a_server_that_dies_or_hangs_comes_back_at_the_same_address_until_its_restarts_are_spent(
    tmp_path: Path,
) -> None:
    with started(tmp_path, restarts=2) as server:
        server.wait_ready()
        for n, how in enumerate([signal.SIGKILL, signal.SIGSTOP], 1):
            (process,) = processes_on(server)
            os.kill(process, how)
            wait(lambda n=n: server.state.restarts == n and server.state.ready)  # type: ignore[misc]
            assert ask(server, f"id={n}") == f'{{"id": "{n}"}}'
        (process,) = processes_on(server)
        os.kill(process, signal.SIGKILL)
        wait(lambda: server.state.given_up)
        assert server.state.restarts == 2
        assert "ended with status" in server.state.trouble
        assert processes_on(server) == []


def test_a_server_that_never_starts_is_not_started_again_and_its_log_is_quoted(tmp_path: Path) -> None:
    with started(tmp_path, arguments=[]) as server:
        with pytest.raises(ServiceError, match="the following arguments are required: --state") as raised:
            server.wait_ready()
        assert "vllm.log" in str(raised.value)
        assert server.state.restarts == 0


def test_a_server_that_takes_for_ever_is_given_up(tmp_path: Path) -> None:
    with started(tmp_path, ready_s=0.5) as server:
        (tmp_path / "state" / "hang").touch()
        with pytest.raises(ServiceError, match=r"not ready after 0.5 s \(start.ready_s\)"):
            server.wait_ready()
