"""Draws are counted per cell, whatever batches they come in, and held against the plan."""

from pipeline.shards.facts import deviations, split_facts
from schemas.shard import ShardEntry
from tests.pipeline.shards.corpus import Corpus


def entry(t: int, *, repeat: int = 0, cell: tuple[int, int] = (0, 0), split: str = "train") -> ShardEntry:
    return ShardEntry(
        shard="s",
        key=str(t),
        event_id=str(t),
        episode_id="e",
        source="bench",
        split=split,
        t=t,
        offset=0,
        n_bytes=100,
        sha256="",
        members=(),
        n_frames=5,
        n_action_rows=0,
        start_ns=10,
        end_ns=30,
        vision_language=cell[0],
        action=cell[1],
        tail=False,
        recovery=False,
        target_share=0.5,
        realised_share=None,
        repeat=repeat,
        repeat_cap=2.0,
    )


def test_a_split_counts_samples_and_cells() -> None:
    found = split_facts([[entry(0), entry(1, repeat=1)], [entry(2, cell=(1, 0)), entry(0, split="validation")]])
    train = found["train"]
    assert train.n_samples == 3
    assert train.cells == {(0, 0): 2, (1, 0): 1}
    assert list(found) == ["train", "validation"]


def test_deviations_compare_what_was_drawn_with_the_plan(filmed: Corpus) -> None:
    plan = filmed.plan
    cell = plan.cells[0]
    rows, cells = deviations(plan, {(cell.vision_language, cell.action): 8})
    assert round(rows, 3) == 4.0
    assert round(cells, 3) == 7.0
    assert deviations(plan, {}) == (0.0, 0.0)
