"""The same set on an object store: published, verified and read by the same code."""

from pathlib import Path

from pipeline.blobs import Blobs
from pipeline.loader.reader import ShardSet
from pipeline.shards.verify import verify
from tests.pipeline.s3_server import s3_bucket
from tests.pipeline.shards.corpus import Corpus, publish_set, write_shards


def test_an_object_store_holds_the_same_set(filmed: Corpus, folder: Path) -> None:
    with s3_bucket("bucket") as storage:
        blobs = Blobs("s3://bucket/ws", storage)
        (found,) = publish_set(filmed, blobs, write_shards(filmed, blobs))
        assert found.path.endswith(folder.name)
        assert verify(blobs, found.path).problems == ()
        opened = ShardSet.open("s3://bucket/ws/shards", storage)
        local = ShardSet.open(str(folder))
        assert opened.read("train", 7).views == local.read("train", 7).views
