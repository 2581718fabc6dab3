"""SIGKILL of the server that writes captions, while it is asked; it comes back at the same address, or too late.

The server is the stand-in of the tests (`tests/jobs/clerk.py`), a process of its own: what is tested is our side, and a
language model on a busy CPU takes minutes. `tests/jobs/vllm/test_river.py` does the same with a real vLLM.
"""

import random
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import Moment
from jobs.vllm.server import free_port
from tests.jobs.clerk import MODEL

PATIENCE_S = 3.0
SERVER = "import sys; from tests.jobs.clerk import serve; serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])"


class Server:
    """At an address that every node reaches, dead or alive."""

    def __init__(self, host: str, notebook: Path) -> None:
        self._host, self._port = host, free_port(host)
        self.url, self._notebook = f"http://{host}:{self._port}/v1", notebook
        self.begin()

    def begin(self) -> None:
        """Returns once it answers."""
        command = [sys.executable, "-c", SERVER, self._host, str(self._port), str(self._notebook)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def trial(ground: Ground, rng: random.Random) -> Happened:
    """Killed some time after the stage began; away for less or more than the run's patience."""
    server = ground.kept("vlm_server", lambda: _server(ground), Server.kill)
    by = f"caption.by={{method: vlm, model: {MODEL}, revision: '1', canary_one_in: 0}}"
    wait = f"patience_s: {PATIENCE_S}, first_pause_s: 0.05, attempts: 5"
    asked = f"run.vlm={{endpoints: [{{url: '{server.url}'}}], {wait}}}"
    seconds = ground.measured((by, asked)).seconds["caption"]
    place = ground.place(by, asked)
    moment, away = Moment("caption", rng.uniform(0.0, max(0.5, seconds))), rng.uniform(0.0, 2 * PATIENCE_S)
    run, injected = ground.start(place), 0
    if run.wait_for(moment):
        server.kill()
        injected = 1
        time.sleep(away)
        server.begin()
    status, wrong = run.end(), []
    if status == 1 and server.url not in (failed := ground.reasons(place).failed_run):
        wrong.append(f"why says {failed!r}")
    said = last_lines(run.said) if status else ""
    did = f"SIGKILL server, away for {away:.1f} s of {PATIENCE_S:g} s patience"
    statuses = ground.finish(place, status)
    return Happened(place, str(moment), did, injected, statuses, (0, 1), said, tuple(wrong))


def _server(ground: Ground) -> Server:
    return Server(ground.cluster.host, ground.new_folder() / "notebook.jsonl")
