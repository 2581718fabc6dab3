"""The published corpus of the shard tests, opened; and a set of many small events with a plan over it."""

from pathlib import Path

import pytest

from pipeline.loader.reader import ShardSet
from tests.pipeline.loader.made_shards import write_load_plan, write_set
from tests.pipeline.shards.conftest import blobs, filmed, folder, published, written

__all__ = ["blobs", "filmed", "folder", "opened", "published", "written"]

N_EVENTS, N_STEPS = 60, 24


@pytest.fixture(scope="session")
def opened(folder: object) -> ShardSet:
    return ShardSet.open(str(folder))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set that nobody may change; eight of its events are drawn twice."""
    return write_set(tmp_path_factory.mktemp("made") / "set", [*range(N_EVENTS), *range(8)])


@pytest.fixture(scope="session")
def load_plan(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled plan over it."""
    path = tmp_path_factory.mktemp("plan") / "plan"
    write_load_plan(path, made, N_STEPS)
    return path
