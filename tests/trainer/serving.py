"""A policy server in a process of its own: what tests of servers and clients talk to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def served(run: Path, *options: str) -> Iterator[str]:
    """The address of `joinery policy serve` on a free port; it must end by itself when told to."""
    command = [sys.executable, "-m", "jobs.cli", "policy", "serve", str(run), "--port", "0", *options]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ws://" in line, line
        yield "ws://" + line.split("ws://")[1].split()[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
