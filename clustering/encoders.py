"""Vision-language encoders: a common face for the one without weights and for open_clip, and how one is chosen.

An encoder is made once per process and kept: loading a checkpoint takes seconds, an episode milliseconds.
"""

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clustering.caption_words import hashed_words
from clustering.families import WORDS
from clustering.picture_descriptor import DIMS, decode, describe
from schemas.event import Event
from schemas.recipe import DefaultEncoder, OpenClipEncoder


class Encoder(Protocol):
    """What `clustering.embed` needs: a name, and vectors for pictures and for events' texts."""

    @property
    def model(self) -> str: ...

    def pictures(self, jpegs: Sequence[bytes]) -> NDArray[np.float64]:
        """Float64 [n, D_picture]; [0, D_picture] for none."""
        ...

    def texts(self, events: Sequence[Event]) -> NDArray[np.float64]:
        """Float64 [n, D_text], one row per event, for n ≥ 1."""
        ...


class WordsEncoder:
    """Hashed caption words and a colour/gradient descriptor; no weights, no downloads."""

    def __init__(self, text_dims: int) -> None:
        self._text_dims = text_dims

    @property
    def model(self) -> str:
        return f"{WORDS}:{self._text_dims}"

    def pictures(self, jpegs: Sequence[bytes]) -> NDArray[np.float64]:
        return np.stack([describe(decode(jpeg)) for jpeg in jpegs]) if jpegs else np.zeros((0, DIMS))

    def texts(self, events: Sequence[Event]) -> NDArray[np.float64]:
        return np.stack([hashed_words(event, self._text_dims) for event in events])


@cache
def encoder_of(spec: DefaultEncoder | OpenClipEncoder) -> Encoder:
    """The encoder a recipe names; the same object each time in one process.

    Raises JoineryError as `clustering.open_clip_encoder.OpenClip` does.
    """
    if isinstance(spec, DefaultEncoder):
        return WordsEncoder(spec.text_dims)
    # Imported here because torch costs seconds and 300 MB that runs without open_clip never need.
    from clustering.open_clip_encoder import OpenClip  # noqa: PLC0415

    return OpenClip(spec)
