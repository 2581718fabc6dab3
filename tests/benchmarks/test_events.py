"""The table of floors: what counts as reached, whose numbers are pooled how, and what a lag costs."""

import pytest

from annotators.scores.baselines import GRIPPER, UNIFORM
from annotators.scores.marks import OURS, Case, Mark
from annotators.scores.ratios import f1_at, typed_f1_at
from benchmarks.events import Row, lag_rows, of, push_rows, scored
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S

RANGE = ((0, 10 * NS_PER_S),)
GRASP, RELEASE, CONTACT = BoundaryKind.GRASP, BoundaryKind.RELEASE, BoundaryKind.CONTACT


def marks(*at: tuple[BoundaryKind, float]) -> tuple[Mark, ...]:
    return tuple(Mark(round(second * NS_PER_S), kind) for kind, second in at)


def case(name: str, true: tuple[Mark, ...], ours: tuple[Mark, ...], theirs: tuple[Mark, ...] = ()) -> Case:
    return Case(name, RANGE, true, {OURS: ours, UNIFORM: theirs, GRIPPER: ()}, {"task": "push", "outcome": "success"})


@pytest.mark.parametrize(
    ("measured", "floor", "at_most", "reached"),
    [
        (0.8, 0.8, False, True),
        (0.79, 0.8, False, False),
        (0.01, 0.01, True, True),
        (0.02, 0.01, True, False),
        (-0.5, 0.01, True, True),
        (None, 0.8, False, False),
        (None, None, False, True),
        (0.0, None, False, True),
    ],
)
def test_a_floor_without_a_number_is_missed_and_a_number_without_a_floor_is_not(
    measured: float | None, floor: float | None, at_most: bool, reached: bool
) -> None:
    assert Row("", measured, floor, at_most).reached is reached


def test_ratios_are_pooled_over_boundaries_and_not_averaged_over_episodes() -> None:
    long = case("long", marks((GRASP, 1), (RELEASE, 2), (GRASP, 3)), marks((GRASP, 1), (RELEASE, 2), (GRASP, 3)))
    short = case("short", marks((GRASP, 5)), marks((GRASP, 8)))
    assert of([long, short], OURS, typed_f1_at(0.1)) == pytest.approx(3 / 4)
    assert of([long], UNIFORM, f1_at(0.1)) == 0.0
    assert of([], OURS, f1_at(0.1)) is None


def test_baselines_are_not_asked_for_the_kind() -> None:
    one = case("one", marks((GRASP, 1)), marks((RELEASE, 1)), theirs=marks((BoundaryKind.MOTION, 1)))
    row = scored("", [one], typed_f1_at(0.1), 0.5)
    assert (row.measured, row.uniform, row.gripper, row.reached) == (0.0, 1.0, 0.0, False)


def test_a_lag_is_charged_on_the_episodes_that_both_runs_kept() -> None:
    true = marks((GRASP, 1), (RELEASE, 4))
    plain = [case("a", true, true), case("dropped", true, ())]
    lagged = [case("a", true, marks((GRASP, 1), (RELEASE, 6))), case("new", true, ())]
    rows = {row.what: row for row in lag_rows(plain, lagged)}
    assert rows["episodes kept with and without lag"].measured == 1.0
    loss = rows["lag of 100 ms: loss of typed_f1@0.25"]
    assert loss.measured == pytest.approx(0.5)
    assert not loss.reached


def test_a_push_is_scored_by_contact_and_retreat() -> None:
    true = marks((CONTACT, 1), (BoundaryKind.RETREAT, 3))
    rows = {row.what: row.measured for row in push_rows([case("a", true, marks((CONTACT, 1.2)))])}
    assert rows["without a hold: contact (1): F1@.25"] == 1.0
    assert rows["without a hold: retreat (1): F1@.25"] == 0.0
    assert rows["without a hold: F1@.1 of any kind"] == 0.0
    assert rows["push: typed F1@.25"] == pytest.approx(2 / 3)
