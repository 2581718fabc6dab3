"""A shard set of many small events and a load plan over it, for the tests of what reads both.

Real tars, clips and manifest. Frame f of event e in view v has one grey, so that a wrong picture can be told from the
right one.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq

from pipeline.blobs import Blobs
from pipeline.clip import ClipEncoder
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.pack import packs
from pipeline.loader.plan import Arrays, arrays_digest
from pipeline.shards.npz import write_npz
from pipeline.shards.ranges import member_ranges
from pipeline.shards.tar import TarStream, sample_bytes
from schemas.arrow import to_table
from schemas.load_plan import HEADER, Chapter, LoadPlanHeader, Segment, WindowKind, chained
from schemas.recipe import ClipSpec
from schemas.recipe_load import LoadSpec
from schemas.shard import ShardEntry

FRAME_NS = 50_000_000
ROW_NS = 20_000_000
VIEWS = ("front", "wrist")
SIZE = 16
SPEC = LoadSpec(budget=128, packs_per_step=3, max_frames=9, pack_window=8, seed=5)
N_CELLS = 4
N_FILMS = 12
"""Events share films, so that many are made in a second."""


@dataclass(frozen=True)
class MadeEvent:
    """One event of the set."""

    number: int

    @property
    def event_id(self) -> str:
        return "ev-" + hashlib.sha256(str(self.number).encode()).hexdigest()[:32]

    @property
    def n_frames(self) -> int:
        return 6 + 5 * (self.number % N_FILMS) % 23

    @property
    def cell(self) -> int:
        return self.number % N_CELLS

    @property
    def n_rows(self) -> int:
        return 0 if self.number % 5 == 0 else self.n_frames * FRAME_NS // ROW_NS


def grey(event: int, view: int, frame: int) -> int:
    return 20 + (event % N_FILMS * 37 + view * 101 + frame * 7) % 210


@cache
def clip(film: int, view: int) -> bytes:
    encoder = ClipEncoder(ClipSpec(crf=4))
    n = MadeEvent(film).n_frames
    for frame in range(n):
        picture = np.full((SIZE, SIZE, 3), grey(film, view, frame), np.uint8)
        encoder.add(frame * FRAME_NS, av.VideoFrame.from_ndarray(picture, format="rgb24"))
    return encoder.finish(n * FRAME_NS).mp4


def members(event: MadeEvent, t: int) -> list[tuple[str, bytes]]:
    times = (np.arange(event.n_frames) * FRAME_NS).tolist()
    rows = np.arange(event.n_rows, dtype=np.int64)
    values = np.repeat(rows[:, None].astype(np.float32), 20, axis=1)
    arrays: Arrays = {
        "times_ns": rows * ROW_NS,
        "values": values,
        "known": np.full(20, event.n_rows > 0),
        "valid": np.ones(len(rows), np.bool_),
    }
    span = {"frame_start": 0, "frame_end": event.n_frames, "start_ns": 0, "end_ns": event.n_frames * FRAME_NS}
    record: dict[str, Any] = {
        "event": {
            "event_id": event.event_id,
            "episode_id": f"ep-{event.number // 4}",
            "level": "action",
            "span": {**span, "action_start": 0, "action_end": event.n_rows},
        },
        "captions": {"task": "all of it", "action": f"does {event.number}"},
        "instruction": "do it",
        "action_kind": "measured" if event.n_rows else "none",
        "n_frames": event.n_frames,
        "views": {view: {"times_ns": times} for view in VIEWS},
        "cell": {"vision_language": event.cell, "action": 0, "weight": 1.0},
        "draw": {"split": "train", "t": t},
        "lineage": {"embodiment": "arm"},
    }
    return [
        *((f"{view}.mp4", clip(event.number % N_FILMS, i)) for i, view in enumerate(VIEWS)),
        ("action.npz", write_npz({**arrays, "source": np.full(20, "target")})),
        ("state.npz", write_npz(arrays)),
        ("calib.json", b"{}"),
        ("event.json", json.dumps(record).encode()),
    ]


def write_set(folder: Path, order: Sequence[int], per_shard: int = 16, prefix: str = "train") -> Path:
    """A set whose train split draws these events in this order; one may come several times."""
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[ShardEntry] = []
    shards: list[dict[str, Any]] = []
    for first in range(0, len(order), per_shard):
        name = f"{prefix}-{first // per_shard:06d}"
        with (folder / f"{name}.tar").open("wb") as stream:
            writer = TarStream(stream)
            for t in range(first, min(first + per_shard, len(order))):
                event = MadeEvent(order[t])
                data = sample_bytes(f"{t:08d}-{event.event_id[3:]}", members(event, t))
                entries.append(entry(name, event, t, writer.add(data), data))
            sha256 = writer.finish()
        n_samples = min(per_shard, len(order) - first)
        shards.append({"shard": name, "split": "train", "n_samples": n_samples, "n_bytes": writer.n_bytes})
        shards[-1]["sha256"] = sha256
    pq.write_table(to_table(ShardEntry, entries), folder / "manifest.parquet")
    (folder / "set.json").write_text(json.dumps({"shard_set_id": "ss-made", "shards": shards}))
    return folder


def entry(shard: str, event: MadeEvent, t: int, offset: int, data: bytes) -> ShardEntry:
    pictures = {f"{view}.mp4": (event.n_frames, SIZE, SIZE) for view in VIEWS}
    return ShardEntry(
        shard=shard,
        key=f"{t:08d}-{event.event_id[3:]}",
        event_id=event.event_id,
        episode_id=f"ep-{event.number // 4}",
        source=f"source-{event.number % 3}",
        split="train",
        t=t,
        offset=offset,
        n_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        members=tuple(member_ranges(data, offset, pictures, "made")),
        n_frames=event.n_frames,
        n_action_rows=event.n_rows,
        start_ns=0,
        end_ns=event.n_frames * FRAME_NS,
        vision_language=event.cell,
        action=0,
        tail=False,
        recovery=False,
        target_share=1 / N_CELLS,
        realised_share=1 / N_CELLS,
        repeat=0,
        repeat_cap=9.0,
    )


def tokens(n_frames: int, n_rows: int, spec: LoadSpec) -> int:
    latents = 1 + (min(n_frames, spec.max_frames) - 1) // spec.frames_per_latent
    return len(VIEWS) * latents * spec.tokens_per_latent + 1 + min(n_rows, spec.max_actions)


def write_load_plan(folder: Path, shards: Path, n_steps: int, spec: LoadSpec = SPEC, start: int = 0) -> LoadPlanHeader:
    """Draw t is of cell t mod N; inside a cell events come by turns, every third as a suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    catalogue = read_catalogue(Blobs(str(shards)))
    cell_of = catalogue.vision_language
    rows = [np.flatnonzero(cell_of == cell).tolist() for cell in range(N_CELLS)]
    n_draws = n_steps * spec.packs_per_step * 8
    draws = []
    for t in range(n_draws):
        cell = t % N_CELLS
        row = rows[cell][(start + t // N_CELLS) % len(rows[cell])]
        n = int(catalogue.n_frames[row])
        first = (n - 5) * (t % 7) // 7 if t % 3 == 1 else 0
        n_rows = int(catalogue.n_action_rows[row]) * (n - first) // n
        kind = WindowKind.SUFFIX if t % 3 == 1 else WindowKind.EVENT
        draws.append((t, row, cell, int(kind), first, n - first, tokens(n - first, n_rows + 1, spec)))
    columns = np.array(draws, np.int64)
    order: list[int] = []
    starts = [0]
    for pack in packs(columns[:, 6].tolist(), spec.budget, spec.pack_window):
        if len(starts) > n_steps * spec.packs_per_step:
            break
        order += pack.draws
        starts.append(len(order))
    columns = columns[order]
    names = ("draw", "event", "cell", "kind", "first_frame", "n_frames", "n_tokens")
    segment: Arrays = {name: columns[:, i].astype(np.uint32) for i, name in enumerate(names)}
    segment |= {"first_draw": np.array([0]), "pack_start": np.array(starts, np.uint32)}
    return write_header(folder, segment, n_steps, spec, catalogue.digest, [len(events) for events in rows])


def write_header(
    folder: Path, segment: Arrays, n_steps: int, spec: LoadSpec, catalogue: str, n_events: list[int]
) -> LoadPlanHeader:
    cells: Arrays = {
        "vision_language": np.arange(N_CELLS),
        "action": np.zeros(N_CELLS, np.int64),
        "source": np.array([""] * N_CELLS),
        "recovery": np.full(N_CELLS, -1, np.int8),
        "n_events": np.array(n_events),
        "mass": np.full(N_CELLS, 1 / N_CELLS),
    }
    (folder / "cells-000000.npz").write_bytes(write_npz(cells))
    (folder / "segment-000000.npz").write_bytes(write_npz(segment))
    chapter = Chapter(
        first_step=0,
        first_draw=0,
        spec=spec,
        catalogue=catalogue,
        n_events=sum(n_events),
        n_cells=N_CELLS,
        cells_file="cells-000000.npz",
        cells_sha256=arrays_digest(cells),
        sampling_plan_id="pl-made",
        balance=1.0,
        shard_set_id="ss-made",
    )
    sha256 = arrays_digest(segment)
    plan_hash, n_draws = chained("", chapter, sha256, n_steps), len(segment["draw"])
    part = Segment(
        file="segment-000000.npz",
        chapter=0,
        first_step=0,
        n_steps=n_steps,
        n_draws=n_draws,
        sha256=sha256,
        chained=plan_hash,
    )
    header = LoadPlanHeader(
        joinery_load_plan=1,
        plan_hash=plan_hash,
        n_steps=n_steps,
        n_draws=n_draws,
        chapters=(chapter,),
        segments=(part,),
    )
    (folder / HEADER).write_text(header.model_dump_json())
    return header
