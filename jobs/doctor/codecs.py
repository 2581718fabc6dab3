"""Pictures in and out: one film of every codec decoded to known pictures, and one clip encoded to known bytes."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import av
import numpy as np

from jobs.doctor.check import Check, broken, doubtful, well
from pipeline.clip import ClipEncoder
from pipeline.errors import SourceError
from pipeline.video import FROM_THE_START, TO_THE_END, frames
from schemas.episode import VideoWindow
from schemas.recipe import ClipSpec

ENCODED = "7dcbada063f6f04eb25261fe8e05a4ae4cfde8ad6d5762cc43859a0ca4f0c2e2"
"""SHA-256 of the clip below."""
ENCODED_BY = "18.1.0"
"""The PyAV whose wheel carries the encoder that wrote it; another release of x264 may write other bytes."""
_EXACT = ("h264", "hevc", "av1", "vp9")
"""Their standards say every bit of every picture. MPEG-4's leaves the inverse transform its rounding."""
_ADVICE = "pip install --force-reinstall --constraint constraints.txt av"


class Film(NamedTuple):
    """Three pictures of one codec."""

    codec: str
    pictures: str
    """SHA-256 of the decoded pictures."""
    file: bytes


def codecs() -> Iterator[Check]:
    """Every codec that sources come in, then the one that clips go out in."""
    for film in films():
        yield _decoded(film)
    yield _encoded()


@cache
def films() -> tuple[Film, ...]:
    """The films that lie beside this file."""
    lines = files("jobs.doctor").joinpath("films.txt").read_text(encoding="utf-8").splitlines()
    return tuple(Film(codec, pictures, base64.b64decode(file)) for codec, pictures, file in map(str.split, lines))


def pictures_of(film: Film) -> str:
    """SHA-256 of a film's pictures as `ingest` decodes them."""
    hasher, window = hashlib.sha256(), VideoWindow("video/main", 0, FROM_THE_START, TO_THE_END)
    for picture in frames(io.BytesIO(film.file), window, f"the film of {film.codec}"):
        hasher.update(picture.frame.to_ndarray(format="yuv420p").tobytes())
    return hasher.hexdigest()


def encoded_clip() -> str:
    """SHA-256 of a short clip as `cut` encodes it: the same on every machine, whatever its processor."""
    encoder, noise = ClipEncoder(ClipSpec()), np.random.default_rng(0)
    still = noise.integers(0, 255, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    for i in range(6):
        picture = np.roll(still, 5 * i, axis=1)
        encoder.add(i * 50_000_000, av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"))
    return encoder.finish(300_000_000).sha256


def _decoded(film: Film) -> Check:
    name = f"decode {film.codec}"
    try:
        found = pictures_of(film)
    except SourceError as error:
        return broken(name, str(error), "three pictures", _ADVICE)
    if found == film.pictures:
        return well(name, "three pictures, every bit as expected")
    if film.codec in _EXACT:
        return broken(name, "other pictures than the film holds", "the standard's, to the last bit", _ADVICE)
    advice = "results from such films will not be those of other machines, byte for byte"
    return doubtful(name, "pictures with other last bits", f"those of PyAV {ENCODED_BY}", advice)


def _encoded() -> Check:
    found = encoded_clip()
    if found == ENCODED:
        return well("encode h264", "a clip, byte for byte as promised")
    said = f"a clip with SHA-256 {found[:12]}… by PyAV {av.__version__}"
    if av.__version__ != ENCODED_BY:
        advice = f"install av=={ENCODED_BY} on all machines, or this one on all: clips of two encoders differ"
        return doubtful("encode h264", said, f"{ENCODED[:12]}…, which PyAV {ENCODED_BY} writes", advice)
    return broken("encode h264", said, f"{ENCODED[:12]}…", _ADVICE)
