"""One tar against its rows: the checks that look inside samples, on samples that are wrong but well sealed."""

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.blobs import Blobs
from pipeline.shards.npz import read_npz, write_npz
from pipeline.shards.ranges import member_ranges
from pipeline.shards.tar import TarStream, members, sample_bytes
from pipeline.shards.verify_tar import Tally, tar_problems
from schemas.arrow import from_table
from schemas.shard import ShardEntry

Parts = dict[str, bytes]
Change = Callable[[Parts], None]


def problems_after(folder: Path, tmp_path: Path, change: Change) -> list[str]:
    """Rebuild the first train shard with its last sample changed and every seal made right again."""
    rows = from_table(ShardEntry, pq.read_table(folder / "manifest.parquet"))
    entries = [row for row in rows if row.shard == "train-000000"]
    data = (folder / "train-000000.tar").read_bytes()
    stream, sealed = io.BytesIO(), []
    writer = TarStream(stream)
    for number, entry in enumerate(entries):
        own = data[entry.offset : entry.offset + entry.n_bytes]
        parts = {name.partition(".")[2]: content for name, content in members(own, "x")}
        if number == len(entries) - 1:
            change(parts)
        own = sample_bytes(entry.key, parts.items())
        offset = writer.add(own)
        sealed.append(placed(entry, offset, own))
    shard = {"shard": "train-000000", "n_samples": len(entries), "sha256": writer.finish(), "n_bytes": writer.n_bytes}
    return looked_at(tmp_path, stream.getvalue(), shard, sealed)


def placed(entry: ShardEntry, offset: int, own: bytes) -> ShardEntry:
    """The entry, pointing at these bytes."""
    pictures = {member.name: (member.n_frames, member.width, member.height) for member in entry.members}
    ranges = tuple(member_ranges(own, offset, pictures, "x"))
    digest = hashlib.sha256(own).hexdigest()
    return dataclasses.replace(entry, offset=offset, n_bytes=len(own), sha256=digest, members=ranges)


def looked_at(tmp_path: Path, tar: bytes, shard: dict[str, Any], entries: Sequence[ShardEntry]) -> list[str]:
    blobs = Blobs(str(tmp_path))
    blobs.put_bytes("s/train-000000.tar", tar)
    return list(tar_problems(blobs, "s", shard, entries, Tally()))


def record(change: Callable[[dict[str, Any]], None]) -> Change:
    def apply(parts: Parts) -> None:
        value = json.loads(parts["event.json"])
        change(value)
        parts["event.json"] = json.dumps(value).encode()

    return apply


def test_an_untouched_tar_has_nothing_wrong(folder: Path, tmp_path: Path) -> None:
    assert problems_after(folder, tmp_path, lambda parts: None) == []


def swap_views(parts: Parts) -> None:
    top, wrist = "observation_images_top.mp4", "wrist.mp4"
    parts[top], parts[wrist] = parts[wrist], parts[top]


def fewer_rows(parts: Parts) -> None:
    for name in ("action.npz", "state.npz"):
        arrays = read_npz(parts[name])
        rows = {key: arrays[key][:-1] for key in ("times_ns", "values", "valid")}
        parts[name] = write_npz({**arrays, **rows})


def late_rows(parts: Parts) -> None:
    arrays = read_npz(parts["action.npz"])
    parts["action.npz"] = write_npz({**arrays, "times_ns": arrays["times_ns"] + np.int64(10**12)})


def no_columns(parts: Parts) -> None:
    value = json.loads(parts["event.json"])
    value["action_kind"] = "none"
    value["event"]["span"].update(action_start=0, action_end=0)
    parts["event.json"] = json.dumps(value).encode()


def shift_times(value: dict[str, Any]) -> None:
    times = value["views"]["observation_images_top"]["times_ns"]
    times[1] += 1


