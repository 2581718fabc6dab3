"""Signatures of shard sets: who made a set, and that nothing of it was changed since.

``signature.json`` beside ``set.json`` signs that file's bytes; it holds the SHA-256 of every other file of the set, and
the manifest among those the SHA-256 of every sample. So one Ed25519 signature covers all, and the same set and key give
the same bytes. What is signed begins with what it is, so that a signature of anything else is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import JoineryError, StoreError
from pipeline.shards.json_text import pretty

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "signature.json"
_CONTEXT = b"joinery shard set 1\n"
_HOW = (
    "`openssl genpkey -algorithm ed25519 -out private.pem` makes a key, and `openssl pkey -in private.pem -pubout -out "
    "public.pem` what others check with"
)


def private_key(path: str | Path) -> Ed25519PrivateKey:
    """The key to sign with. Raises JoineryError for what is none, and for one that other people may read."""
    crypto = _cryptography()
    place, data = Path(path), _bytes(path)
    if place.stat().st_mode & 0o077:
        raise JoineryError(f"{path}: others may read this private key; `chmod 600 {place.name}`")
    try:
        found = crypto.load_pem_private_key(data, None)
    except (ValueError, TypeError, crypto.UnsupportedAlgorithm) as error:
        raise JoineryError(f"{path}: no private key in PEM without a passphrase ({_first(error)}); {_HOW}") from error
    if not isinstance(found, crypto.Private):
        raise JoineryError(f"{path}: a private key of another kind, expected Ed25519; {_HOW}")
    return cast("Ed25519PrivateKey", found)


def public_key(path: str | Path) -> Ed25519PublicKey:
    """The key to check with. Raises JoineryError for what is none."""
    crypto = _cryptography()
    try:
        found = crypto.load_pem_public_key(_bytes(path))
    except (ValueError, TypeError, crypto.UnsupportedAlgorithm) as error:
        raise JoineryError(f"{path}: no public key in PEM ({_first(error)}); {_HOW}") from error
    if not isinstance(found, crypto.Public):
        raise JoineryError(f"{path}: a public key of another kind, expected Ed25519; {_HOW}")
    return cast("Ed25519PublicKey", found)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Sixteen hex digits by which people tell keys apart."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def signed(described: bytes, key: Ed25519PrivateKey) -> str:
    """``signature.json`` for a ``set.json``."""
    signature = base64.b64encode(key.sign(_CONTEXT + described)).decode()
    return pretty({"algorithm": "ed25519", "key": fingerprint(key.public_key()), "signature": signature})


def signer(signature: bytes) -> str:
    """The fingerprint a signature names; proven by `check` alone. Raises StoreError."""
    try:
        return str(json.loads(signature)["key"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{SIGNATURE}: cannot be read ({error}); fetch the set again") from error


def check(described: bytes, signature: bytes | None, key: Ed25519PublicKey, where: str) -> None:
    """Raises StoreError unless ``set.json`` was signed with this key and is as it was then."""
    if signature is None:
        raise StoreError(f"{where}: not signed, and a signature is required; `joinery sign` signs a set")
    own, stated = fingerprint(key), signer(signature)
    if stated != own:
        raise StoreError(f"{where}: signed with key {stated}, expected {own}; whose set is this?")
    try:
        key.verify(base64.b64decode(json.loads(signature)["signature"], validate=True), _CONTEXT + described)
    except (_cryptography().InvalidSignature, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise StoreError(
            f"{where}: the signature is not of these bytes; set.json or {SIGNATURE} was changed after signing: do not "
            "train on this set, fetch it again"
        ) from error


def _bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise JoineryError(f"{path}: cannot be read ({error.strerror}); name the file of a key") from error


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


class _Names:
    """What is used of the cryptography library, which only signing needs."""

    def __init__(self) -> None:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
            load_pem_public_key,
        )

        self.InvalidSignature, self.UnsupportedAlgorithm = InvalidSignature, UnsupportedAlgorithm
        self.Private, self.Public = ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey
        self.load_pem_private_key, self.load_pem_public_key = load_pem_private_key, load_pem_public_key


def _cryptography() -> Any:
    try:
        return _Names()
    except ImportError as error:
        raise JoineryError(f"{error}; signatures need the extra: pip install 'joinery[sign]'") from error
