"""A run handed to a cluster's job server, on two nodes and an object store: stopped midway and handed over again.

The cluster is the one of docs/deploy.md, with the words of that page: `ray start`, `ray job submit`, `ray job stop`.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import IO

import pytest

from jobs.vllm.server import free_port
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import done_of_told, downloaded, shard_bytes
from tests.pipeline.s3_server import s3_bucket

BIN = Path(__file__).resolve().parents[3] / ".venv-cluster" / "bin"
WAIT_S = 300.0
MIDWAY = "segment "
"""Once this has been told of, the job is stopped: much is done, and much is not."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_that_was_stopped_is_handed_over_again_and_publishes_the_same_bytes(
    tmp_path: Path, corpus: Path, reference_bytes: dict[str, str]
) -> None:
    if not BIN.exists():
        pytest.fail("no .venv-cluster: `make test-slow` makes it")
    folder = tmp_path / "job"
    folder.mkdir()
    write_recipe(folder / "recipe.yaml", corpus, "s3://bucket/workspace")
    with s3_bucket("bucket") as storage, _cluster(tmp_path, os.environ | {"RAY_AUTH_MODE": "disabled"}) as server:
        options = [BUDGET, "run.ray_address=auto", *(f"workspace.storage.{key}={storage[key]}" for key in storage)]
        run = ["joinery", "run", "recipe.yaml", *(word for option in options for word in ("--set", option))]
        submit = ["submit", "--working-dir", ".", "--submission-id"]
        _ray(server, folder, *submit, "first", "--no-wait", "--", *run)
        _until_told(server, folder, "first", MIDWAY)
        _ray(server, folder, "stop", "first")
        assert "stopped" in _ray(server, folder, "status", "first").lower()
        said = _ray(server, folder, *submit, "second", "--", *run)
        assert "'second' succeeded" in said
        assert done_of_told(said, "ingest") == 0, said
        assert done_of_told(said, "publish") == 1, said
        assert shard_bytes(downloaded(storage, tmp_path / "workspace")) == reference_bytes


@contextmanager
def _cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of the job server of a head and another node, each in a process group of its own."""
    head, server = (f"127.0.0.1:{free_port('127.0.0.1')}" for _ in range(2))
    files = Path("/tmp") / f"jobs-{os.getpid()}"  # names of sockets may not be long
    of_head = ["--head", "--port", head.rpartition(":")[2], "--dashboard-port", server.rpartition(":")[2]]
    of_head += ["--node-ip-address", "127.0.0.1", "--temp-dir", str(files), "--object-store-memory", str(100 << 20)]
    of_node = ["--address", head, "--object-store-memory", str(100 << 20)]
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for number, words in enumerate((of_head, of_node)):
            log = (folder / f"node{number}.log").open("wb")
            command = [str(BIN / "ray"), "start", "--block", "--num-cpus=1", "--disable-usage-stats", *words]
            path = f"{BIN}:{environment['PATH']}"
            nodes.append(subprocess.Popen(command, env={**environment, "PATH": path}, stdout=log, stderr=log))
            _until_in(folder / f"node{number}.log", b"Ray runtime started", nodes[-1], log)
        yield f"http://{server}"
    finally:
        for node in reversed(nodes):
            node.terminate()  # `--block` ends everything it has started
        for node in nodes:
            node.wait(60)
        shutil.rmtree(files, ignore_errors=True)


def _ray(server: str, folder: Path, command: str, *words: str) -> str:
    """What `ray job COMMAND` says; it has to succeed."""
    line = [str(BIN / "ray"), "job", command, "--address", server, *words]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "COLUMNS": "200"}
    done = subprocess.run(line, check=False, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT, timeout=WAIT_S)
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said
    return said


def _until_told(server: str, folder: Path, job: str, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in (said := _ray(server, folder, "logs", job)):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


def _until_in(file: Path, words: bytes, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in file.read_bytes():
        assert process.poll() is None, file.read_text("utf-8", "replace")
        assert time.monotonic() < deadline, file.read_text("utf-8", "replace")
        time.sleep(0.2)
    log.close()
