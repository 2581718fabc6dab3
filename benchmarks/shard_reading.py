"""How fast shards are read: the bundled loader beside the standard library, stock WebDataset and the bare file.

    python -m benchmarks.shard_reading

Writes shards of about 200 KB per sample (three views of random bytes, actions, states, records) into a temporary
folder, reads them sequentially from the page cache in one process, and prints samples and megabytes per second of
CPU time, because wall-clock time on a shared machine measures the neighbours.
The loader does more than the others: it parses records and arrays into `EventSample`s. The floor is 0.8 of what
`tarfile` needs to hand out the same members unparsed; the exit status is 1 below it.
"""

import json
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import webdataset as wds
from numpy.typing import NDArray

from pipeline.loader.reader import ShardSet
from pipeline.shards.npz import write_npz
from pipeline.shards.tar import TarStream, sample_bytes
from schemas.arrow import to_table
from schemas.shard import ShardEntry

FLOOR = 0.8
N_SHARDS, SAMPLES_PER_SHARD = 8, 64
VIEWS, VIEW_BYTES, FRAMES, ROWS = ("front", "left", "right"), 64_000, 75, 125
REPEATS = 5

ENTRY = ShardEntry(
    shard="",
    key="",
    event_id="ev-0",
    episode_id="ep-0",
    source="bench",
    split="train",
    t=0,
    offset=0,
    n_bytes=0,
    sha256="",
    members=(),
    n_frames=FRAMES,
    n_action_rows=ROWS,
    start_ns=0,
    end_ns=2_500_000_000,
    vision_language=0,
    action=0,
    tail=False,
    recovery=False,
    target_share=1.0,
    realised_share=1.0,
    repeat=0,
    repeat_cap=1.0,
)


def members(rng: np.random.Generator, t: int) -> list[tuple[str, bytes]]:
    """One sample as the shard stage writes it, with random pictures."""
    times = np.arange(ROWS, dtype=np.int64) * 20_000_000
    arrays: dict[str, NDArray[Any]] = {
        "times_ns": times,
        "values": rng.normal(size=(ROWS, 20)).astype(np.float32),
        "known": np.ones(20, np.bool_),
        "valid": np.ones(ROWS, np.bool_),
        "joints": rng.normal(size=(ROWS, 28)).astype(np.float32),
        "joint_names": np.array([f"joint_{i}" for i in range(28)]),
    }
    action = {**arrays, "source": np.full(20, "next_state")}
    span = {"frame_start": 0, "frame_end": FRAMES, "start_ns": 0, "end_ns": ENTRY.end_ns}
    record = {
        "event": {
            "event_id": f"ev-{t}",
            "episode_id": "ep-0",
            "level": "action",
            "span": {**span, "action_start": 0, "action_end": ROWS},
        },
        "captions": dict.fromkeys(("task", "subtask", "action"), "the right arm lifts the cup off the table"),
        "instruction": "put the cup on the plate",
        "action_kind": "measured",
        "n_frames": FRAMES,
        "views": {view: {"times_ns": (np.arange(FRAMES) * 33_333_333).tolist()} for view in VIEWS},
        "cell": {"vision_language": 0, "action": 0, "weight": 1.0},
        "draw": {"split": "train", "t": t},
        "lineage": {"embodiment": "arm"},
    }
    return [
        *((f"{view}.mp4", rng.bytes(VIEW_BYTES)) for view in VIEWS),
        ("action.npz", write_npz(action)),
        ("state.npz", write_npz(arrays)),
        ("calib.json", b"{}"),
        ("event.json", json.dumps(record).encode()),
    ]


def write_set(folder: Path) -> None:
    """A shard set just complete enough to be opened."""
    rng = np.random.default_rng(0)
    entries = []
    for number in range(N_SHARDS):
        name = f"train-{number:06d}"
        with (folder / f"{name}.tar").open("wb") as stream:
            writer = TarStream(stream)
            for t in range(number * SAMPLES_PER_SHARD, (number + 1) * SAMPLES_PER_SHARD):
                key = f"{t:08d}-{t:032x}"
                data = sample_bytes(key, members(rng, t))
                entries.append(replace(ENTRY, shard=name, key=key, t=t, offset=writer.add(data), n_bytes=len(data)))
            writer.finish()
    pq.write_table(to_table(ShardEntry, entries), folder / "manifest.parquet")
    (folder / "set.json").write_text(json.dumps({"shard_set_id": "ss-benchmark"}))


def read_file(tars: list[Path]) -> int:
    """The bare bytes."""
    n_bytes = 0
    for path in tars:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                n_bytes += len(chunk)
    return n_bytes


def read_tarfile(tars: list[Path]) -> int:
    """Every member's bytes through the standard library."""
    n_bytes = 0
    for path in tars:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                content = archive.extractfile(member)
                n_bytes += len(content.read()) if content is not None else 0
    return n_bytes


def read_stock(tars: list[Path]) -> int:
    """Samples as dicts of bytes."""
    urls = [str(path) for path in tars]
    return sum(len(sample["event.json"]) for sample in wds.WebDataset(urls, shardshuffle=False))


def read_stock_decoded(tars: list[Path]) -> int:
    """Samples with JSON and npz decoded, which is what the loader does too."""
    urls = [str(path) for path in tars]
    return sum(len(sample["action.npz"]["values"]) for sample in wds.WebDataset(urls, shardshuffle=False).decode())


def read_loader(tars: list[Path]) -> int:
    """`EventSample`s in drawing order."""
    opened = ShardSet.open(str(tars[0].parent))
    return sum(sample.span.n_actions for _, sample in opened.iterate("train"))


def seconds(read: Callable[[list[Path]], int], tars: list[Path]) -> float:
    """CPU time of one reading of everything."""
    started = time.process_time()
    read(tars)
    return time.process_time() - started


READERS: dict[str, Callable[[list[Path]], int]] = {
    "bare file, 1 MiB reads": read_file,
    "tarfile, members as bytes": read_tarfile,
    "stock webdataset, bytes": read_stock,
    "stock webdataset, decoded": read_stock_decoded,
    "bundled loader, EventSample": read_loader,
}


def main() -> int:
    """Print the table; 1 when the loader is under its floor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_set(folder)
        tars = sorted(folder.glob("*.tar"))
        n_samples, n_bytes = N_SHARDS * SAMPLES_PER_SHARD, sum(path.stat().st_size for path in tars)
        rounds = [{label: seconds(read, tars) for label, read in READERS.items()} for _ in range(REPEATS + 1)]
    took = {label: median(one[label] for one in rounds[1:]) for label in READERS}  # the first round warms the cache
    print(f"{n_samples} samples of {n_bytes / n_samples / 1e3:.0f} KB, median of {REPEATS} rounds")
    for label, duration in took.items():
        print(f"{label:<28} {n_samples / duration:9.0f} samples/s {n_bytes / duration / 1e6:8.0f} MB/s")
    loader = took["bundled loader, EventSample"]
    ratio = took["tarfile, members as bytes"] / loader
    for label, duration in took.items():
        print(f"loader / {label:<28} {duration / loader:6.2f}")
    print(f"floor: {FLOOR} of tarfile, found {ratio:.2f}")
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
