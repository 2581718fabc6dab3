"""Bodies found in a shard set: rates, cameras, durations, and the way through JSON."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set
from tests.trainer.events import sample, stats_of
from trainer.embodiment import Embodiment, embodiment_from, embodiment_of, embodiments_of, median_durations


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return ShardSet.open(published_set(tmp_path_factory.getbasetemp() / "published"))


def equal(one: Embodiment, other: Embodiment) -> bool:
    plain = ("group", "cameras", "fps", "control_hz", "durations_s")
    same = all(getattr(one, name) == getattr(other, name) for name in plain)
    return same and all(
        np.array_equal(getattr(one.stats, field.name), getattr(other.stats, field.name)) for field in fields(one.stats)
    )


def test_every_body_with_statistics_is_found(shards: ShardSet) -> None:
    found = embodiments_of(shards, "train", 2)
    assert {each.group for each in found} == set(shards.all_stats())
    for body in found:
        events = [event for _, event in shards.iterate("train") if event.statistics_group == body.group]
        assert body.cameras == tuple(events[0].views)[:2]
        rows = events[0].action_times_ns
        assert rows is not None
        assert body.control_hz == pytest.approx(1e9 / np.median(np.diff(rows)))
        assert body.fps == pytest.approx(1e9 / np.median(np.diff(events[0].view_times_ns[body.cameras[0]])))
        assert np.array_equal(body.stats.mean_20, shards.stats(body.group).mean_20)


def test_durations_are_medians_of_all_events_of_a_verb(shards: ShardSet) -> None:
    (body,) = embodiments_of(shards, "train", 2)
    manifest = shards.manifest("train", ["source", "verb", "start_ns", "end_ns"]).to_pylist()
    sources = {
        row["source"]
        for row, (_, event) in zip(manifest, shards.iterate("train"), strict=True)
        if event.statistics_group == body.group
    }
    own = [row for row in manifest if row["source"] in sources]
    for verb, seconds in body.durations_s.items():
        lengths = [(row["end_ns"] - row["start_ns"]) / 1e9 for row in own if verb in {"", row["verb"]}]
        assert seconds == pytest.approx(np.median(lengths))
    assert set(body.durations_s) == {"", *(row["verb"] for row in own)}


def test_one_long_event_does_not_move_the_duration_of_a_verb() -> None:
    manifest = {
        "source": ["a", "a", "a", "b", "a"],
        "verb": ["lift", "lift", "lift", "lift", "move"],
        "start_ns": [0, 0, 10**9, 0, 0],
        "end_ns": [10**9, 2 * 10**9, 61 * 10**9, 10**9, 4 * 10**9],
    }
    assert median_durations(manifest, {"a"}) == {"": 3.0, "lift": 2.0, "move": 4.0}


def test_a_body_comes_back_from_json_as_it_was() -> None:
    body = embodiment_of(sample(), stats_of(sample()), 1)
    assert body.cameras == ("front",)
    assert (body.fps, body.control_hz, body.durations_s) == (10.0, 20.0, {"": 2.5})
    back = embodiment_from(json.loads(json.dumps(body.to_json())))
    assert equal(back, body)
    assert not equal(embodiment_from(body.to_json() | {"fps": 11.0}), body)


def test_a_set_without_actions_has_no_body(shards: ShardSet, tmp_path: Path) -> None:
    assert embodiments_of(shards, "no such split", 2) == ()
