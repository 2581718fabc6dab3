"""``joinery train`` on a published shard set: start, resume, overfit, and the mistakes people make."""

from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import corpus, publish_set, write_shards
from tests.trainer.events import small
from trainer.loop import StepLog
from trainer.run import ShardEvents, find_event, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shard set, cut from film and published as any other; nobody may change it."""
    films, blobs = corpus(tmp_path_factory.mktemp("films")), Blobs(str(tmp_path_factory.mktemp("workspace")))
    (published,) = publish_set(films, blobs, write_shards(films, blobs))
    return Path(blobs.url) / published.path


def test_training_reads_shards_and_leaves_checkpoint_and_log(folder: Path, tmp_path: Path) -> None:
    seen: list[StepLog] = []
    report = train(str(folder), small(), tmp_path / "out", 3, on_step=seen.append)
    assert [line.step for line in seen] == [1, 2, 3]
    assert (report.first, report.last) == (seen[0], seen[-1])
    assert report.tokens == sum(line.tokens for line in seen)
    assert report.checkpoint.exists()
    assert len(report.log.read_text().splitlines()) == 3


def test_a_run_is_continued_only_when_asked_to(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train(str(folder), small(), out, 2, resume=True)
    train(str(folder), small(), out, 2)
    with pytest.raises(FileExistsError, match="a run is there already; pass --resume"):
        train(str(folder), small(), out, 2)
    report = train(str(folder), small(), out, 2, resume=True)
    assert (report.first_step, report.first) == (2, None)


def test_events_come_in_the_plans_order_over_and_over(folder: Path) -> None:
    shards = ShardSet.open(str(folder))
    events, n = ShardEvents(shards, small()), shards.n_samples("train")
    ids = [events[draw].event_id for draw in range(n)]
    assert ids == [sample.event_id for _, sample in shards.iterate("train")]
    assert events[n + 1].event_id == ids[1]


def test_events_with_and_without_actions_are_both_read(folder: Path) -> None:
    shards = ShardSet.open(str(folder))
    events = ShardEvents(shards, small())
    examples = [events[draw] for draw in range(shards.n_samples("train"))]
    with_actions = [each for each in examples if len(each.actions_KA)]
    assert 0 < len(with_actions) < len(examples)
    for each in with_actions:
        rows = each.actions_KA[:, each.action_known_A]
        assert rows.abs().max() < 6, "normalised"
    assert {len(each.latents_VFCHW) for each in examples} <= {1, 2}


def test_overfitting_sees_one_event_only(folder: Path) -> None:
    shards = ShardSet.open(str(folder))
    wanted = shards.read("train", 2).event_id
    assert shards.read("train", find_event(shards, wanted)).event_id == wanted
    events = ShardEvents(shards, small(), find_event(shards, "2"))
    assert {events[draw].event_id for draw in range(5)} == {wanted}
    assert events.identity != ShardEvents(shards, small()).identity


@pytest.mark.parametrize("event", ["999", "ev-unknown"])
def test_an_unknown_event_is_refused(folder: Path, event: str) -> None:
    with pytest.raises(ValueError, match=f"--overfit {event}: "):
        find_event(ShardSet.open(str(folder)), event)


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected the folder of a published shard set"):
        train(str(tmp_path), small(), tmp_path / "out", 1)
