"""Where events lie: every one found, whatever the shards look like."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.locations import read_locations
from schemas.arrow import from_table
from schemas.shard import ShardEntry
from tests.pipeline.loader.made_shards import MadeEvent, clip, write_set


def test_rows_are_the_catalogues_and_lead_to_the_members(made: Path) -> None:
    locations, catalogue = read_locations(Blobs(str(made))), read_catalogue(Blobs(str(made)))
    assert locations.event_id.tolist() == catalogue.event_id.tolist()
    entries: dict[str, ShardEntry] = {}
    for entry in from_table(ShardEntry, pq.read_table(made / "manifest.parquet")):
        entries.setdefault(entry.event_id, entry)
    for row in range(len(locations)):
        found = locations[row]
        entry = entries[found.event_id]
        assert (found.shard, found.members) == (entry.shard, entry.members), "of the first of several draws"
        assert locations.duration_ns[row] == entry.end_ns - entry.start_ns


def test_other_shards_hold_the_same_contents(made: Path, tmp_path: Path) -> None:
    """Fewer and other shards, in another order, repeats elsewhere."""
    other = write_set(tmp_path / "other", [*range(59, -1, -1), 3, 3], per_shard=40, prefix="zzz")
    before, after = read_locations(Blobs(str(made))), read_locations(Blobs(str(other)))
    for row in range(len(before)):
        one, two = before[row], after[row]
        assert one.event_id == two.event_id
        for mine, theirs in zip(one.members[:2], two.members[:2], strict=True):
            assert (mine.name, mine.sha256, mine.n_frames) == (theirs.name, theirs.sha256, theirs.n_frames)


def test_a_members_range_is_its_content(made: Path) -> None:
    locations = read_locations(Blobs(str(made)))
    event = MadeEvent(17)
    row = locations.event_id.tolist().index(event.event_id.encode())
    tar = (made / f"{locations[row].shard}.tar").read_bytes()
    wrist = locations[row].members[1]
    assert tar[wrist.offset : wrist.offset + wrist.n_bytes] == clip(17 % 12, 1)


def test_the_published_corpus_is_found(folder: Path) -> None:
    assert len(read_locations(Blobs(str(folder)))) == len(read_catalogue(Blobs(str(folder)))) == 12


def test_a_manifest_from_before_members_is_refused(made: Path, tmp_path: Path) -> None:
    table = pq.read_table(made / "manifest.parquet")
    pq.write_table(table.drop_columns(["members"]), tmp_path / "manifest.parquet")
    (tmp_path / "set.json").write_text(json.dumps({"shard_set_id": "ss-old"}))
    with pytest.raises(StoreError, match="no column 'members'; publish the set again"):
        read_locations(Blobs(str(tmp_path)))
