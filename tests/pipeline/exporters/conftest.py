"""The published corpus of the shard tests, opened."""

import pytest

from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.conftest import blobs, filmed, folder, published, written

__all__ = ["blobs", "filmed", "folder", "opened", "published", "written"]


@pytest.fixture(scope="session")
def opened(folder: object) -> ShardSet:
    return ShardSet.open(str(folder))
