"""Corpora nobody filmed, for the tests of load plans."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import mix
from clustering.load_plan.corpus import Corpus, corpus_of
from pipeline.loader.catalogue import catalogue_of
from schemas.recipe_load import LoadSpec

SPEC = LoadSpec(packs_per_step=4, budget=300)


def made_corpus(
    counts: Sequence[int],
    mass: Sequence[float] | None = None,
    seed: int = 0,
    name: str = "x",
    steps: Sequence[tuple[int, Sequence[float]]] = (),
) -> Corpus:
    """Cells with these many events, two to a vision-language cluster; shares in proportion to √n unless given.

    ``steps`` of a curriculum: draws and shares of each.
    """
    n_cells, n_events = len(counts), sum(counts)
    keys = np.arange(n_events, dtype=np.uint64) + np.uint64(seed << 32)

    def between(low: int, high: int, counter: int) -> NDArray[np.int64]:
        """By hash, not by generator: one test names the hash of a plan for good."""
        return low + (mix(keys, counter) % np.uint64(high - low)).astype(np.int64)

    cell = np.repeat(np.arange(n_cells), counts)[np.argsort(mix(keys, 0), kind="stable")]
    columns = {
        "event_id": np.array([f"ev-{name}{i:06d}" for i in range(n_events)], np.bytes_),
        "vision_language": cell // 2,
        "action": cell % 2,
        "source": np.zeros(n_events, np.int64),
        "recovery": np.zeros(n_events, np.bool_),
        "n_frames": between(5, 60, 1),
        "n_views": between(1, 4, 2),
        "n_action_rows": between(0, 90, 3),
    }
    weights = np.sqrt(np.array(counts)) if mass is None else np.array(mass)
    cells = [
        {"vision_language": c // 2, "action": c % 2, "n_events": n, "mass": float(share)}
        for c, (n, share) in enumerate(zip(counts, weights / weights.sum(), strict=True))
    ]
    rise = [{"n_draws": n_draws, "masses": list(shares)[::-1]} for n_draws, shares in steps]
    return corpus_of(catalogue_of(columns, ("lab",)), cells[::-1], "pl-made", "ss-made", steps=rise)
