"""The published corpus of the shard tests, and what is needed to spoil a copy of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.blobs import Blobs
from pipeline.cards.check import card_problems
from pipeline.cards.folder import SetFiles, set_files
from schemas.shard import ShardSet
from tests.pipeline.shards.conftest import blobs, filmed, folder, published, written

__all__ = ["blobs", "filmed", "folder", "published", "written"]


@pytest.fixture
def copy(folder: Path, published: ShardSet, tmp_path: Path) -> Path:
    """The set, to be spoiled."""
    return Path(shutil.copytree(folder, tmp_path / published.path))


@pytest.fixture
def of(blobs: Blobs, published: ShardSet) -> Iterator[SetFiles]:
    files = set_files(blobs, published.path)
    yield files
    files.query.close()


def problems(copy: Path) -> list[str]:
    return list(card_problems(Blobs(str(copy.parents[1])), f"shards/{copy.name}"))


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)
