"""Vision-language encoders: a common face for the one without weights and for open_clip, and how one is chosen.

An encoder is made once per process and kept: loading a checkpoint takes seconds, an episode milliseconds.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clustering.caption_words import hashed_words
from clustering.families import WORDS
from clustering.picture_descriptor import DIMS, decode, describe
from schemas.event import Event
from schemas.recipe import DefaultEncoder, OpenClipEncoder


class Encoder(Protocol):
    """What `clustering.embed` needs: a name, and vectors for pictures and for events' texts.

    A vector depends on its picture or text alone, not on the others it is asked for with.
    """

    @property
    def model(self) -> str: ...

    @property
    def dims(self) -> int:
        """The length of a picture's vector."""
        ...

    @property
    def n_at_once(self) -> int:
        """How many pictures and texts it is best asked for at a time."""
        ...

    def prepared(self, jpeg: bytes) -> Any:
        """A picture as `pictures` takes it. Raises SourceError when it is none."""
        ...

    def pictures(self, prepared: Sequence[Any]) -> NDArray[np.float64]:
        """Float64 [n, dims]; [0, dims] for none."""
        ...

    def texts(self, events: Sequence[Event]) -> NDArray[np.float64]:
        """Float64 [n, D_text], one row per event, for n ≥ 1."""
        ...


class WordsEncoder:
    """Hashed caption words and a colour/gradient descriptor; no weights, no downloads."""

    dims = DIMS
    n_at_once = 1

    def __init__(self, text_dims: int) -> None:
        self._text_dims = text_dims

    @property
    def model(self) -> str:
        return f"{WORDS}:{self._text_dims}"

    def prepared(self, jpeg: bytes) -> NDArray[np.float64]:
        return describe(decode(jpeg))

    def pictures(self, prepared: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.stack(prepared) if prepared else np.zeros((0, DIMS))

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
