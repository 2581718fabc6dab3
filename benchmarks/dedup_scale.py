"""Time and memory of dedup as the corpus grows: ``python -m benchmarks.dedup_scale [--events N] [--cell N]``.

Made events in cells of about a hundred, one in forty a near duplicate of one before it in another episode, streamed
batch by batch as a run streams them; then one large cell, of which one event in ten is a copy. Prints seconds and peak
resident memory; run it with one size at a time, because a peak never falls.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clustering.dedup import STAGE, DedupSlice
from clustering.near_duplicates import CellEvents, find_near
from clustering.spherical import one_thread
from pipeline.stage import Bundle
from schemas.cluster import Assignment, ClusterModel, Embedding, FitCause, Membership, Space
from schemas.outline import Outline
from schemas.recipe_dedup import DedupSpec, SplitSpec

DIMS = 64
PER_CELL, PER_EPISODE, BATCH = 100, 20, 5000
COPIED = 40
SPACES = ((Space.VISION_LANGUAGE, "joinery-words-v1:0"), (Space.ACTION, "joinery-poses-v2:32x6"))


def assignments(n: int) -> Iterator[list[Assignment]]:
    """Events without anything but ids and cells."""
    for start in range(0, n, BATCH):
        yield [
            Assignment(
                f"ev-{i:032d}", f"ep-{i // PER_EPISODE:032d}", "made", "made", "action", _cell(i), _cell(i), 0.0, 0.0,
                False, False, 20, float(i % PER_EPISODE), 1.0,
            )
            for i in range(start, min(start + BATCH, n))
        ]  # fmt: skip


def _cell(i: int) -> int:
    return (i // PER_EPISODE) // PER_CELL * PER_EPISODE + i % PER_EPISODE


def embeddings(n: int) -> Iterator[list[Embedding]]:
    """Points anywhere; every COPIED-th is near that of the same cell one episode earlier."""
    for start in range(0, n, BATCH):
        rows = np.arange(start, min(start + BATCH, n))
        source = np.where((rows % COPIED == 0) & (rows >= PER_EPISODE), rows - PER_EPISODE, rows)
        batch = []
        for space, model in SPACES:
            points = _points(source, space) + 0.005 * _points(rows + n, space)
            batch += [
                Embedding(f"ev-{i:032d}", f"ep-{i // PER_EPISODE:032d}", space, model, point)
                for i, point in zip(rows.tolist(), points, strict=True)
            ]
        yield batch


def _points(rows: NDArray[np.int64], space: Space) -> NDArray[np.float32]:
    """The same numbers for the same rows, whatever the batch."""
    blocks = {block: np.random.default_rng([block, len(space)]) for block in sorted(set((rows // BATCH).tolist()))}
    drawn = {block: rng.standard_normal((BATCH, DIMS), np.float32) for block, rng in blocks.items()}
    return np.stack([drawn[row // BATCH][row % BATCH] for row in rows.tolist()])


def _models() -> list[ClusterModel]:
    return [_model(space, model) for space, model in SPACES]


def _model(space: Space, model: str) -> ClusterModel:
    """One cluster, nothing projected away."""
    eye = np.eye(DIMS, dtype=np.float32)
    zeros, ones = np.zeros(DIMS, np.float32), np.ones(DIMS, np.float32)
    return ClusterModel(
        "cm", 1, "", FitCause.FIRST, 0.0, "", space, model, zeros, ones, eye.reshape(-1), DIMS, eye[0], 1,
        np.zeros(1, np.int64), 1, 0.5, eye[0], 0.5, -1.0, 20, 20, 20,
    )  # fmt: skip


def whole(n: int) -> None:
    """The stage over ``n`` events."""
    streams = {
        Assignment: lambda: assignments(n), Embedding: lambda: embeddings(n), ClusterModel: lambda: iter([_models()]),
        Outline: lambda: iter(()),
    }  # fmt: skip
    spec = DedupSlice(dedup=DedupSpec(), split=SplitSpec(validation_fraction=0.0, shared_events=0.5))
    started, n_left = time.monotonic(), 0
    for item in STAGE.run(Bundle("corpus", streams=streams), spec):
        n_left += isinstance(item, Membership) and not item.kept
    planted = sum(1 for i in range(COPIED, n, COPIED) if _cell(i) == _cell(i - PER_EPISODE))
    seconds, bytes_each = time.monotonic() - started, peak() / n
    print(f"{n} events: {seconds:.0f} s, {bytes_each:.0f} B of peak memory each; {n_left} left out, {planted} planted")


def one_cell(n: int) -> None:
    """One cell of ``n`` events."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((2, n, DIMS), np.float32)
    points[:, n // 10 * 9 :] = points[:, : n - n // 10 * 9]
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    none = np.zeros(n, np.int64)
    events = CellEvents(points[0], points[1], np.arange(n), none, np.ones(n), none > 0)
    before, started = peak(), time.monotonic()
    with one_thread():
        found = find_near(events, DedupSpec())
    n_left = int((found.keeper != np.arange(n)).sum())
    print(f"a cell of {n}: {time.monotonic() - started:.0f} s, {(peak() - before) / 2**20:.0f} MiB more; {n_left} out")


def peak() -> int:
    """Peak resident memory of this process, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dedup_scale", description=__doc__)
    parser.add_argument("--events", type=int, metavar="N", help="measure the stage on so many events")
    parser.add_argument("--cell", type=int, metavar="N", help="measure one cell of so many events")
    given = parser.parse_args()
    if given.cell:
        one_cell(given.cell)
    if given.events:
        whole(given.events)


if __name__ == "__main__":
    main()
