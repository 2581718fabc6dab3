"""The revision: what people said, as one file of the workspace that the ledger takes as an input of `segment`.

One JSON line per episode, in order of id, then a line that says how many there were and what they hash to. The same
reviews give the same bytes; a file that was cut short is refused, not half used. It appears whole or not at all
(`pipeline.blobs`), so whoever kills an export leaves the one before it.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from schemas.identity import canonical_json
from schemas.review import Review

PATH = "reviews/revision.jsonl"
_REVIEW: TypeAdapter[Review] = TypeAdapter(Review)
_FORMAT = 1


@dataclass(frozen=True)
class Revision:
    """What the last line of the file says."""

    at_rev: int
    """Entries of the review's log that it stands on."""
    episodes: int
    sha256: str
    """Of the lines before; the same reviews have the same one, whatever the log went through."""


def dump_review(review: Review) -> str:
    """A review as one line of text, the same for the same review."""
    return canonical_json(review.dumped())


def load_review(line: str | bytes) -> Review:
    """The inverse of `dump_review`; raises pydantic's ValidationError for what is none."""
    return _REVIEW.validate_json(line)


def written(reviews: Iterable[Review], at_rev: int, stream: BinaryIO) -> Revision:
    """Write reviews, sorted by episode."""
    hasher, n = hashlib.sha256(), 0
    for review in reviews:
        line = (dump_review(review) + "\n").encode()
        hasher.update(line)
        n += 1
        stream.write(line)
    revision = Revision(at_rev, n, hasher.hexdigest())
    stream.write((canonical_json({"joinery_reviews": _FORMAT, **vars(revision)}) + "\n").encode())
    return revision


def publish(blobs: Blobs, reviews: Iterable[Review], at_rev: int) -> Revision:
    """Replace the workspace's revision. Raises ConflictError when another export has replaced it meanwhile."""
    made: list[Revision] = []
    blobs.put_over(blobs.version(PATH), PATH, lambda stream: made.append(written(reviews, at_rev, stream)))
    return made[0]


def reviews_in(blobs: Blobs) -> Iterator[Review]:
    """The workspace's reviews, by episode; none where nothing was ever exported.

    Raises StoreError for a file that is damaged or from another version, after what was whole has been given out.
    """
    if not blobs.exists(PATH):
        return
    hasher, n, last = hashlib.sha256(), 0, ""
    with blobs.open(PATH) as stream:
        for raw in _lines(stream):
            if raw.startswith(b'{"at_rev"'):
                last = raw.decode()
                continue
            hasher.update(raw)
            n += 1
            yield _review(raw, n)
    found = {"episodes": n, "joinery_reviews": _FORMAT, "sha256": hasher.hexdigest()}
    try:
        said = json.loads(last or "{}")
    except json.JSONDecodeError:
        said = {}
    if {name: said.get(name) for name in found} != found:
        raise _damaged(f"found {n} whole episodes, its last line says {last.strip() or 'nothing'}")


def revision_of(blobs: Blobs) -> Revision | None:
    """What the workspace's revision says of itself; None where nothing was ever exported."""
    if not blobs.exists(PATH):
        return None
    with blobs.open(PATH) as stream:
        last = deque(_lines(stream), maxlen=1)
    try:
        said = json.loads(last[0])
        return Revision(said["at_rev"], said["episodes"], said["sha256"])
    except (IndexError, KeyError, json.JSONDecodeError, TypeError) as error:
        raise _damaged("its last line is missing") from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 20):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def _review(raw: bytes, line: int) -> Review:
    try:
        return load_review(raw)
    except ValidationError as error:
        raise _damaged(f"line {line}: {error.errors()[0]['msg']}") from error


def _damaged(what: str) -> StoreError:
    return StoreError(f"{PATH}: {what}; it was damaged, or another version wrote it: run `joinery review export` again")