WRONG: dict[str, tuple[Change, str]] = {
    "views exchanged": (swap_views, "view wrist: its SHA-256 is not the one in event.json"),
    "no actions": (lambda parts: parts.pop("action.npz") and None, "member 'action.npz' is missing"),
    "a broken clip": (lambda parts: parts.update({"wrist.mp4": b"x" * 50}), "view wrist: cannot be decoded"),
    "a broken array": (lambda parts: parts.update({"state.npz": b"PK\x03\x04"}), "cannot be read"),
    "broken words": (lambda parts: parts.update({"event.json": b"{"}), "cannot be read"),
    "a row too few": (fewer_rows, "action rows, its span has"),
    "rows elsewhere": (late_rows, "outside its span"),
    "times that are not the clip's": (record(shift_times), "frame times in the mp4 are not those of event.json"),
    "another event": (record(lambda value: value["event"].update(event_id="ev-0")), "event.json says event_id 'ev-0'"),
    "another place": (record(lambda value: value["draw"].update(t=99)), "event.json says t 99, the manifest 4"),
    "actions without an action kind": (no_columns, "known action columns although it has no actions"),
    "null actions": (record(lambda value: value.update(action_kind="none")), "no actions although its span has"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_sample_that_is_wrong_inside_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    change, expected = WRONG[name]
    found = problems_after(folder, tmp_path, change)
    assert any(expected in problem for problem in found), found
    assert all("sample 00000004-" in problem for problem in found), "the other samples are still good"


def test_rows_that_leave_a_gap_are_named(folder: Path, tmp_path: Path) -> None:
    rows = from_table(ShardEntry, pq.read_table(folder / "manifest.parquet"))
    entries = [row for row in rows if row.shard == "train-000000"]
    content = json.loads((folder / "set.json").read_text())
    shard = next(item for item in content["shards"] if item["shard"] == "train-000000")
    tar = (folder / "train-000000.tar").read_bytes()
    found = looked_at(tmp_path, tar, shard, entries[1:])
    assert any("the manifest has 4 samples, set.json says 5" in problem for problem in found)
    assert any(f"sample {entries[1].key} starts at byte {entries[1].offset}" in problem for problem in found)
    assert any("stock webdataset reads 5 samples, the manifest has 4" in problem for problem in found)


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "elsewhere": ({"offset": 7}, "the manifest says 7"),
    "of another size": ({"n_bytes": 7}, "the manifest says 7"),
    "of other bytes": ({"sha256": "0" * 64}, "member wrist.mp4 has sha256"),
    "of other frames": ({"n_frames": 99}, "the manifest says 99"),
    "wider": ({"width": 1000}, "member wrist.mp4 has width"),
    "of another name": ({"name": "head.mp4"}, "the manifest lists ['observation_images_top.mp4', 'head.mp4'"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies_about_a_member_is_named(folder: Path, tmp_path: Path, lie: str) -> None:
    """A reader of one view trusts these rows alone."""
    change, expected = LIES[lie]
    rows = from_table(ShardEntry, pq.read_table(folder / "manifest.parquet"))
    entries = [row for row in rows if row.shard == "train-000000"]
    first, wrist, *rest = entries[1].members
    entries[1] = dataclasses.replace(entries[1], members=(first, dataclasses.replace(wrist, **change), *rest))
    content = json.loads((folder / "set.json").read_text())
    shard = next(item for item in content["shards"] if item["shard"] == "train-000000")
    found = looked_at(tmp_path, (folder / "train-000000.tar").read_bytes(), shard, entries)
    assert len(found) == 1
    assert f"sample {entries[1].key}: member" in found[0]
    assert expected in found[0]


@pytest.mark.parametrize(
    ("flag", "expected"), [("tail", "event.json says tail False"), ("recovery", "event.json says recovery False")]
)
def test_flags_are_those_of_the_record(folder: Path, tmp_path: Path, flag: str, expected: str) -> None:
    rows = from_table(ShardEntry, pq.read_table(folder / "manifest.parquet"))
    entries = [row for row in rows if row.shard == "train-000000"]
    entries[0] = dataclasses.replace(entries[0], **{flag: True})
    content = json.loads((folder / "set.json").read_text())
    shard = next(item for item in content["shards"] if item["shard"] == "train-000000")
    (found,) = looked_at(tmp_path, (folder / "train-000000.tar").read_bytes(), shard, entries)
    assert expected in found
