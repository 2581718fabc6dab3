"""Counts on the card are counts of records, whatever batches they come in."""

import dataclasses

from pipeline.shards.facts import (
    SplitFacts,
    count_episodes,
    count_events,
    count_findings,
    count_sync,
    deviations,
    split_facts,
)
from schemas.event import ReviewState
from schemas.finding import Finding, Verdict
from schemas.shard import ShardEntry
from tests.pipeline.shards.corpus import N_FRAMES, Corpus


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


def test_a_split_counts_samples_and_distinct_events() -> None:
    found = split_facts([[entry(0), entry(1, repeat=1)], [entry(2, cell=(1, 0)), entry(0, split="validation")]])
    train = found["train"]
    assert (train.n_samples, train.n_events, train.n_bytes, train.ns) == (3, 2, 300, 60)
    assert train.cells == {(0, 0): 2, (1, 0): 1}
    assert list(found) == ["train", "validation"]


def test_episodes_are_counted_by_what_a_licence_depends_on(filmed: Corpus) -> None:
    number, ns = count_episodes([list(filmed.episodes[:1]), list(filmed.episodes[1:])])
    assert sorted((key.source, key.licence, n) for key, n in number.items()) == [
        ("bench", "CC-BY-4.0", 3),
        ("web", "CC-BY-NC-4.0", 1),
    ]
    assert sum(ns.values()) == 4 * N_FRAMES * 50_000_000


def test_events_are_counted_by_level_author_and_review(filmed: Corpus) -> None:
    odd = dataclasses.replace(filmed.events[0], review=ReviewState.EDITED, needs_vlm=True, caption_by=None)
    found = count_events([[odd], list(filmed.events[1:])])
    assert found.levels == {"task": 4, "subtask": 4, "action": 16, "segment": 16}
    assert found.captions == {"template": 39, "nobody": 1}
    assert found.reviews == {"proposed": 39, "edited": 1}
    assert found.needs_vlm == 1


def test_findings_and_clocks_are_counted(filmed: Corpus) -> None:
    finding = Finding("ep-0", "bench", "align", "frozen", Verdict.TRIM, "m")
    assert count_findings([[finding], [finding]]) == {("align", "frozen", "trim"): 2}
    assert count_sync([list(filmed.alignments)]) == {"unverified": 3, "not_applicable": 1}


def test_deviations_compare_what_was_drawn_with_the_plan(filmed: Corpus) -> None:
    plan = filmed.plan
    cell = plan.cells[0]
    train = SplitFacts(n_samples=8)
    train.cells[cell.vision_language, cell.action] = 8
    rows, cells = deviations(plan, train)
    assert round(rows, 3) == 4.0
    assert round(cells, 3) == 7.0
    assert deviations(plan, None) == (0.0, 0.0)
