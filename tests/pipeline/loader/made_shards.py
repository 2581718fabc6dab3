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

from clustering.load_plan.compile import compile_plan
from clustering.load_plan.corpus import corpus_of
from clustering.load_plan.draft import Target
from pipeline.blobs import Blobs
from pipeline.clip import ClipEncoder
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.plan import Arrays
from pipeline.loader.timeline import read_timeline
from pipeline.shards.npz import write_npz
from pipeline.shards.ranges import member_ranges
from pipeline.shards.tar import TarStream, sample_bytes
from schemas.arrow import to_table
from schemas.load_plan import LoadPlanHeader
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
    laid: bool = False
    """Whether the four events of an episode lie end to end; else each begins at 0."""

    @property
    def start_ns(self) -> int:
        before = range(self.number // 4 * 4, self.number) if self.laid else ()
        return sum(MadeEvent(number).n_frames for number in before) * FRAME_NS

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.n_frames * FRAME_NS

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
    times = (event.start_ns + np.arange(event.n_frames) * FRAME_NS).tolist()
    rows = np.arange(event.n_rows, dtype=np.int64)
    values = np.repeat(rows[:, None].astype(np.float32), 20, axis=1)
    arrays: Arrays = {
        "times_ns": event.start_ns + rows * ROW_NS,
        "values": values,
        "known": np.full(20, event.n_rows > 0),
        "valid": np.ones(len(rows), np.bool_),
    }
    span = {"frame_start": 0, "frame_end": event.n_frames, "start_ns": event.start_ns, "end_ns": event.end_ns}
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


def write_set(
    folder: Path, order: Sequence[int], per_shard: int = 16, prefix: str = "train", *, laid: bool = False
) -> Path:
    """A set whose train split draws these events in this order; one may come several times."""
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[ShardEntry] = []
    shards: list[dict[str, Any]] = []
    for first in range(0, len(order), per_shard):
        name = f"{prefix}-{first // per_shard:06d}"
        with (folder / f"{name}.tar").open("wb") as stream:
            writer = TarStream(stream)
            for t in range(first, min(first + per_shard, len(order))):
                event = MadeEvent(order[t], laid)
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
        start_ns=event.start_ns,
        end_ns=event.end_ns,
        vision_language=event.cell,
        action=0,
        tail=False,
        recovery=False,
        target_share=1 / N_CELLS,
        realised_share=1 / N_CELLS,
        repeat=0,
        repeat_cap=9.0,
    )


def write_load_plan(folder: Path, shards: Path, n_steps: int, spec: LoadSpec = SPEC) -> LoadPlanHeader:
    """A plan over the set's events, every cell with the same share."""
    catalogue = read_catalogue(Blobs(str(shards)))
    n_events = np.bincount(catalogue.vision_language, minlength=N_CELLS).tolist()
    cells = [
        {"vision_language": cell, "action": 0, "n_events": n, "mass": 1 / N_CELLS} for cell, n in enumerate(n_events)
    ]
    timeline = read_timeline(Blobs(str(shards))) if spec.reaches else None
    corpus = corpus_of(catalogue, cells, "pl-made", "ss-made", spec=spec, timeline=timeline)
    return compile_plan(Blobs(str(folder)), corpus, spec, Target(steps=n_steps)).header
