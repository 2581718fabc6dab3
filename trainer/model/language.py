"""The text conditioner of the `tiny` configuration: a table of word vectors.

The real one is a frozen UMT5 whose features are computed offline. Here a caption is its words, hashed into a small
table whose row 0 means "no caption"; a bag of words, since the cross-attention that reads it has no positions. It
tells *grasp the cup* from *release the cup*, which is what a model of a few thousand steps can use.
"""

import hashlib
import math
import re

from torch import Tensor, nn

NO_CAPTION = 0
DROP_RATE = 0.1
DROP_RATE_LONG = 0.9
DROP_FROM, DROP_TO = 129, 220
"""Raw frames between which the drop rate rises (wall_wm.md §3.4)."""


def words_of(caption: str, entries: int, limit: int) -> tuple[int, ...]:
    """Table rows 1 … entries − 1 of the first ``limit`` words; ``(NO_CAPTION,)`` for a caption without any.

    Hashed with BLAKE2, because Python's own hash of a string changes from process to process.
    """
    words = re.findall(r"[\w']+", caption.lower())[:limit]
    digests = (hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words)
    return tuple(1 + int.from_bytes(digest, "little") % (entries - 1) for digest in digests) or (NO_CAPTION,)


def drop_rate(raw_frames: int) -> float:
    """How often a clip of this many raw frames is shown without its caption.

    0.1 up to 129 frames, then a cosine ramp to 0.9 at 220: the longer a clip, the less one caption says about it.
    """
    way = min(max((raw_frames - DROP_FROM) / (DROP_TO - DROP_FROM), 0.0), 1.0)
    return DROP_RATE + (DROP_RATE_LONG - DROP_RATE) * (1.0 - math.cos(math.pi * way)) / 2.0


class WordTable(nn.Module):
    """Vectors of hashed words."""

    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(entries, width)

    def forward(self, word_S: Tensor) -> Tensor:
        """int64 [S] to [S, width]."""
        out: Tensor = self.table(word_S)
        return out
