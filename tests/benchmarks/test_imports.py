"""Every benchmark can be started: what it takes from the rest of the tree is still there.

Benchmarks are measured by hand and not by the tests, so a name that has moved would be noticed months later.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {"megatron", "grain", "litdata", "streaming", "lerobot", "mujoco"}
"""Libraries of the environments that `make peers`, `make readback` and `make sim` make."""
IMPORT_ALL = """
import importlib, pkgutil, benchmarks
for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {elsewhere}:
            print(module.name, error)
    except ImportError as error:
        print(module.name, error)
"""


@pytest.mark.timeout(300)
def test_every_benchmark_imports() -> None:
    code = IMPORT_ALL.replace("{elsewhere}", repr(ELSEWHERE))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
