"""Which shard set of a workspace is the present one: the one ``shards/latest.json`` names."""

import json
from typing import cast

from pipeline.blobs import Blobs
from pipeline.errors import ConflictError, StoreError
from pipeline.loader.names import LATEST, REPLACED, SET
from pipeline.loader.reader import replaced_message
from pipeline.shards.json_text import pretty

SHARDS = "shards"


def present_version(blobs: Blobs) -> str:
    """Which ``latest.json`` there is now, for `point_at` later."""
    return blobs.version(f"{SHARDS}/{LATEST}")


def point_at(blobs: Blobs, shard_set_id: str, over: str | None = None) -> None:
    """Make this set the one readers find. A run does so when it has succeeded, never before.

    ``over`` is the `present_version` of when the run began (default: of now). Raises ConflictError when another run has
    made another set the present one since: which of the two is newer nobody but their owner knows.
    """
    content = pretty({"path": f"{SHARDS}/{shard_set_id}", "shard_set_id": shard_set_id}).encode()
    over = present_version(blobs) if over is None else over
    try:
        blobs.put_over(over, f"{SHARDS}/{LATEST}", lambda stream: cast(None, stream.write(content)))
    except ConflictError as error:
        raise ConflictError(
            f"{blobs.url}/{SHARDS}/{LATEST}: another run has published another set meanwhile, which stays the present "
            f"one; {shard_set_id} is published too: run again to make it the present one"
        ) from error


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
