"""A real S3 API on loopback for the object-store tests, in its own process and environment (see Makefile)."""

import atexit
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from jobs.vllm.server import free_port

SERVER = Path(__file__).resolve().parents[2] / ".venv-s3" / "bin" / "moto_server"
START_S = 60.0


CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIA0CANARY0KEY0ID0",
    "AWS_SECRET_ACCESS_KEY": "canary/of+the/secret/key/0123456789abcd",
}
"""The server takes any; these are found wherever they leak to (`tests.jobs.canaries`)."""


@contextmanager
def s3_bucket(name: str) -> Iterator[dict[str, str]]:
    """An empty server but for this bucket, credentials in the environment, and the options that reach it.

    One test process has one server, which forgets everything at each call: starting one costs more than most tests.
    """
    if not SERVER.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the S3 server is missing: `make test` installs it into .venv-s3")
        pytest.skip("no S3 server: `make test` installs it into .venv-s3")
    endpoint = _server()
    _ask(f"{endpoint}/moto-api/reset", "POST")
    _ask(f"{endpoint}/{name}", "PUT")
    with pytest.MonkeyPatch.context() as environment:
        for variable, value in CREDENTIALS.items():
            environment.setenv(variable, value)
        yield {"endpoint": endpoint, "region": "us-east-1"}


@cache
def _server() -> str:
    port = free_port("127.0.0.1")
    command = [str(SERVER), "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_end, server)
    return f"http://127.0.0.1:{port}"


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait(timeout=10)


def _ask(url: str, method: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20).close()
            return
        except OSError:  # refused, broken off, or slower than that
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # the server is starting; there is nothing to wait on but its port
