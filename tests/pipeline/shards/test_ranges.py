"""Every member can be read alone, from the tar as it lies on disk."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.loader.decode import decode_clip
from pipeline.shards.ranges import member_ranges
from pipeline.shards.tar import sample_bytes
from schemas.arrow import from_table
from schemas.shard import ShardEntry

PARTS = [("front.mp4", b"\x00" * 700), ("event.json", b"{}"), ("empty.npz", b"")]


def test_a_range_is_the_content_and_nothing_else() -> None:
    tar = b"before" + sample_bytes("key", PARTS)
    found = list(member_ranges(tar[6:], 6, {"front.mp4": (5, 4, 2)}, "here"))
    assert [(item.name, tar[item.offset : item.offset + item.n_bytes]) for item in found] == PARTS
    assert [item.sha256 for item in found] == [hashlib.sha256(content).hexdigest() for _, content in PARTS]
    assert [(item.n_frames, item.width, item.height) for item in found] == [(5, 4, 2), (0, 0, 0), (0, 0, 0)]


def test_bytes_that_are_no_sample_are_refused() -> None:
    with pytest.raises(ValueError, match="here: no tar header"):
        list(member_ranges(b"x" * 512, 0, {}, "here"))


def test_the_manifest_leads_to_every_view_and_tells_its_pictures(folder: Path) -> None:
    entries = from_table(ShardEntry, pq.read_table(folder / "manifest.parquet"))
    for entry in entries:
        tar = (folder / f"{entry.shard}.tar").read_bytes()
        views = [member for member in entry.members if member.name.endswith(".mp4")]
        assert views[0].n_frames == entry.n_frames, "the master view comes first"
        for view in views:
            pixels = decode_clip(tar[view.offset : view.offset + view.n_bytes])
            assert pixels.shape == (view.n_frames, view.height, view.width, 3)
        rest = [member.name for member in entry.members[len(views) :]]
        assert rest == ["action.npz", "state.npz", "calib.json", "event.json"]
