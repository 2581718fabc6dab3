"""The ray executor owns its session: it starts one when asked, and nothing else does."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("before", ["", "RayExecutor(None, 1).close()"])
def test_only_an_executor_starts_ray(before: str) -> None:
    """Ray Data's threads outlive a shutdown; a call of theirs must not start a cluster that dies with the thread."""
    program = f"""
from jobs.ray_executor import RayExecutor
import ray

{before}
try:
    ray.put(1)
except ray.exceptions.RaySystemError:
    print("refused", ray.is_initialized())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["refused", "False"]
