"""What the browser plays instead of a recording: small H.264, with a key frame every 10 pictures.

Every picture of the view is in it once, at its own time, so that picture k of the proxy is picture k of the recording.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.clip import ClipEncoder
from pipeline.cut import view_frames
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from schemas.array import Ints
from schemas.episode import Camera
from schemas.recipe import ClipSpec
from schemas.source import EpisodeRef

SPEC = ClipSpec(short_side=480, gop=10)


@dataclass(frozen=True, eq=False)
class Proxy:
    """A file ``<sha256>.mp4`` and what is in it."""

    sha256: str
    width: int
    height: int
    n_frames: int
    edges_ns: Ints
    """int64 [n + 1]: when each picture appears, from the first one, and when the last one ends."""


def proxy_of(ref: EpisodeRef, files: SourceFiles, camera: Camera, folder: Path) -> Proxy:
    """One view as a file in ``folder``, named after its content and there completely or not at all.

    Raises SourceError when the pictures are not those that ingest saw.
    """
    encoder = ClipEncoder(SPEC)
    origin_ns = camera.video.start_ns - int(camera.times_ns[0])
    number = 0
    for pts_ns, frame in view_frames(ref, files, camera):
        if number == camera.n_frames:
            break
        if pts_ns - origin_ns != int(camera.times_ns[number]):
            raise SourceError(f"{ref.locator}, view {camera.name}: frame {number} is not where ingest saw it")
        encoder.add(int(camera.times_ns[number]), frame)
        number += 1
    if number < camera.n_frames:
        raise SourceError(f"{ref.locator}, view {camera.name}: found {number} frames, ingest saw {camera.n_frames}")
    clip = encoder.finish(camera.end_ns)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{clip.sha256}.{os.getpid()}.part"
    with partial.open("wb") as file:
        file.write(clip.mp4)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / f"{clip.sha256}.mp4")
    edges_ns = np.append(camera.times_ns, camera.end_ns).astype(np.int64)
    return Proxy(clip.sha256, clip.width, clip.height, clip.n_frames, edges_ns - edges_ns[0])
