"""What takes the place of a window that cannot be read: another of its cell and about its length, the same every time.

Candidates are other windows of the same segment of the plan, so their lengths are known and the packs still fit. The
choice is a hash of (seed, draw, candidate): it depends on no order of arrival, no worker, no clock, so a run and its
repetition read the same, and the shares of cells stay what the plan says.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.loader.plan import Arrays
from schemas.load_plan import PlannedDraw, WindowKind
from schemas.recipe_load import LoadSpec

BUCKETS_PER_DOUBLING = 4


@dataclass(frozen=True)
class Substitute:
    """A window of another event."""

    event: int
    kind: WindowKind
    first_frame: int
    n_frames: int
    n_tokens: int


def bucket_of(n_tokens: int) -> int:
    """Lengths of one bucket differ by less than a fifth."""
    return int(BUCKETS_PER_DOUBLING * np.log2(n_tokens))


def substitutes(columns: Arrays, draw: PlannedDraw, spec: LoadSpec) -> Iterator[Substitute]:
    """Substitutes of a draw in the order they are tried, one per event of its cell, never longer than it.

    ``columns`` are its segment's. Windows of its own kind and length bucket come first, then shorter buckets, then
    other kinds; within these by hash. Events of the cell that are only seen in longer windows come last, cut short.
    """
    rows = np.flatnonzero((columns["cell"] == draw.cell) & (columns["event"] != draw.event))
    own = bucket_of(draw.n_tokens)
    keys = []
    for row in rows.tolist():
        n_tokens, other_kind = int(columns["n_tokens"][row]), int(columns["kind"][row]) != draw.kind
        longer = n_tokens > draw.n_tokens
        keys.append((longer, other_kind, own - bucket_of(n_tokens), _hash(spec.seed, draw, columns["draw"][row]), row))
    tried: set[int] = set()
    for longer, _, _, _, row in sorted(keys):
        event = int(columns["event"][row])
        if event in tried:
            continue
        found = Substitute(
            event=event,
            kind=WindowKind(int(columns["kind"][row])),
            first_frame=int(columns["first_frame"][row]),
            n_frames=int(columns["n_frames"][row]),
            n_tokens=int(columns["n_tokens"][row]),
        )
        fitting = _shortened(found, draw.n_tokens, spec) if longer else found
        if fitting is not None:
            tried.add(event)
            yield fitting


def _shortened(found: Substitute, n_tokens: int, spec: LoadSpec) -> Substitute | None:
    """The longest suffix of a window that takes at most ``n_tokens`` whatever views and actions its event has."""
    stride = spec.frames_per_latent
    latents = (n_tokens - 1 - spec.max_actions) // (spec.max_views * spec.tokens_per_latent)
    n_frames = min(1 + stride * (latents - 1), found.n_frames)
    if n_frames < max(spec.min_frames, 1 + stride):
        return None
    first_frame = found.first_frame + found.n_frames - n_frames
    return Substitute(found.event, WindowKind.SUFFIX, first_frame, n_frames, n_tokens)


def _hash(seed: int, draw: PlannedDraw, candidate: int) -> bytes:
    return hashlib.blake2b(f"substitute:{seed}:{draw.draw}:{candidate}".encode(), digest_size=8).digest()
