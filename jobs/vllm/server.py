"""One vLLM server: started under a guard, watched by a thread, restarted a bounded number of times.

It keeps its address over restarts, so that clients need not be told: to them a restart is an outage. A server that
never became ready is not started again, because its options or its weights are wrong and the log says which.
"""

import socket
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import httpx2

from annotators.vlm.endpoint import Server
from jobs.vllm import guard
from jobs.vllm.command import Command
from pipeline.errors import ServiceError
from schemas.recipe_vlm import StartVllm

POLL_S = 0.5
HEALTH_S = 2.0
SHOWN_LINES = 15


@dataclass(frozen=True)
class ServerState:
    """How a server is."""

    ready: bool
    restarts: int
    trouble: str
    """Why it was last restarted, or given up."""
    given_up: bool


class VllmServer:
    """A server process and the thread that watches it. `close` ends both; so does the end of this process."""

    def __init__(self, command: Command, server: Server, spec: StartVllm) -> None:
        """Start it; ``server`` is what the command listens on and where its log goes."""
        self.server = server
        self._command, self._log, self._spec = command, Path(server.log), spec
        self._health = f"{server.url.removesuffix('/v1')}/health"
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._state = ServerState(ready=False, restarts=0, trouble="", given_up=False)
        self._was_ready = False
        self._well_at = self._launched_at = time.monotonic()
        self._process = self._launch()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def state(self) -> ServerState:
        with self._lock:
            return self._state

    def wait_ready(self) -> Server:
        """Its address once it answers. Raises ServiceError with the end of its log when it ends first."""
        while not (state := self.state).ready:
            if state.given_up:
                raise ServiceError(f"{self.server.url}: {state.trouble}; {self._log} ends with\n{self._log_end()}")
            time.sleep(POLL_S)
        return self.server

    def close(self) -> None:
        """End the server and its watcher."""
        self._closing.set()
        self._watcher.join()
        self._end_process()

    def _watch(self) -> None:
        while not self._closing.wait(POLL_S):
            trouble = self._trouble()
            if trouble is None:
                continue
            self._end_process()
            with self._lock:
                spent = self._state.restarts >= self._spec.restarts
                more = 0 if spent or not self._was_ready else 1
                self._state = ServerState(False, self._state.restarts + more, trouble, given_up=not more)
            if not more:
                return
            self._process = self._launch()

    def _trouble(self) -> str | None:
        """What is wrong with the server, if anything; notes on the way whether it is ready."""
        status = self._process.poll()
        if status is not None:
            return f"the server ended with status {status}"
        now = time.monotonic()
        if self._answers():
            self._well_at, self._was_ready = now, True
            self._note_ready(True)
            return None
        if self.state.ready or self._well_at > self._launched_at:
            silent = now - self._well_at
            if silent > self._spec.hung_s:
                return f"the server was silent for {silent:.0f} s"
        elif now - self._launched_at > self._spec.ready_s:
            return f"the server was not ready after {self._spec.ready_s:g} s (start.ready_s)"
        return None

    def _note_ready(self, ready: bool) -> None:
        with self._lock:
            state = self._state
            self._state = ServerState(ready, state.restarts, state.trouble, state.given_up)

    def _answers(self) -> bool:
        try:
            return httpx2.get(self._health, timeout=HEALTH_S, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def _launch(self) -> "subprocess.Popen[bytes]":
        self._launched_at = time.monotonic()
        line = [sys.executable, guard.__file__, *self._command.line]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            log.write(f"\njoinery starts: {self._command.shown}\n".encode())
            log.flush()
            return subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(self._command.environment),
                start_new_session=True,
            )

    def _end_process(self) -> None:
        """Close the guard's pipe and wait until it has ended everything."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(2 * guard.GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _log_end(self) -> str:
        with self._log.open("rb") as log:
            return b"".join(deque(log, SHOWN_LINES)).decode("utf-8", "replace").rstrip()


def free_port(host: str) -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
