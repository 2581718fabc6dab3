"""Signing a published shard set: the one file that is added to it afterwards."""

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.names import SET
from pipeline.loader.reader import shard_set_folder
from pipeline.loader.signature import SIGNATURE, fingerprint, private_key, signed
from pipeline.shards.publish import set_id


@dataclass(frozen=True)
class Signed:
    """What was signed with what."""

    shard_set_id: str
    key: str
    """Fingerprint."""
    path: str


def sign(shards: str, storage: dict[str, str], key: Path) -> Signed:
    """Sign the set in this folder, or the present one of a ``shards`` folder; signing again gives the same bytes.

    Only ``set.json`` is looked at: `joinery verify` first says whether the files are those it lists. Raises
    JoineryError for a key that is none, StoreError for a set whose ``set.json`` is not what its id says.
    """
    secret = private_key(key)
    blobs: Blobs = shard_set_folder(shards, storage)
    described = blobs.read(SET)
    content = json.loads(described)
    stated = content.pop("shard_set_id")
    if set_id(content) != stated:
        raise StoreError(f"{blobs.url}/{SET}: its content has the id {set_id(content)}, it says {stated}: not signed")
    blobs.put_bytes(SIGNATURE, signed(described, secret).encode())
    return Signed(stated, fingerprint(secret.public_key()), f"{blobs.url}/{SIGNATURE}")
