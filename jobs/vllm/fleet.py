"""The servers of a run: as Ray actors, one per GPU (or per ``gpus_per_server``), one on the CPU where there is none.

Ray gives each actor its GPUs and its machine; on a cluster of several machines the servers listen on the address their
machine has in the cluster, on this machine alone on the loopback. Each run makes up a key of its own for them. The
actors die with the run, and the guard in each ends its server, whatever killed the run.
"""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError

from annotators.vlm.endpoint import Server
from annotators.vlm.secret import Secret
from jobs.vllm.command import Wanted, vllm_command
from jobs.vllm.server import ServerState, VllmServer, free_port
from pipeline.blobs import Blobs, is_local
from pipeline.errors import JoineryError, ServiceError
from schemas.recipe_vlm import StartVllm, VlmSpec

LOOPBACK = "127.0.0.1"
LOGS = "logs"
CONCURRENT_CALLS = 4
"""`state` must be answered while `start` waits for the weights."""


class ServerHost:
    """Owns one server on the machine it is on; the Ray actor, and of use without Ray too."""

    def __init__(self, wanted: Wanted, host: str, blobs: Blobs, log: str) -> None:
        """``log``: where in the workspace its log is kept."""
        self._blobs, self._log_path = blobs, log
        self._folder = None if is_local(blobs.url) else tempfile.TemporaryDirectory()
        root = self._folder.name if self._folder else blobs.url.removeprefix("file://")
        self._log = Path(root) / log
        port = free_port(host)
        server = Server(f"http://{host}:{port}/v1", wanted.key, str(self._log))
        self._server = VllmServer(vllm_command(wanted, host, port), server, wanted.start)

    def wait_ready(self) -> Server | JoineryError:
        """The server's address, or why there is none, as a value: raised, it would come buried in Ray's traceback."""
        try:
            server = self._server.wait_ready()
        except JoineryError as error:
            self._keep_log()
            return error
        return Server(server.url, server.key, f"{self._blobs.url}/{self._log_path}")

    def state(self) -> ServerState:
        return self._server.state

    def close(self) -> None:
        """End the server and keep its log in the workspace."""
        self._server.close()
        self._keep_log()

    def _keep_log(self) -> None:
        if self._folder is not None:
            self._blobs.put_bytes(self._log_path, self._log.read_bytes())


class Fleet:
    """The servers of one run and their actors."""

    def __init__(self, actors: Sequence[Any], servers: Sequence[Server], gpus: int) -> None:
        """``gpus``: held by all of them together."""
        self._actors = actors
        self.servers = list(servers)
        self.gpus = gpus

    def states(self) -> list[ServerState]:
        """How each server is."""
        states: list[ServerState] = ray.get([actor.state.remote() for actor in self._actors])
        return states


@contextmanager
def started(model: VlmSpec, start: StartVllm, blobs: Blobs, run_id: str) -> Iterator[Fleet]:
    """Start the servers of a run and wait until they answer; ends them on leaving. Ray must have been initialised.

    Raises ServiceError with the end of the log of a server that does not start, or when there are too few GPUs.
    """
    n, gpus = _how_many(start)
    alone = len(ray.nodes()) == 1
    wanted = Wanted(model, start, Secret(secrets.token_urlsafe(24)), gpus)
    cls = ray.remote(num_cpus=0, num_gpus=gpus, max_concurrency=CONCURRENT_CALLS)(_Actor)
    logs = [f"{LOGS}/{run_id}/vllm-{i}.log" for i in range(n)]
    actors = [cls.remote(wanted, alone, blobs, log) for log in logs]
    try:
        servers = []
        for found in ray.get([actor.wait_ready.remote() for actor in actors]):
            if isinstance(found, JoineryError):
                raise found
            servers.append(found)
        yield Fleet(actors, servers, n * gpus)
    except RayActorError as error:
        raise ServiceError(f"a vLLM server's actor died: {error}; see {blobs.url}/{LOGS}/{run_id}") from error
    finally:
        _end(actors)


class _Actor:
    """`ServerHost` in a Ray worker, at the address its machine has. A server that cannot be started is a value."""

    def __init__(self, wanted: Wanted, alone: bool, blobs: Blobs, log: str) -> None:
        address = LOOPBACK if alone else ray.util.get_node_ip_address()
        self._host: ServerHost | JoineryError
        try:
            self._host = ServerHost(wanted, address, blobs, log)
        except JoineryError as error:
            self._host = error

    def wait_ready(self) -> Server | JoineryError:
        return self._host if isinstance(self._host, JoineryError) else self._host.wait_ready()

    def state(self) -> ServerState:
        if isinstance(self._host, JoineryError):
            return ServerState(False, 0, str(self._host), given_up=True)
        return self._host.state()

    def close(self) -> None:
        if isinstance(self._host, ServerHost):
            self._host.close()


def _how_many(start: StartVllm) -> tuple[int, int]:
    """Servers, and GPUs for each."""
    available = int(ray.cluster_resources().get("GPU", 0))
    if available == 0:
        return start.servers or 1, 0
    fit = available // start.gpus_per_server
    wanted = start.servers or fit
    if wanted > fit or fit == 0:
        raise ServiceError(
            f"start.servers: {wanted or 1} servers of {start.gpus_per_server} GPUs do not fit on {available} GPUs; "
            "lower servers or gpus_per_server"
        )
    return wanted, start.gpus_per_server


def _end(actors: Sequence[Any]) -> None:
    """Let every actor end its server and keep its log; then be rid of the actors."""
    for closing in [actor.close.remote() for actor in actors]:
        try:
            ray.get(closing)
        except RayActorError:
            continue  # it died before: its guard has ended the server
    for actor in actors:
        ray.kill(actor)
