"""Agreement equals what one computes by hand, for raters made by hand (Q2 of the review's acceptance tests)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from annotators.review.agreement import (
    PICTURE,
    RELATIVE,
    Agreement,
    Audited,
    Rated,
    agreement,
    errors,
    moved_frames,
)
from annotators.review.document import Document, Label, boundary_key, label_key
from annotators.review.operation import Decide, Merge, Move, Relabel
from schemas.episode import Arm
from schemas.event import Level, ReviewState, Verb
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.review.made import CUTS, made
from tests.annotators.review.reviewed import Session

TWENTY_FIVE = FrameClock(np.arange(300, dtype=np.int64) * (NS_PER_S // 25), 12 * NS_PER_S)
"""40 ms a picture: one is within 0.1 s, three are 0.12 s, ten are 0.4 s."""


def shifted(frames: int) -> Document:
    inner = {frame + frames: rank for frame, rank in CUTS.items() if 0 < frame < 300}
    return made({0: 0, **inner, 300: 0})


def rated(clock: FrameClock = TWENTY_FIVE, **documents: Document) -> Agreement:
    return agreement([Rated("ep-1", clock, documents, blind=True, machine=made())], Level.ACTION)


def means(found: Mapping[str, object]) -> dict[str, float]:
    return {name: f1.mean.f1 for name, f1 in found.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (0, {"0.1 s": 1, "0.25 s": 1, "0.5 s": 1, "1 s": 1, PICTURE: 1, RELATIVE: 1}),
        (1, {"0.1 s": 1, "0.25 s": 1, "0.5 s": 1, "1 s": 1, PICTURE: 1, RELATIVE: 1}),
        (3, {"0.1 s": 0, "0.25 s": 1, "0.5 s": 1, "1 s": 1, PICTURE: 0, RELATIVE: 1}),
        (10, {"0.1 s": 0, "0.25 s": 0, "0.5 s": 1, "1 s": 1, PICTURE: 0, RELATIVE: 1}),
    ],
)
def test_raters_shifted_by_some_frames(frames: int, expected: dict[str, float]) -> None:
    found = rated(ann=made(), bob=shifted(frames))
    assert means(found.boundaries) == expected
    assert found.delta_frames == {frames: 3}
    assert means(found.segments) == {"0.1": 1, "0.25": 1, "0.5": 1}


def test_a_relative_distance_is_five_percent_of_what_was_kept() -> None:
    """15 pictures of 300; the 16th is beyond."""
    assert means(rated(ann=made(), bob=shifted(15)).boundaries)[RELATIVE] == 1
    assert means(rated(ann=made(), bob=shifted(16)).boundaries)[RELATIVE] == 0


def test_one_rater_who_splits() -> None:
    found = rated(ann=made(), bob=made(CUTS | {50: 2}))
    assert set(means(found.boundaries).values()) == {6 / 7}
    assert set(means(found.segments).values()) == {8 / 9}


def test_one_rater_who_merges() -> None:
    found = rated(ann=made(), bob=made({frame: rank for frame, rank in CUTS.items() if frame != 200}))
    assert set(means(found.boundaries).values()) == {4 / 5}
    assert set(means(found.segments).values()) == {6 / 7}


def test_mean_is_over_all_pairs_and_best_over_each_raters_nearest() -> None:
    found = rated(ann=made(), bob=shifted(1), cy=shifted(10))
    assert found.pairs == 3
    assert found.boundaries[PICTURE].mean.f1 == pytest.approx(1 / 3)
    assert found.boundaries[PICTURE].best.f1 == pytest.approx(2 / 3)


def test_seconds_follow_the_clock_and_pictures_do_not() -> None:
    """Of a recording that dropped most of its pictures one picture is a long time."""
    slow = FrameClock(np.arange(300, dtype=np.int64) * NS_PER_S, 300 * NS_PER_S)
    found = means(rated(slow, ann=made(), bob=shifted(1)).boundaries)
    assert (found["0.5 s"], found["1 s"], found[PICTURE]) == (0, 1, 1)


def named(document: Document, start: int, **words: object) -> Document:
    key = label_key(Level.ACTION, f"b{start}")
    label: Label = replace(document.labels[key], **words)  # type: ignore[arg-type]
    return replace(document, labels={**document.labels, key: label})


def test_slots_agree_word_by_word_over_stretches_that_are_the_same() -> None:
    other = named(named(shifted(3), 0, objects=("Cup",)), 103, verb=Verb.POUR, arm=Arm.LEFT)
    found = rated(ann=named(made(), 0, objects=("cup",)), bob=other)
    assert {name: (share.n, share.of) for name, share in found.slots.items()} == {
        "verb": (3, 4), "objects": (4, 4), "arm": (3, 4),
    }  # fmt: skip
    assert means(found.named_segments)["0.5"] == 3 / 4
    assert means(found.segments)["0.5"] == 1


def test_episodes_are_pooled_and_not_averaged() -> None:
    one = Rated("ep-1", TWENTY_FIVE, {"ann": made(), "bob": shifted(3)}, blind=True, machine=made())
    few = {0: 0, 100: 2, 300: 0}
    two = Rated(
        "ep-2",
        TWENTY_FIVE,
        {"ann": made(few, "ep-2"), "bob": made(few, "ep-2")},
        blind=False,
        machine=made(few, "ep-2"),
    )
    assert agreement([one, two], Level.ACTION).boundaries[PICTURE].mean.f1 == pytest.approx(2 / 8)
    assert agreement([], Level.ACTION).dumped()["episodes"] == 0


def test_levels_are_rated_apart() -> None:
    merged = made({frame: rank for frame, rank in CUTS.items() if frame != 160})
    one = Rated("ep-1", TWENTY_FIVE, {"ann": made(), "bob": merged}, blind=True, machine=made())
    assert agreement([one], Level.ACTION).boundaries[PICTURE].mean.f1 == 1
    assert agreement([one], Level.SEGMENT).boundaries[PICTURE].mean.f1 == pytest.approx(6 / 7)


def test_the_machine_is_measured_against_the_same_people() -> None:
    """It stands where ann does; ann and bob agree to ten pictures only."""
    found = rated(ann=made(), bob=shifted(10))
    assert found.machine_boundaries[PICTURE].f1 == pytest.approx(1 / 2)
    assert found.machine_boundaries["0.5 s"].f1 == 1
    assert means(found.boundaries)[PICTURE] == 0
    assert found.pairs == 1


# -- the machine -------------------------------------------------------------------------------------------------------


def audited(*operations: object) -> Audited:
    return Audited(made(), Session(made()).does(*operations).document)  # type: ignore[arg-type]


def test_a_machine_that_people_accept_made_no_error() -> None:
    accepted = Decide(entity=label_key(Level.ACTION, "b100"), state=ReviewState.ACCEPTED)
    found = errors([audited(accepted), audited()], Level.ACTION)
    assert ((found.events.n, found.events.of), (found.episodes.n, found.episodes.of)) == ((0, 8), (0, 2))


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        (Move(boundary_id="b100", frame=101), 2),
        (Merge(boundary_id="b260"), 2),
        (Relabel(level=Level.ACTION, boundary_id="b100", caption="otherwise", verb=Verb.MOVE), 1),
        (Decide(entity=label_key(Level.ACTION, "b0"), state=ReviewState.REJECTED), 1),
        (Move(boundary_id="b160", frame=161), 0),
    ],
)
def test_what_people_changed_was_an_error_of_the_machine(operation: object, wrong: int) -> None:
    found = errors([audited(operation), audited()], Level.ACTION)
    assert (found.events.n, found.events.of) == (wrong, 8)
    assert (found.episodes.n, found.episodes.of) == (int(wrong > 0), 2)


def test_how_far_people_moved_the_machines_boundaries_is_signed() -> None:
    deeds = (Move(boundary_id="b100", frame=97), Move(boundary_id="b260", frame=264))
    accepted = Decide(entity=boundary_key("b200"), state=ReviewState.ACCEPTED)
    assert moved_frames([audited(*deeds, accepted), audited()]) == {-3: 1, 4: 1, 0: 1}
