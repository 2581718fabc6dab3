"""What of a model is kept in FP8: data, so that a checkpoint can say it and a reader can check it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

SchemeName: TypeAlias = Literal["block128", "mx32"]

LEFT_ALONE = (
    r"(^|\.)head\.",
    r"embedding",
    r"\.time\.",
    r"^text\.",
    r"\.(layers|blocks)\.(0|{last})\.",
)
"""Heads, embeddings, time and text, and the first and last block of each tower: where an error is not averaged out by
what comes after, or where there is next to nothing to save. Norms and tables are no linear layers and never touched."""


@dataclass(frozen=True)
class Fp8Config:
    """Which linear layers, and how."""

    scheme: SchemeName = "block128"
    """``block128``: weights in blocks of 128 × 128, inputs of 1 × 128, float32 scales. ``mx32``: 1 × 32 of both, scales
    powers of two."""
    left_alone: tuple[str, ...] = LEFT_ALONE
    """`re.search` on names of layers; ``{last}`` stands for the last block's number."""
