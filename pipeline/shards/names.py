"""Names inside a shard. WebDataset cuts a member's name at the first dot and lower-cases the rest: names obey that."""

import hashlib
import re
from collections.abc import Sequence

from schemas.plan import Draw

MAX_CAMERA = 48
"""With the longest key and ``.mp4`` a member's name stays under the 100 characters of a plain tar header."""
_CLASH_DIGITS = 6


def sample_key(draw: Draw) -> str:
    """``<t>-<event>``: sorts in drawing order, unique in its split, and leads back to the event. No dots."""
    return f"{draw.t:08d}-{draw.event_id.rsplit('-', 1)[-1]}"


def camera_names(cameras: Sequence[str]) -> dict[str, str]:
    """Camera to its name in the shard: lower-case letters, digits, ``_`` and ``-``.

    Names that would clash or are too long end in six digits of their digest, so a name never depends on its
    neighbours' order.
    """
    plain = {camera: re.sub(r"[^a-z0-9_-]+", "_", camera.lower()).strip("_") or "camera" for camera in cameras}
    values = list(plain.values())
    return {
        camera: name if len(name) <= MAX_CAMERA and values.count(name) == 1 else _marked(camera, name)
        for camera, name in plain.items()
    }


def _marked(camera: str, name: str) -> str:
    mark = hashlib.sha256(camera.encode()).hexdigest()[:_CLASH_DIGITS]
    return f"{name[: MAX_CAMERA - _CLASH_DIGITS - 1]}_{mark}"
