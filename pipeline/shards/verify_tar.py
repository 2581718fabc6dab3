"""Checking one tar of a shard set against its manifest rows: bytes, members, records, pictures, stock reading.

The tar is read once, sample by sample, and never held whole. Damage is a sentence, never an exception: after a
flipped bit any parser may fail in any way, and the next sample may still be good.
"""

import hashlib
import io
import struct
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import av
import numpy as np
from webdataset.tariterators import group_by_keys, tar_file_expander

from pipeline.blobs import Blobs
from pipeline.cards.check import episode_of
from pipeline.loader.sample import VIDEO_SUFFIX, EventSample, sample_from_members
from pipeline.shards.ranges import member_ranges
from pipeline.shards.tar import end_of_archive, members
from pipeline.shards.verify_tree import TreeCheck, json_problems
from schemas.array import Ints
from schemas.event import RecoveryKind
from schemas.shard import ShardEntry
from schemas.source import SourceKind
from schemas.time import NS_PER_S

UNREADABLE = (ValueError, KeyError, IndexError, TypeError, SyntaxError, struct.error)
"""What reading damaged members raises: JSON, npz and npy headers, tar headers."""


@dataclass
class Tally:
    """What was looked at so far."""

    samples: int = 0
    clips: int = 0
    frames: int = 0
    n_bytes: int = 0
    trees: TreeCheck = field(default_factory=TreeCheck)
    episodes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """What samples have told of every episode so far."""


def tar_problems(
    blobs: Blobs, folder: str, shard: Mapping[str, Any], entries: Sequence[ShardEntry], tally: Tally
) -> Iterator[str]:
    """Everything wrong with one tar. ``shard`` is its row of ``set.json``; ``entries`` its manifest rows by offset."""
    name = f"{shard['shard']}.tar"
    if not blobs.exists(f"{folder}/{name}"):
        yield f"{name}: not there, set.json lists it with {shard['n_samples']} samples"
        return
    if len(entries) != shard["n_samples"]:
        yield f"{name}: the manifest has {len(entries)} samples, set.json says {shard['n_samples']}"
    with blobs.open(f"{folder}/{name}") as file:
        hasher, at = hashlib.sha256(), 0
        for entry in entries:
            if entry.offset != at:
                yield f"{name}: sample {entry.key} starts at byte {entry.offset} by the manifest, expected {at}"
            data = file.read(entry.n_bytes)
            hasher.update(data)
            at += len(data)
            yield from _sample_problems(name, entry, data, tally)
        rest = file.read()
        hasher.update(rest)
        n_bytes = at + len(rest)
    tally.n_bytes += n_bytes
    if rest != end_of_archive(at):
        yield f"{name}: {len(rest)} bytes follow the last sample, expected the {len(end_of_archive(at))} of a tar's end"
    if n_bytes != shard["n_bytes"]:
        yield f"{name}: {n_bytes} bytes, set.json says {shard['n_bytes']}"
    if hasher.hexdigest() != shard["sha256"]:
        yield f"{name}: its SHA-256 is not the one in set.json; the file was changed"
    with blobs.open(f"{folder}/{name}") as file:
        yield from _stock_problems(name, file, [entry.key for entry in entries])


def _sample_problems(name: str, entry: ShardEntry, data: bytes, tally: Tally) -> Iterator[str]:
    where = f"{name}, sample {entry.key}"
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        yield f"{where}: its SHA-256 is not the one in the manifest; bytes {entry.offset} … were changed"
    try:
        parts = list(members(data, where))
        keys = {member.partition(".")[0] for member, _ in parts}
        if keys != {entry.key}:
            yield f"{where}: found members of {sorted(keys)}, expected only its own"
            return
        sample = sample_from_members(entry.key, {member.partition(".")[2]: content for member, content in parts})
    except UNREADABLE as error:
        yield f"{where}: cannot be read ({error})"
        return
    tally.samples += 1
    yield from json_problems(where, parts)
    yield from tally.trees.problems(where, sample.record)
    yield from _record_problems(where, entry, sample)
    said = episode_of(sample.record)
    if tally.episodes.setdefault(sample.episode_id, said) != said:
        yield f"{where}: it tells of {sample.episode_id} {said}, a sample before {tally.episodes[sample.episode_id]}"
    yield from _range_problems(where, entry, data, sample.record["views"])
    yield from _action_problems(where, sample)
    for camera, mp4 in sample.views.items():
        tally.clips += 1
        yield from _clip_problems(f"{where}, view {camera}", mp4, sample.record["views"][camera], tally)


