"""No table names an episode that was taken out, whether it was drawn, left out, or kept in the place of another."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.blobs import Blobs
from pipeline.cards.check import card_problems
from pipeline.cards.tables import RECORDS
from pipeline.cards.taken_out import Gone
from pipeline.shards import publish
from pipeline.shards.latest import SHARDS
from pipeline.shards.verify import verify
from pipeline.shards.without import events_in, names_any, without
from pipeline.stage import Bundle
from schemas.cluster import Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.finding import Finding, Verdict
from tests.pipeline.shards.corpus import SPEC, TWICE, Corpus, card_streams, membership

STRANGER, COPY = f"ep-{7:032x}", f"ep-{8:032x}"
"""One that was kept and never drawn, so that no table says which events are its; and a copy of it."""
KEPT = f"ev-{70:032x}"
MADE_LATER = f"ev-{80:032x}"


def pair(episode: str, kept: str) -> DuplicateEpisodes:
    return dataclasses.replace(TWICE, episode_id=episode, kept_id=kept)


@pytest.fixture
def told(filmed: Corpus, written: list[Any], blobs: Blobs, tmp_path: Path) -> tuple[Blobs, str]:
    """A set that names two episodes it has no samples of."""
    own = membership(filmed.assignments[0])
    left_out = [
        dataclasses.replace(own, event_id=MADE_LATER, episode_id=COPY, duplicate_of=KEPT),
        dataclasses.replace(own, event_id=KEPT, episode_id=STRANGER, withheld="CC-BY-NC-4.0"),
    ]
    first = filmed.episodes[0].episode_id
    records: dict[type, list[Any]] = {
        Membership: [*map(membership, filmed.assignments), *left_out],
        DuplicateEpisodes: [pair(COPY, STRANGER), pair(first, COPY)],
        Finding: [Finding(name, "bench", "dedup", "seen", Verdict.KEEP, "") for name in (first, STRANGER)],
    }
    streams = card_streams(filmed, written) | {kind: (lambda it=it: iter([it])) for kind, it in records.items()}
    bundle = Bundle(item="corpus", work_key="told", blobs=blobs, streams=streams)
    (made,) = publish.STAGE.run(bundle, SPEC)
    shutil.copytree(Path(blobs.url) / made.path, tmp_path / made.path)  # type: ignore[attr-defined]
    return Blobs(str(tmp_path)), made.shard_set_id  # type: ignore[attr-defined]


def rows(blobs: Blobs, shard_set_id: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(Path(blobs.url) / SHARDS / shard_set_id / name).to_pylist()
    return found


def test_one_without_samples_goes_from_every_table(told: tuple[Blobs, str]) -> None:
    blobs, name = told
    less = without(blobs, name, Gone(frozenset({STRANGER})))
    assert less.n_samples == 0
    assert less.now != name
    found = {table: rows(blobs, less.now, table) for table in RECORDS}
    assert STRANGER not in str(found)
    assert KEPT not in str(found), "the events of an episode are known from its own rows"
    (left,) = found["left_out.parquet"]
    assert (left["event_id"], left["reason"], left["kept_id"]) == (MADE_LATER, "copy", "")
    assert [row["episode_id"] for row in found["copies.parquet"]] != []
    assert verify(blobs, f"{SHARDS}/{less.now}").problems == ()


def test_an_event_kept_in_the_place_of_another_is_known_by_its_id_alone(told: tuple[Blobs, str]) -> None:
    blobs, name = told
    nobody = f"ep-{99:032x}"
    assert not names_any(blobs, name, Gone(frozenset({nobody})))
    gone = Gone(frozenset({nobody}), frozenset({KEPT.partition("-")[2]}))
    assert names_any(blobs, name, gone)
    less = without(blobs, name, gone)
    assert [row["kept_id"] for row in rows(blobs, less.now, "left_out.parquet") if row["reason"] == "copy"] == [""]
    assert not names_any(blobs, less.now, Gone(frozenset({nobody})))


def test_a_drawn_one_takes_its_rows_and_its_source_with_it(told: tuple[Blobs, str], filmed: Corpus) -> None:
    blobs, name = told
    web = filmed.episodes[2].episode_id
    assert [row["source"] for row in rows(blobs, name, "sources.parquet")] == ["bench", "web"]
    own = events_in(blobs, name, [web])
    assert own == {node.event_id for node in filmed.events if node.episode_id == web}
    less = without(blobs, name, Gone(frozenset({web})))
    assert [row["source"] for row in rows(blobs, less.now, "sources.parquet")] == ["bench"]
    for table in RECORDS:
        said = str(rows(blobs, less.now, table))
        assert web not in said, table
        assert not any(event in said for event in own), table
    assert list(card_problems(blobs, f"{SHARDS}/{less.now}")) == []
    (page,) = (Path(blobs.url) / SHARDS / less.now).glob("card.html")
    assert "Taken down since it was made" in page.read_text(encoding="utf-8")


def test_a_set_that_names_none_of_them_is_left_alone(told: tuple[Blobs, str]) -> None:
    blobs, name = told
    assert names_any(blobs, name, Gone(frozenset({COPY})))
    assert not names_any(blobs, name, Gone(frozenset({f"ep-{99:032x}"})))
