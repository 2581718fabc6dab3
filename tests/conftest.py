"""Fixtures every test may use: the real recordings, and one thread for everything numeric."""

import os
from pathlib import Path

import hypothesis
import pytest
from threadpoolctl import threadpool_limits

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


hypothesis.settings.register_profile("joinery", deadline=None, derandomize=True)
hypothesis.settings.load_profile("joinery")  # a busy machine is no failure, and a red test is red for everyone


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for a browser, a server or a process they have killed."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real recordings; a user's clone does not have it, CI must."""
    if REAL.is_dir():
        return REAL
    if os.environ.get("CI") == "true":
        pytest.fail(
            f"real recordings are required in CI: expected a folder ../shared/real beside {REAL.parents[1].name}"
        )
    pytest.skip("real recordings are not part of a clone: ../shared/real is not there")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Two threads are slower than one on a busy two-core machine, and results must not depend on the count."""
    threadpool_limits(1)
