"""A shard as written: samples in drawing order, rows that point at them, the same bytes every time."""

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.loader.sample import sample_from_members
from pipeline.shards.tar import members
from schemas.arrow import from_table, to_table
from schemas.shard import ShardEntry, ShardFile, ShardStatistics
from tests.pipeline.shards import corpus
from tests.pipeline.shards.corpus import Corpus

R = TypeVar("R")


def of_type(kind: type[R], records: list[object]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def test_entries_point_at_whole_samples_in_drawing_order(filmed: Corpus, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    records = corpus.write_shards(filmed, blobs)
    files = {file.shard: file for file in of_type(ShardFile, records)}
    entries = of_type(ShardEntry, records)
    assert [(entry.shard, entry.t, entry.event_id) for entry in entries] == sorted(
        (draw.shard, draw.t, draw.event_id) for draw in filmed.draws
    )
    for entry in entries:
        tar = blobs.read(files[entry.shard].path)
        data = tar[entry.offset : entry.offset + entry.n_bytes]
        assert hashlib.sha256(data).hexdigest() == entry.sha256
        assert {name.partition(".")[0] for name, _ in members(data, "x")} == {entry.key}
    for file in files.values():
        tar = blobs.read(file.path)
        assert (len(tar), hashlib.sha256(tar).hexdigest()) == (file.n_bytes, file.sha256)
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            assert len({member.name.partition(".")[0] for member in archive}) == file.n_samples


def test_the_same_inputs_give_the_same_bytes_whatever_their_order(filmed: Corpus, tmp_path: Path) -> None:
    once = corpus.write_shards(filmed, Blobs(str(tmp_path / "a")))
    again = dataclasses.replace(
        filmed,
        clips=filmed.clips[::-1],
        events=filmed.events[::-1],
        draws=filmed.draws[::-1],
        tracks=filmed.tracks[::-1],
    )
    twice = corpus.write_shards(again, Blobs(str(tmp_path / "b")))
    for kind in (ShardFile, ShardEntry, ShardStatistics):
        assert to_table(kind, of_type(kind, once)).equals(to_table(kind, of_type(kind, twice)))


def test_statistics_are_of_the_rows_as_a_trainer_sees_them(filmed: Corpus, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    records = corpus.write_shards(filmed, blobs)
    files = {file.shard: file for file in of_type(ShardFile, records)}
    found = {(item.shard, item.quantity): item for item in of_type(ShardStatistics, records)}
    assert {item.embodiment for item in found.values()} == {"arm7"}, "episodes without actions have no statistics"
    actions, states = [], []
    for entry in of_type(ShardEntry, records):
        if entry.shard != "train-000000":
            continue
        tar = blobs.read(files[entry.shard].path)
        parts = members(tar[entry.offset : entry.offset + entry.n_bytes], "x")
        sample = sample_from_members(entry.key, {name.partition(".")[2]: content for name, content in parts})
        relative = sample.relative_action()
        if relative is not None:
            assert sample.action_valid_T is not None
            assert sample.state_T20 is not None
            actions.append(relative[sample.action_valid_T])
            states.append(sample.state_T20[sample.state_valid_T])
    rows = {"action_relative": np.concatenate(actions), "state": np.concatenate(states)}
    for quantity, values in rows.items():
        item = found["train-000000", quantity]
        assert item.n_rows.tolist() == [0] * 10 + [len(values)] * 10
        np.testing.assert_allclose(item.mean[10:], values[:, 10:].mean(axis=0, dtype=np.float64), rtol=1e-9, atol=1e-9)


def test_statistics_survive_the_table(filmed: Corpus, tmp_path: Path) -> None:
    items = of_type(ShardStatistics, corpus.write_shards(filmed, Blobs(str(tmp_path))))
    again = from_table(ShardStatistics, to_table(ShardStatistics, items))
    assert [item.bins.tolist() for item in again] == [item.bins.tolist() for item in items]


def test_a_draw_whose_event_is_gone_is_named(filmed: Corpus, tmp_path: Path) -> None:
    gone = filmed.draws[0].event_id
    without = dataclasses.replace(filmed, events=tuple(event for event in filmed.events if event.event_id != gone))
    with pytest.raises(JoineryError, match=gone):
        corpus.write_shards(without, Blobs(str(tmp_path)))


def test_a_draw_without_its_clips_is_named_and_no_tar_is_left(filmed: Corpus, tmp_path: Path) -> None:
    blobs, gone = Blobs(str(tmp_path)), filmed.draws[0].event_id
    without = dataclasses.replace(filmed, clips=tuple(clip for clip in filmed.clips if clip.event_id != gone))
    with pytest.raises(JoineryError, match=f"{gone}: clips"):
        corpus.write_shards(without, blobs)
    assert blobs.list("tars") == []
