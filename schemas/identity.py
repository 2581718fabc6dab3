"""Identity by content: how every id in Joinery is made.

An id never comes from a path, a list position, a Ray block or a clock, because all of these change
when a bucket moves or a run is resumed. It is the SHA-256 of what the thing *is*. A two-letter prefix
says what kind of thing an id names, so that ``joinery trace`` can take any of them.
"""

import hashlib
import json
from collections.abc import Sequence

ID_HEX_DIGITS = 32
"""128 bits: at 10^9 ids the chance of any collision is below 10^-20."""


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces, no NaN. Raises ValueError on NaN or infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(*parts: str | bytes) -> str:
    """SHA-256 hex of the parts, each preceded by its length so that no two part lists collide."""
    hasher = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(8, "little"))
        hasher.update(raw)
    return hasher.hexdigest()


def make_id(prefix: str, *parts: str | bytes) -> str:
    """A content id such as ``ep-3f…``: prefix, dash, the first 128 bits of the parts' digest."""
    return f"{prefix}-{digest(prefix, *parts)[:ID_HEX_DIGITS]}"


def work_key(stage: str, version: int, slice_digest: str, revision: str, inputs: Sequence[str]) -> str:
    """The key under which a stage's result for one item is committed (architecture.md, "Identity and work keys").

    ``slice_digest`` covers the recipe slice the stage reads, ``revision`` its models and prompts,
    ``inputs`` the output keys of what it read, in the order the stage declares them. The separator
    cannot occur in any of the parts. `pipeline.ledger` computes the same value in SQL.
    """
    return hashlib.sha256("|".join([stage, str(version), slice_digest, revision, *inputs]).encode()).hexdigest()


ANEW = "anew:"
"""Before a predecessor's work key: what it decided was decided again."""


def continued_key(key: str, continues: str) -> str:
    """The work key of a stage that goes on from a result of its own: history is an input like any other.

    ``key`` is the `work_key` of its other inputs. ``continues`` is the predecessor's work key, `ANEW` before it where
    the stage was told to decide again, and empty for the first result of a workspace.
    """
    return hashlib.sha256(f"{key}|{continues}".encode()).hexdigest()
