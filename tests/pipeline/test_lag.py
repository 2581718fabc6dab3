"""Stage lag: each episode's evidence, from the best motion it offers."""

import dataclasses

import numpy as np
import pytest

from pipeline.lag import STAGE, LagSpec, evidence_of, lag_curve, lag_spec
from pipeline.stage import Bundle
from schemas.arrow import from_row, to_row
from schemas.episode import ActionKind, ActionTrack, Episode
from schemas.filmstrip import Filmstrip
from schemas.recipe import AlignSpec, Recipe
from schemas.sync import Evidence, LagCurve
from schemas.time import NS_PER_S
from tests.pipeline.made_up import (
    even_times,
    make_actions,
    make_arm,
    make_camera,
    make_episode,
    make_strip,
    moving_actions,
    seen_motion,
)

CAMERA = make_camera()
EPISODE, STRIP = make_episode(CAMERA), make_strip(CAMERA, seen_motion(CAMERA, noise=0.5))
TIMES = even_times(1000, 50.0)


def curve_of(actions: ActionTrack | None) -> LagCurve | None:
    return lag_curve(EPISODE, actions, [STRIP], 0.75)


def test_a_curve_reaches_a_little_beyond_the_window():
    curve = curve_of(moving_actions(0.1))
    assert curve is not None
    assert (curve.source, curve.evidence, curve.step_ns) == ("lab", Evidence.POSITIONS, 20_000_000)
    assert len(curve.correlation) == 2 * 43 + 1  # 0.75 s and 0.1 s, every 20 ms
    assert abs(curve.estimate.lag_ns + 100_000_000) <= 20_000_000


def test_measured_positions_are_better_evidence_than_joints_and_joints_than_commands():
    arm = moving_actions().state[0]
    joints = np.sin(TIMES / NS_PER_S)[:, None]
    offers = evidence_of(make_actions(TIMES, arm, target=(arm,), joints=joints))
    assert [evidence for evidence, channels in offers if channels] == [
        Evidence.POSITIONS,
        Evidence.JOINTS,
        Evidence.COMMANDS,
    ]


@pytest.mark.parametrize(
    ("actions", "evidence"),
    [
        (
            make_actions(TIMES, make_arm(np.zeros((1000, 3))), joints=moving_actions().state[0].position),
            Evidence.JOINTS,
        ),
        (make_actions(TIMES, target=moving_actions().state), Evidence.COMMANDS),
    ],
)
def test_where_better_evidence_does_not_move_the_next_is_asked(actions, evidence):
    curve = curve_of(actions)
    assert curve is not None
    assert curve.evidence is evidence


@pytest.mark.parametrize(
    "actions",
    [
        None,
        make_actions(TIMES[:0]),
        make_actions(TIMES, make_arm(np.zeros((1000, 3)))),
        dataclasses.replace(moving_actions(), kind=ActionKind.NONE),
        dataclasses.replace(moving_actions(), kind=ActionKind.PSEUDO),
    ],
    ids=["none", "no rows", "at rest", "kind none", "made from the pictures"],
)
def test_without_a_second_clock_or_motion_there_is_no_curve(actions):
    assert curve_of(actions) is None


def test_a_strip_that_does_not_fit_its_camera_is_left_out():
    short = make_strip(make_camera(n=10))
    assert lag_curve(EPISODE, moving_actions(), [short], 0.75) is None


def test_only_the_window_changes_a_curve():
    card = {"licence": "MIT"}
    source = {"format": "video_folder", "name": "web", "path": "web", "card": card}
    recipe = Recipe.model_validate({"joinery": 1, "workspace": {"url": "out"}, "sources": [source]})
    assert lag_spec(recipe) == LagSpec(max_lag_s=recipe.align.max_lag_s)
    looser = recipe.model_copy(update={"align": AlignSpec(min_correlation=0.1, on_rejected="keep")})
    assert lag_spec(looser) == lag_spec(recipe)


def test_the_stage_writes_at_most_one_curve_which_survives_the_store():
    for actions, written in (([moving_actions()], 1), ([], 0)):
        records = {Episode: [EPISODE], ActionTrack: actions, Filmstrip: [STRIP]}
        curves = list(STAGE.run(Bundle(item="ep-1", records=records), LagSpec(max_lag_s=0.75)))
        assert len(curves) == written
        assert {read.record for read in STAGE.reads} == set(records)
        for curve in curves:
            assert to_row(from_row(LagCurve, to_row(curve))).keys() == to_row(curve).keys()
