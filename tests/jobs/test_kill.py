"""Killed at random moments, again and again, a run ends with the same bytes as one that was left alone."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.conftest import BUDGET
from tests.jobs.runs import shard_bytes

OFTEN = pytest.mark.slow
LONGEST_S = 9.0
"""Start-up takes some 3 s, so most kills fall into the work."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("executor", "kills", "seed"),
    [
        ("inline", 5, 11),
        pytest.param("ray", 2, 12, marks=pytest.mark.slow),
        pytest.param("inline", 20, 13, marks=OFTEN),
        pytest.param("ray", 10, 14, marks=OFTEN),
    ],
)
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    recipe_file: Path, reference_bytes: dict[str, str], executor: str, kills: int, seed: int
) -> None:
    command = [sys.executable, "-m", "jobs.cli", "run", str(recipe_file), "--json"]
    command += ["--set", BUDGET, "--set", f"run.executor={executor}", "--set", "run.batch_items=1"]
    rng = random.Random(seed)
    killed = 0
    while killed < kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(1.0, LONGEST_S))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert finished.returncode == 0, finished.stderr
    assert shard_bytes(recipe_file.parent / "workspace") == reference_bytes
