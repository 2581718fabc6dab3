"""Qwen's byte-pair encoding, from its published vocabulary file alone (``qwen.tiktoken``: base64 token and rank).

Qwen2, 2.5 and 3 share these 151,643 tokens. The file comes with a package that only this benchmark needs (see
`benchmarks.vlm_budget`), so it is read from a path and not shipped. Twenty lines instead of another dependency.
"""

import base64
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import regex

_PIECES = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Vocabulary:
    """Counts tokens."""

    def __init__(self, path: Path) -> None:
        lines = (line.split() for line in path.read_bytes().splitlines() if line)
        self._ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        self._count = lru_cache(maxsize=100_000)(self._count_piece)

    def __len__(self) -> int:
        return len(self._ranks)

    def count(self, text: str) -> int:
        """How many tokens a text is."""
        return sum(self._count(piece) for piece in _PIECES.findall(text))

    def _count_piece(self, piece: str) -> int:
        """Merges the neighbours of lowest rank until none can be merged."""
        parts = [bytes([byte]) for byte in piece.encode()]
        while len(parts) > 1:
            ranks = [self._ranks.get(a + b, len(self._ranks)) for a, b in pairwise(parts)]
            best = min(range(len(ranks)), key=ranks.__getitem__)
            if ranks[best] == len(self._ranks):
                break
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        return len(parts)
