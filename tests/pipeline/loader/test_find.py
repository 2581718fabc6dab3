"""An event is found by its id or its number, without a sample being read."""

import pytest

from pipeline.loader.find import found_draw
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return ShardSet.open(published_set(tmp_path_factory.getbasetemp() / "published"))


def test_a_number_is_a_draw_of_the_first_split(shards: ShardSet) -> None:
    assert found_draw(shards, "3", ["train", "validation"]) == ("train", 3)
    assert found_draw(shards, "0", ["validation", "train"]) == ("validation", 0)


def test_an_id_is_found_where_it_is_first_drawn(shards: ShardSet, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {split: [sample.event_id for _, sample in shards.iterate(split)] for split in ("train", "validation")}
    monkeypatch.setattr(ShardSet, "read_members", None)  # whoever reads a sample now is found out
    for split, own in ids.items():
        for event in own:
            assert found_draw(shards, event, ["train", "validation"]) == (split, own.index(event))


@pytest.mark.parametrize("event", ["ev-none", "99999", "-1", "³"])
def test_what_is_not_there_is_said(shards: ShardSet, event: str) -> None:
    with pytest.raises(
        ValueError, match=rf"no event '{event}'; expected an id, .* of the split 'train' \(draws: train"
    ):
        found_draw(shards, event, ["train", "validation"])


def test_an_id_of_another_split_is_not_found(shards: ShardSet) -> None:
    held_out = shards.read("validation", 0).event_id
    with pytest.raises(ValueError, match="no event"):
        found_draw(shards, held_out, ["train"])
