"""Readers are led to the present shard set, and told what there is when it is not there."""

import json
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.shards.latest import point_at, shard_set_path


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path))


def test_the_newest_set_is_the_one_pointed_at(blobs: Blobs) -> None:
    for name in ("ss-1", "ss-2"):
        blobs.put_bytes(f"shards/{name}/set.json", b"{}")
        point_at(blobs, name)
    assert shard_set_path(blobs) == "shards/ss-2"
    assert shard_set_path(blobs, "ss-1") == "shards/ss-1"
    assert json.loads(blobs.read("shards/latest.json"))["path"] == "shards/ss-2"


def test_without_any_set_it_says_how_to_publish_one(blobs: Blobs) -> None:
    with pytest.raises(StoreError, match="no shard set yet; `joinery run RECIPE` publishes one"):
        shard_set_path(blobs)


def test_an_unknown_set_is_answered_with_the_known_ones(blobs: Blobs) -> None:
    blobs.put_bytes("shards/ss-1/set.json", b"{}")
    with pytest.raises(StoreError, match="no shard set ss-9; there are ss-1"):
        shard_set_path(blobs, "ss-9")
