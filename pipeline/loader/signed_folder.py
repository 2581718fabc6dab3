"""A shard set's folder of which nothing is read that was not signed.

Every file but the tars is held against its SHA-256 in ``set.json`` each time it is opened, and what is read is the very
bytes that were looked at: whoever may write to the folder cannot change one in between. Tars are too large for that;
of those every sample or member is held against the manifest when it is read.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from pipeline.blobs import Blobs, Ranges
from pipeline.errors import StoreError
from pipeline.loader.names import LATEST, REPLACED, SET
from pipeline.loader.signature import SIGNATURE, check, public_key

SIGNED_BY = "signed_by"
"""Key of ``storage`` that names the file of a public key: how a set is trusted travels with how it is reached."""
_UNSIGNED = (LATEST, REPLACED, SIGNATURE)
"""What says where a set is; believing it leads to a set, which is signed or refused."""


@dataclass(frozen=True)
class SignedBlobs(Blobs):
    """`Blobs` of one set's folder; ``storage`` names the key."""

    def open(self, path: str) -> BinaryIO:
        """A file of the set. Raises StoreError for one that is not as it was signed."""
        return super().open(path) if path.endswith(".tar") else io.BytesIO(self.read(path))

    def ranges(self, path: str) -> Ranges:
        """Of a tar, whose parts are looked at by whoever reads them. Raises StoreError for any other file."""
        if not path.endswith(".tar"):
            raise StoreError(f"{self.url}/{path}: a part of it proves nothing; read it whole")
        return super().ranges(path)

    def read(self, path: str) -> bytes:
        """The whole file. Raises StoreError for one that is not as it was signed."""
        if path == SET:
            return self._described
        data = super().read(path)
        if path in _UNSIGNED or path.endswith(".tar"):
            return data
        expected = self._digests.get(path)
        if hashlib.sha256(data).hexdigest() != expected:
            what = "is not among the signed files" if expected is None else "was changed after signing"
            raise StoreError(f"{self.url}/{path}: {what}; do not train on this set, fetch it again")
        return data

    def __reduce__(self) -> tuple[type["SignedBlobs"], tuple[str, dict[str, str]]]:
        """Also in a loader's workers nothing is read that was not signed."""
        return SignedBlobs, (self.url, self.storage)

    @cached_property
    def _described(self) -> bytes:
        described = super().read(SET)
        signature = super().read(SIGNATURE) if self.exists(SIGNATURE) else None
        check(described, signature, public_key(self.storage[SIGNED_BY]), self.url)
        return described

    @cached_property
    def _digests(self) -> dict[str, str]:
        return dict(json.loads(self._described)["files"])
