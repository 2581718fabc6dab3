"""What was made of a workspace's shard sets and lies elsewhere: exports, load plans, training runs.

`joinery forget` cannot reach them, so it must at least be able to say which there are.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass

from pipeline.blobs import Blobs, is_local
from pipeline.loader.names import LATEST
from pipeline.loader.reader import shard_set_folder
from pipeline.shards.json_text import pretty
from pipeline.shards.latest import SHARDS
from schemas.identity import digest

FOLDER = "handed_out"


@dataclass(frozen=True, order=True)
class HandedOut:
    """One thing made of one set."""

    what: str
    where: str
    shard_set_id: str


def remember(blobs: Blobs, made: HandedOut) -> None:
    """Remember it; the same again is one."""
    blobs.put_bytes(f"{FOLDER}/{digest(*vars(made).values())[:32]}.json", pretty(vars(made)).encode())


def remember_made(what: str, where: str, shards: str, storage: dict[str, str] | None = None) -> None:
    """Remember what was made of a workspace's set, given the set's folder or the ``shards`` folder above it.

    A set that lies alone has no workspace, and one that can only be read has nobody who could write this down.
    """
    blobs = shard_set_folder(shards, storage)
    above, _, shard_set_id = blobs.url.rpartition("/")
    workspace = Blobs(above.removesuffix(f"/{SHARDS}"), blobs.storage)
    place = os.path.abspath(where) if is_local(where) else where
    with suppress(OSError):
        if workspace.exists(f"{SHARDS}/{LATEST}"):
            remember(workspace, HandedOut(what, place, shard_set_id))


def handed_out(blobs: Blobs) -> list[HandedOut]:
    """Everything remembered, sorted."""
    return sorted(HandedOut(**json.loads(blobs.read(path))) for path in blobs.list(FOLDER))
