"""Which shard set of a workspace is the present one: the one ``shards/latest.json`` names."""

import json

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.reader import LATEST, REPLACED, SET, replaced_message
from pipeline.shards.json_text import pretty

SHARDS = "shards"


def point_at(blobs: Blobs, shard_set_id: str) -> None:
    """Make this set the one readers find. A run does so when it has succeeded, never before."""
    content = {"path": f"{SHARDS}/{shard_set_id}", "shard_set_id": shard_set_id}
    blobs.put_bytes(f"{SHARDS}/{LATEST}", pretty(content).encode())


def shard_set_path(blobs: Blobs, shard_set_id: str | None = None) -> str:
    """The folder of a set below the workspace root; without an id the present one. Raises StoreError without one."""
    if shard_set_id is None:
        if not blobs.exists(f"{SHARDS}/{LATEST}"):
            raise StoreError(f"{blobs.url}: no shard set yet; `joinery run RECIPE` publishes one")
        shard_set_id = json.loads(blobs.read(f"{SHARDS}/{LATEST}"))["shard_set_id"]
    path = f"{SHARDS}/{shard_set_id}"
    if not blobs.exists(f"{path}/{SET}") and blobs.exists(f"{path}/{REPLACED}"):
        raise StoreError(f"{shard_set_id}: {replaced_message(json.loads(blobs.read(f'{path}/{REPLACED}')))}")
    if not blobs.exists(f"{path}/{SET}"):
        published = sorted({name.split("/")[1] for name in blobs.list(SHARDS) if name.count("/") > 1})
        raise StoreError(f"{blobs.url}: no shard set {shard_set_id}; there are {', '.join(published) or 'none'}")
    return path
