"""One filmed corpus and one published set for all tests that only read them."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.blobs import Blobs
from schemas.shard import ShardSet
from tests.pipeline.shards.corpus import Corpus, corpus, publish_set, write_shards


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(str(tmp_path_factory.mktemp("workspace")))


@pytest.fixture(scope="session")
def written(filmed: Corpus, blobs: Blobs) -> list[Any]:
    """The shard stage's records."""
    return write_shards(filmed, blobs)


@pytest.fixture(scope="session")
def published(filmed: Corpus, blobs: Blobs, written: list[Any]) -> ShardSet:
    """A set nobody may change."""
    (found,) = publish_set(filmed, blobs, written)
    assert isinstance(found, ShardSet)
    return found


@pytest.fixture(scope="session")
def folder(published: ShardSet, blobs: Blobs) -> Path:
    """The published set's folder."""
    return Path(blobs.url) / published.path
