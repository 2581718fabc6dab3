"""Requests for windows of the made events."""

from pathlib import Path
from typing import Any

from pipeline.blobs import Blobs
from pipeline.loader.locations import Location, read_locations
from pipeline.loader.window import Request, Seen
from schemas.load_plan import WindowKind
from tests.pipeline.loader.made_shards import MadeEvent

SEEN = Seen(max_views=2, max_frames=9, frames_per_latent=4)


def location(shards: Path, event: int) -> Location:
    found = read_locations(Blobs(str(shards)))
    return found[found.event_id.tolist().index(MadeEvent(event).event_id.encode())]


def request(shards: Path, event: int, first_frame: int = 0, n_frames: int | None = None, **changed: Any) -> Request:
    n_frames = MadeEvent(event).n_frames - first_frame if n_frames is None else n_frames
    kind = WindowKind.SUFFIX if first_frame else WindowKind.EVENT
    given: dict[str, Any] = {
        "draw": 7,
        "attempt": 0,
        "row": 0,
        "cell": MadeEvent(event).cell,
        "kind": kind,
        "first_frame": first_frame,
        "n_frames": n_frames,
        "n_tokens": 10,
        "location": location(shards, event),
        "seen": SEEN,
    }
    return Request(**{**given, **changed})
