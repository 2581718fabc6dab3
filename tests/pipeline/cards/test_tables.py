"""The tables beside the tars: of the set's own episodes, in whatever batches they came."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.cards.tables import RECORDS, said_by, tables
from schemas.cluster import Membership
from schemas.event import Provenance
from schemas.shard import ShardEntry
from tests.pipeline.shards.corpus import SPEC, Corpus, card_streams, membership

SOURCES = {of.name: (str(of.kind), of.card) for of in SPEC.sources}


def written_as(of: Corpus, written: list[Any], batch: int = 7, **instead: Any) -> dict[str, bytes]:
    streams: dict[type, Any] = card_streams(of, written, batch)
    streams |= {kind: (lambda items=items: iter([items])) for kind, items in instead.pop("instead", {}).items()}

    def stream(record: type) -> Iterator[list[Any]]:
        return iter(streams[record]())

    found = {}
    for name, write in tables(stream, SOURCES).items():
        file = io.BytesIO()
        write(file)
        found[name] = file.getvalue()
    return found


def rows(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return found


def test_they_do_not_follow_the_executors_batches(filmed: Corpus, written: list[Any]) -> None:
    assert written_as(filmed, written, 1) == written_as(filmed, written, 100)


def test_they_are_the_ones_published(filmed: Corpus, written: list[Any], folder: Path) -> None:
    found = written_as(filmed, written)
    assert {name: (folder / name).read_bytes() for name in found} == found
    assert {*found, "manifest.parquet"} == set(RECORDS)


def test_of_an_episode_without_samples_nothing_is_told(filmed: Corpus, written: list[Any]) -> None:
    gone = filmed.episodes[2].episode_id
    entries = [item for item in written if isinstance(item, ShardEntry) and item.episode_id != gone]
    found = written_as(filmed, written, instead={ShardEntry: entries})
    assert gone not in {
        row["episode_id"] for name in ("episodes.parquet", "events.parquet") for row in rows(found[name])
    }
    assert [row["source"] for row in rows(found["sources.parquet"])] == ["bench"]


def test_what_was_left_out_says_why(filmed: Corpus, written: list[Any]) -> None:
    import dataclasses

    copy, refused, kept = (membership(item) for item in filmed.assignments[:3])
    members: list[Membership] = [
        dataclasses.replace(copy, duplicate_of="ev-better"),
        dataclasses.replace(refused, withheld="CC-BY-NC-4.0"),
        kept,
    ]
    first, second = rows(written_as(filmed, written, instead={Membership: members})["left_out.parquet"])
    assert (first["reason"], first["kept_id"], first["licence"]) == ("copy", "ev-better", "")
    assert (second["reason"], second["kept_id"], second["licence"]) == ("licence", "", "CC-BY-NC-4.0")


def test_an_episode_says_what_was_recorded(filmed: Corpus, folder: Path) -> None:
    first = pq.read_table(folder / "episodes.parquet").to_pylist()[0]
    assert (first["licence"], first["redistribution"], first["consent"]) == ("CC-BY-4.0", "allowed", "stated")
    assert first["splits"] == ["train"]
    assert [camera["n_frames"] for camera in first["cameras"]] == [40, 20]
    assert all(camera["steady"] for camera in first["cameras"])


@pytest.mark.parametrize(
    ("by", "said"), [(None, "nobody"), (Provenance("human"), "human"), (Provenance("vlm", "q:7"), "vlm q:7")]
)
def test_who_said_it(by: Provenance | None, said: str) -> None:
    assert said_by(by) == said
