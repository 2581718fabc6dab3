"""Where every member of a sample lies in its tar: what the manifest tells readers, so that a view is one range read."""

import hashlib
from collections.abc import Iterator, Mapping

from pipeline.shards.tar import places
from schemas.shard import MemberRange

Pictures = tuple[int, int, int]
"""Frames, width and height of a view."""
NO_PICTURES: Pictures = (0, 0, 0)


def member_ranges(data: bytes, offset: int, pictures: Mapping[str, Pictures], where: str) -> Iterator[MemberRange]:
    """The members of the sample ``data``, which lies at ``offset``; ``pictures`` by extension.

    Raises ValueError naming ``where`` when the bytes are not whole members.
    """
    for name, start, size in places(data, where):
        extension = name.partition(".")[2]
        sha256 = hashlib.sha256(data[start : start + size]).hexdigest()
        yield MemberRange(extension, offset + start, size, sha256, *pictures.get(extension, NO_PICTURES))
