"""Our shards and our loader: one sample per event, read by draw number and decoded view by view."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.peers.corpus import EVENT_FRAMES, Corpus
from benchmarks.peers.reading import Event, Manner, main, shuffled
from benchmarks.shard_reading import ENTRY
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet
from pipeline.shards.npz import write_npz
from pipeline.shards.ranges import member_ranges
from pipeline.shards.tar import TarStream, sample_bytes
from schemas.arrow import to_table
from schemas.shard import ShardEntry
from schemas.time import NS_PER_S

SAMPLES_PER_SHARD = 16
SPLIT = "train"


def members(corpus: Corpus, event: int) -> list[tuple[str, bytes]]:
    """One sample as stage ``shard`` lays it out."""
    times = np.arange(EVENT_FRAMES, dtype=np.int64) * NS_PER_S // corpus.fps
    end_ns = EVENT_FRAMES * NS_PER_S // corpus.fps
    rows = {
        "times_ns": times,
        "values": corpus.actions(event),
        "known": np.ones(20, np.bool_),
        "valid": np.ones(EVENT_FRAMES, np.bool_),
    }
    frames = {"frame_start": 0, "frame_end": EVENT_FRAMES, "action_start": 0, "action_end": EVENT_FRAMES}
    span = {**frames, "start_ns": 0, "end_ns": end_ns}
    recording, _ = corpus.place(event)
    record = {
        "event": {"event_id": f"ev-{event}", "episode_id": f"ep-{recording}", "level": "action", "span": span},
        "captions": {"task": "two arms tidy a table", "action": "lift the cup"},
        "instruction": "tidy the table",
        "action_kind": "measured",
        "n_frames": EVENT_FRAMES,
        "views": {view: {"times_ns": times.tolist()} for view in corpus.views},
        "cell": {"vision_language": 0, "action": 0, "weight": 1.0},
        "draw": {"split": SPLIT, "t": event},
        "lineage": {"embodiment": "arm"},
    }
    return [
        *((f"{view}.mp4", corpus.clip(event, view).read_bytes()) for view in corpus.views),
        ("action.npz", write_npz({**rows, "source": np.full(20, "next_state")})),
        ("state.npz", write_npz(rows)),
        ("calib.json", b"{}"),
        ("event.json", json.dumps(record).encode()),
    ]


def key_of(t: int) -> str:
    """A sample's key."""
    return f"{t:08d}-{t:032x}"


def write(corpus: Corpus, place: Path, _variant: str) -> None:
    """A shard set just complete enough to be opened."""
    place.mkdir(parents=True)
    entries = []
    for start in range(0, corpus.n_events, SAMPLES_PER_SHARD):
        name = f"{SPLIT}-{start // SAMPLES_PER_SHARD:06d}"
        with (place / f"{name}.tar").open("wb") as stream:
            writer = TarStream(stream)
            for t in range(start, min(start + SAMPLES_PER_SHARD, corpus.n_events)):
                data = sample_bytes(key_of(t), members(corpus, t))
                offset = writer.add(data)
                entries.append(_entry(corpus, name, t, offset, data))
            writer.finish()
    pq.write_table(to_table(ShardEntry, entries), place / "manifest.parquet")
    (place / "set.json").write_text(json.dumps({"shard_set_id": "ss-peers"}))


def _entry(corpus: Corpus, shard: str, t: int, offset: int, data: bytes) -> ShardEntry:
    """The manifest's row."""
    pictures = {f"{view}.mp4": (EVENT_FRAMES, corpus.width, corpus.height) for view in corpus.views}
    return dataclasses.replace(
        ENTRY,
        shard=shard,
        key=key_of(t),
        t=t,
        offset=offset,
        n_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        members=tuple(member_ranges(data, offset, pictures, key_of(t))),
        n_frames=EVENT_FRAMES,
        n_action_rows=EVENT_FRAMES,
    )


class Events(torch.utils.data.Dataset[Event]):
    """Map-style over draws."""

    def __init__(self, place: Path) -> None:
        self._shards = ShardSet.open(str(place))

    def __getitem__(self, t: int) -> dict[str, Any]:
        sample = self._shards.read(SPLIT, t)
        views = {view: torch.from_numpy(decode_clip(mp4)) for view, mp4 in sample.views.items()}
        return {"event": sample.t, "views": views, "action": sample.action_T20}


def opened(corpus: Corpus, place: Path, manner: Manner) -> "torch.utils.data.DataLoader[Event]":
    """Random draws."""
    order = shuffled(corpus, in_order=manner.in_order)
    return torch.utils.data.DataLoader(Events(place), batch_size=None, sampler=order, num_workers=manner.workers)


if __name__ == "__main__":
    main(write, opened, ("av", "numpy", "torch"))
