"""The kinematic table: one line per candidate, short, and without columns that say nothing."""

from dataclasses import replace
from functools import cache

from annotators.tree.claim import PRIORS
from annotators.vlm.table import kinematic_table
from annotators.vlm.window import Window, windows_of
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import BoundaryKind
from tests.annotators.recordings import synthetic


@cache
def window(*arms: Arm) -> Window:
    recording = synthetic(make_trajectory(0, dict.fromkeys(arms, (Variant.PLAIN,)), rate_hz=20))
    return windows_of(recording.tree(), recording.episode, recording.actions.times_ns)[0]


def rows(of: Window) -> list[dict[str, str]]:
    head, *lines = [line.split(",") for line in kinematic_table(of).splitlines()]
    return [dict(zip(head, line, strict=False)) for line in lines]


def test_every_candidate_has_a_line_in_order() -> None:
    assert [row["id"] for row in rows(window(Arm.RIGHT))] == list(window(Arm.RIGHT).by_candidate)
    assert rows(window(Arm.RIGHT))[-1]["cut"] == "end"


def test_a_lift_shows_its_rise_and_a_grasp_its_closing_fingers() -> None:
    by_cut = {row["cut"]: row for row in reversed(rows(window(Arm.RIGHT)))}
    before, after = by_cut[BoundaryKind.GRASP]["grip"].split(">")
    assert int(before) > int(after)
    assert int(by_cut[BoundaryKind.TRANSPORT]["dz_cm"]) >= 1, "what moved since the lift began"
    assert by_cut[BoundaryKind.RELEASE]["sure%"] == f"{100 * PRIORS[BoundaryKind.RELEASE].confidence:.0f}"


def test_the_arm_is_named_where_there_are_two() -> None:
    assert "arm" not in rows(window(Arm.RIGHT))[0]
    assert {row["arm"] for row in rows(window(Arm.RIGHT, Arm.LEFT)) if len(row) > 3} >= {"L", "R"}


def test_nothing_measured_nothing_shown() -> None:
    blind = replace(
        window(Arm.RIGHT),
        pieces=tuple(replace(p, segment=replace(p.segment, motion=None)) for p in window(Arm.RIGHT).pieces),
    )
    assert kinematic_table(blind).splitlines()[0] == "id,s,cut,sure%"


def test_candidates_inside_an_action_are_only_named() -> None:
    short = [
        row
        for row, piece in zip(rows(window(Arm.RIGHT)), window(Arm.RIGHT).pieces, strict=True)
        if not piece.ends_action
    ]
    assert short
    assert all(set(row) == {"id", "s", "cut"} for row in short)
