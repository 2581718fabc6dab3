"""A small load plan written by hand, for the tests of what reads one."""

from pathlib import Path

import numpy as np

from pipeline.loader.plan import Arrays, arrays_digest
from pipeline.shards.npz import write_npz
from schemas.load_plan import HEADER, Chapter, LoadPlanHeader, Segment, Superseded, chained
from schemas.recipe_load import LoadSpec

N_EVENTS = 12


def cell_arrays() -> Arrays:
    return {
        "vision_language": np.array([0, 1]),
        "action": np.array([0, 0]),
        "source": np.array(["", ""]),
        "recovery": np.array([-1, -1], np.int8),
        "n_events": np.array([6, 6]),
        "mass": np.array([0.5, 0.5]),
    }


def segment_arrays(n_packs: int, first_draw: int, seed: int) -> Arrays:
    """Packs of one to four draws, out of order by one."""
    rng = np.random.default_rng(seed)
    pack_start = np.concatenate([[0], np.cumsum(rng.integers(1, 5, n_packs))]).astype(np.uint32)
    n = int(pack_start[-1])
    draw = np.arange(n, dtype=np.uint32)
    draw[: n // 2 * 2] = draw[: n // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
    event = rng.integers(0, N_EVENTS, n).astype(np.uint32)
    n_frames = rng.integers(5, 30, n).astype(np.uint16)
    return {
        "first_draw": np.array([first_draw]),
        "draw": draw,
        "event": event,
        "cell": (event % 2).astype(np.uint32),
        "kind": rng.integers(0, 3, n).astype(np.uint8),
        "first_frame": np.zeros(n, np.uint16),
        "n_frames": n_frames,
        "n_tokens": (8 * n_frames + 1).astype(np.uint16),
        "pack_start": pack_start,
    }


def write_plan(
    folder: Path, steps: tuple[int, ...] = (4, 3), *, history: tuple[Superseded, ...] = ()
) -> LoadPlanHeader:
    """A plan of one segment per number of steps, three packs a step."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = cell_arrays()
    (folder / "cells-000000.npz").write_bytes(write_npz(cells))
    chapter = Chapter(
        first_step=0,
        first_draw=0,
        spec=LoadSpec(packs_per_step=3),
        catalogue="c" * 64,
        n_events=N_EVENTS,
        n_cells=2,
        cells_file="cells-000000.npz",
        cells_sha256=arrays_digest(cells),
        sampling_plan_id="pl-0",
        events_file="events.npz",
        events_sha256="",
        shard_set_id="ss-0",
    )
    segments: list[Segment] = []
    before, first_step, first_draw = "", 0, 0
    for number, n_steps in enumerate(steps):
        arrays = segment_arrays(n_steps * 3, first_draw, number)
        name = f"segment-{number:06d}.npz"
        (folder / name).write_bytes(write_npz(arrays))
        sha256 = arrays_digest(arrays)
        before = chained(before, chapter, sha256, n_steps)
        n_draws = len(arrays["draw"])
        segments.append(
            Segment(
                file=name,
                chapter=0,
                first_step=first_step,
                n_steps=n_steps,
                n_draws=n_draws,
                sha256=sha256,
                chained=before,
            )
        )
        first_step, first_draw = first_step + n_steps, first_draw + n_draws
    header = LoadPlanHeader(
        joinery_load_plan=1,
        plan_hash=before,
        n_steps=first_step,
        n_draws=first_draw,
        chapters=(chapter,),
        segments=tuple(segments),
        history=history,
    )
    (folder / HEADER).write_text(header.model_dump_json(indent=1))
    return header
