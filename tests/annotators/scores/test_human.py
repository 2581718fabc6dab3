"""Agreement of people, and ours beside it."""

import numpy as np
import pytest

from annotators.scores.human import VERBS, by_episode, human_score
from annotators.scores.marks import OURS, Case, Mark, Part, Person
from annotators.scores.report import group_score
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS

RANGES = ((0, 10 * NS_PER_S),)


def marks(*times_s: float) -> tuple[Mark, ...]:
    return tuple(Mark(round(t * NS_PER_S), BoundaryKind.GRASP) for t in times_s)


def episode(name: str, ours: tuple[Mark, ...], *people: tuple[Mark, ...]) -> list[Case]:
    """One case per person, each with all the others."""
    return [
        Case(name, RANGES, own, {OURS: ours}, others=tuple(Person(o) for j, o in enumerate(people) if j != i))
        for i, own in enumerate(people)
    ]


def test_one_annotator_gives_no_human_track() -> None:
    assert human_score(episode("a", marks(1), marks(1)), PHYSICAL_KINDS, seed=0, resamples=50) is None


def test_two_people_agree_as_far_as_their_boundaries_match() -> None:
    cases = episode("a", marks(2, 5), marks(2, 5, 7), marks(2.05, 5.3, 9))
    found = human_score(cases, PHYSICAL_KINDS, seed=0, resamples=50)
    assert found is not None
    assert (found.episodes, found.pairs) == (1, 1)
    assert found.agreement["f1@0.1"].estimate == pytest.approx(1 / 3)
    assert found.agreement["f1@0.5"].estimate == pytest.approx(2 / 3)
    # ours against the first: 2 of (2 + 3); against the second at .1: 1 of (2 + 3)
    assert found.ours["f1@0.1"].estimate == pytest.approx(2 * (2 + 1) / (5 + 5))
    assert found.normalised["f1@0.1"].estimate == pytest.approx(0.6 * 3)


def test_whoever_copies_a_person_scores_at_least_what_people_do() -> None:
    rng = np.random.default_rng(1)
    cases = []
    for i in range(12):
        true = np.sort(rng.uniform(0.5, 9.5, 6))
        people = [marks(*np.sort(true + rng.normal(0, 0.15, 6))) for _ in range(3)]
        cases += episode(f"e{i}", people[0], *people)
    found = human_score(cases, PHYSICAL_KINDS, seed=0, resamples=200)
    assert found is not None
    assert found.pairs == 36
    share = found.normalised["f1@0.25"]
    assert share.estimate is not None
    assert share.low is not None
    assert share.estimate > 1.0
    assert share.low > 1.0


def test_verbs_agree_where_both_give_the_same_one() -> None:
    parts = (Part(0, NS_PER_S, "grasp"), Part(NS_PER_S, 2 * NS_PER_S, "pour"), Part(2 * NS_PER_S, 3 * NS_PER_S, "chat"))
    other = (Part(0, NS_PER_S, "grasp"), Part(NS_PER_S, 2 * NS_PER_S, "stir"))
    case = Case(
        "a", RANGES, marks(1), {OURS: marks(1)}, true_parts=parts, parts=parts, others=(Person(marks(1), other),)
    )
    found = human_score([case], PHYSICAL_KINDS, seed=0, resamples=50)
    assert found is not None
    assert found.agreement[VERBS].estimate == 0.5
    assert found.ours[VERBS].estimate == 1.0


def test_an_episode_is_resampled_once_however_many_annotated_it() -> None:
    cases = [*episode("a", marks(1), marks(1), marks(1)), *episode("b", marks(5), marks(9))]
    np.testing.assert_array_equal(by_episode(np.array([[1.0], [2.0], [4.0]]), cases), [[3.0], [4.0]])
    report = group_score("g", cases, PHYSICAL_KINDS, seed=0, resamples=50)
    assert (report.episodes, report.annotations, report.true) == (2, 3, 3)
    assert report.human is not None
    assert report.human.episodes == 1