def _record_problems(where: str, entry: ShardEntry, sample: EventSample) -> Iterator[str]:
    """Whether ``event.json`` and the manifest tell the same story."""
    said = {
        "key": sample.record["key"],
        "event_id": sample.event_id,
        "episode_id": sample.episode_id,
        "source": sample.record["lineage"]["source"],
        "shard": sample.record["draw"]["shard"],
        "split": sample.split,
        "t": sample.t,
        "repeat": sample.record["draw"]["repeat"],
        "n_frames": sample.n_frames,
        "n_action_rows": sample.span.n_actions,
        "start_ns": sample.span.start_ns,
        "end_ns": sample.span.end_ns,
        "vision_language": sample.vision_language,
        "action": sample.action,
        "verb": sample.record["event"]["verb"],
        "licence": sample.record["licence"],
        "tail": bool(sample.record["cell"]["tail"]),
        "recovery": sample.record["lineage"]["kind"] == SourceKind.RECOVERY
        or sample.record["event"]["recovery"] != RecoveryKind.NONE,
        "target_share": sample.record["cell"]["target_share"],
    }
    for column, value in said.items():
        if value != getattr(entry, column):
            yield f"{where}: event.json says {column} {value!r}, the manifest {getattr(entry, column)!r}"
    if sample.n_frames != sample.span.n_frames:
        yield f"{where}: {sample.n_frames} frames of the master view, its span has {sample.span.n_frames}"


def _range_problems(where: str, entry: ShardEntry, data: bytes, views: Mapping[str, Any]) -> Iterator[str]:
    """Whether every member lies where the manifest says, with the digest and the pictures it says."""
    pictures = {
        f"{name}{VIDEO_SUFFIX}": (view["n_frames"], view["width"], view["height"]) for name, view in views.items()
    }
    found = list(member_ranges(data, entry.offset, pictures, where))
    said = {member.name: member for member in entry.members}
    if [member.name for member in found] != list(said):
        yield f"{where}: members {[member.name for member in found]}, the manifest lists {list(said)}"
    for member in found:
        told = said.get(member.name, member)
        for column in ("offset", "n_bytes", "sha256", "n_frames", "width", "height"):
            if getattr(told, column) != getattr(member, column):
                yield (
                    f"{where}: member {member.name} has {column} {getattr(member, column)!r}, "
                    f"the manifest says {getattr(told, column)!r}"
                )


def _action_problems(where: str, sample: EventSample) -> Iterator[str]:
    """Null actions only without actions; as many rows as the span says, all inside it."""
    if sample.action_T20 is None or sample.state_T20 is None or sample.action_times_ns is None:
        if sample.span.n_actions:
            yield f"{where}: no actions although its span has {sample.span.n_actions} rows"
        if sample.known_20.any() or sample.state_known_20.any():
            yield f"{where}: known action columns although it has no actions"
        return
    if not len(sample.action_T20) == len(sample.state_T20) == len(sample.action_times_ns) == sample.span.n_actions:
        yield f"{where}: {len(sample.action_T20)} action rows, its span has {sample.span.n_actions}"
    times = sample.action_times_ns
    if len(times) and not sample.span.start_ns <= times[0] <= times[-1] < sample.span.end_ns:
        yield f"{where}: action rows from {times[0]} to {times[-1]} ns, outside its span"


def _clip_problems(where: str, mp4: bytes, view: Mapping[str, Any], tally: Tally) -> Iterator[str]:
    """Every picture is decoded and must be where ``times_ns`` says."""
    if hashlib.sha256(mp4).hexdigest() != view["sha256"]:
        yield f"{where}: its SHA-256 is not the one in event.json"
    times = np.array(view["times_ns"], np.int64)
    try:
        pts, sizes, tick_ns = _decoded(mp4)
    except (av.FFmpegError, IndexError) as error:
        yield f"{where}: cannot be decoded ({error})"
        return
    tally.frames += len(pts)
    if not len(pts) == view["n_frames"] == len(times):
        yield f"{where}: {len(pts)} frames, event.json says {view['n_frames']} with {len(times)} times"
    elif np.any(np.abs(pts - (times - times[0])) >= tick_ns):
        yield f"{where}: frame times in the mp4 are not those of event.json"
    if sizes != {(view["width"], view["height"])}:
        yield f"{where}: pictures of {sorted(sizes)}, event.json says {view['width']}×{view['height']}"


def _decoded(mp4: bytes) -> tuple[Ints, set[tuple[int, int]], float]:
    """PTS in ns of the frames that decode, their sizes, and the length of the file's tick in ns."""
    pts, sizes = [], set()
    with av.open(io.BytesIO(mp4)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            pts.append(round((frame.pts or 0) * frame.time_base * NS_PER_S))
            sizes.add((frame.width, frame.height))
        tick_ns = float(stream.time_base * NS_PER_S)
    return np.array(pts, np.int64), sizes, tick_ns


def _stock_problems(name: str, file: BinaryIO, keys: list[str]) -> Iterator[str]:
    """What WebDataset's own reader makes of the tar."""
    try:
        seen = [str(sample["__key__"]) for sample in group_by_keys(tar_file_expander([{"url": name, "stream": file}]))]
    except (ValueError, OSError, EOFError, tarfile.TarError) as error:
        yield f"{name}: stock webdataset cannot read it ({error})"
        return
    if seen != keys:
        yield f"{name}: stock webdataset reads {len(seen)} samples, the manifest has {len(keys)} or another order"
