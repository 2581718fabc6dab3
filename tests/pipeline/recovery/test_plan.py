"""A plan says where the arm was, how far each start is from there, and why something cannot be used."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.recovery.demonstration import from_npz, to_npz
from pipeline.recovery.geodesic_ball import angle_between
from pipeline.recovery.page import plan_page
from pipeline.recovery.plan import collection_plan, planned_event, pose_of
from schemas.episode import Arm
from schemas.event import BoundaryKind, RecoveryKind, Verb
from schemas.pose import RotationEncoding, matrix_of
from schemas.recipe_recover import RecoverSpec
from schemas.recovery_plan import CollectionPlan, StartKind
from schemas.rotation import rotation_6d
from tests.pipeline.recovery.made import MadeEpisode

CONTACTS = (BoundaryKind.GRASP, BoundaryKind.SUPPORT, BoundaryKind.RELEASE)


@pytest.mark.parametrize("kind", CONTACTS)
def test_the_nominal_pose_is_where_the_arm_was_at_the_contact(episode: MadeEpisode, kind: BoundaryKind) -> None:
    planned, _ = episode.planned(kind)
    row = int(np.searchsorted(episode.actions.times_ns, planned.contact_ns))
    true = episode.trajectory.arms[0].true
    assert planned.nominal is not None
    assert np.abs(np.array(planned.nominal.position_m) - true.position[row]).max() < 0.005
    assert angle_between(pose_of(planned.nominal, 0).rotation, true.rotation[row]) < 0.02


@pytest.mark.parametrize("kind", CONTACTS)
def test_both_ways_to_say_a_rotation_say_the_same(episode: MadeEpisode, kind: BoundaryKind) -> None:
    planned, _ = episode.planned(kind)
    for start in planned.starts:
        matrix = matrix_of(np.array([start.pose.rotation_6d]))[0]
        said = rotation_6d(np.array([start.pose.quaternion_xyzw]), RotationEncoding.QUATERNION_XYZW)
        assert np.allclose(matrix, matrix_of(said)[0], atol=1e-5)


def test_a_start_is_as_far_away_as_it_says(episode: MadeEpisode) -> None:
    spec = RecoverSpec(starts=40, radius_m=0.02, angle_deg=10, alpha=0.5)
    planned, _ = episode.planned(BoundaryKind.GRASP, spec)
    assert planned.nominal is not None
    nominal = pose_of(planned.nominal, 0)
    for start in planned.starts:
        pose = pose_of(start.pose, 0)
        assert np.linalg.norm(pose.position - nominal.position) == pytest.approx(start.distance_m, abs=5e-6)
        assert angle_between(nominal.rotation, pose.rotation) == pytest.approx(start.angle_rad, abs=5e-6)
        assert (start.distance_m == 0) is (start.kind is StartKind.NOMINAL)
        assert start.distance_m <= 0.02
        assert start.angle_rad <= np.radians(10)
    assert sum(start.kind is StartKind.PERTURBED for start in planned.starts) == 20


def test_the_scene_is_taken_before_the_fingers_move(episode: MadeEpisode) -> None:
    """Or an item would be set up inside closed fingers."""
    planned, _ = episode.planned(BoundaryKind.GRASP)
    true = episode.trajectory.arms[0].true
    assert planned.scene_ns < planned.contact_ns
    assert true.opening[planned.scene.row] > 0.9
    assert episode.actions.times_ns[planned.scene.row] == planned.scene_ns
    assert planned.opening is not None
    assert planned.opening > 0.9


def test_what_is_held_is_held_at_the_start_too(episode: MadeEpisode) -> None:
    planned, _ = episode.planned(BoundaryKind.RELEASE)
    motion = episode.trajectory.arms[0]
    assert motion.held[planned.scene.row] >= 0
    assert planned.opening == pytest.approx(motion.true.opening[planned.scene.row], abs=0.05)


def test_a_plan_with_more_starts_keeps_those_it_had(episode: MadeEpisode) -> None:
    few, _ = episode.planned(BoundaryKind.GRASP, RecoverSpec(starts=3))
    many, _ = episode.planned(BoundaryKind.GRASP, RecoverSpec(starts=30))
    assert many.starts[:3] == few.starts
    again, _ = episode.planned(BoundaryKind.GRASP, RecoverSpec(starts=3))
    assert again == few
    other, _ = episode.planned(BoundaryKind.GRASP, RecoverSpec(starts=3, seed=1))
    assert {start.start_id for start in other.starts}.isdisjoint(start.start_id for start in few.starts)


def test_a_start_outside_the_workspace_is_there_with_its_reason(episode: MadeEpisode) -> None:
    low = RecoverSpec(starts=20, max_height_m=-0.1)
    planned, _ = episode.planned(BoundaryKind.GRASP, low)
    assert len(planned.starts) == 20
    assert all("above recover.max_height_m (-0.1)" in start.problem for start in planned.starts)
    assert planned.usable == []
    assert planned.problem == ""
    box = RecoverSpec(starts=20, box={"low": [-9, -9, -9], "high": [0.1, 9, 9]})
    planned, _ = episode.planned(BoundaryKind.GRASP, box)
    assert all("outside recover.box (-9 to 0.1)" in start.problem for start in planned.starts)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"arm": None}, "not known which arm"),
        ({"arm": Arm.LEFT}, "no state of the left arm"),
        ({"recovery": RecoveryKind.MISS}, "it is a miss"),
        ({"recovery": RecoveryKind.SLIP}, "it is a slip"),
        ({"verb": Verb.PLACE}, "begins with a grasp boundary"),
    ],
)
def test_a_contact_that_cannot_be_used_is_there_with_its_reason(
    episode: MadeEpisode, changed: dict[str, Any], reason: str
) -> None:
    event = episode.event(BoundaryKind.GRASP, **changed)
    planned, demonstration = planned_event(event, episode.episode, episode.ref, episode.actions, RecoverSpec())
    assert reason in planned.problem
    assert (planned.starts, planned.nominal, demonstration) == ([], None, None)


def test_an_uncertain_contact_is_not_used(episode: MadeEpisode) -> None:
    event = episode.event(BoundaryKind.GRASP)
    event = dataclasses.replace(event, start=dataclasses.replace(event.start, confidence=0.4))
    planned, _ = planned_event(event, episode.episode, episode.ref, episode.actions, RecoverSpec())
    assert "confidence of 0.40, less than recover.min_confidence (0.5)" in planned.problem


def test_rows_that_are_not_valid_make_no_pose(episode: MadeEpisode) -> None:
    event = episode.event(BoundaryKind.GRASP)
    near = np.abs(episode.actions.times_ns - event.span.start_ns) < 300_000_000
    actions = dataclasses.replace(episode.actions, valid=~near)
    planned, _ = planned_event(event, episode.episode, episode.ref, actions, RecoverSpec())
    assert "no valid state of the right arm within 0.25 s" in planned.problem


def test_actions_that_were_moved_move_the_pose(episode: MadeEpisode) -> None:
    """What is planned follows the aligned clock: the same rows at other times are another pose."""
    event = episode.event(BoundaryKind.SUPPORT)
    moved = dataclasses.replace(episode.actions, times_ns=episode.actions.times_ns + np.int64(500_000_000))
    here, _ = planned_event(event, episode.episode, episode.ref, episode.actions, RecoverSpec())
    there, _ = planned_event(event, episode.episode, episode.ref, moved, RecoverSpec())
    assert here.nominal is not None
    assert there.nominal is not None
    assert there.nominal.position_m[2] > here.nominal.position_m[2] + 0.01  # half a second before it was put down


def test_a_demonstration_survives_its_file(episode: MadeEpisode) -> None:
    _, demonstration = episode.planned(BoundaryKind.GRASP)
    data = to_npz(demonstration)
    again = from_npz(data)
    assert to_npz(again) == data
    with pytest.raises(ValueError, match="npz"):
        from_npz(data[:100])


def test_a_plan_reads_back_and_is_the_same_wherever_the_recordings_lie(episode: MadeEpisode) -> None:
    planned, _ = episode.planned(BoundaryKind.GRASP)
    plan = collection_plan(RecoverSpec(), [], [planned], 1)
    assert CollectionPlan.model_validate(json.loads(plan.model_dump_json())) == plan
    elsewhere = planned.model_copy(update={"scene": planned.scene.model_copy(update={"root": "/other"})})
    assert collection_plan(RecoverSpec(), [], [elsewhere], 1).plan_id == plan.plan_id
    assert collection_plan(RecoverSpec(alpha=0.5), [], [planned], 1).plan_id != plan.plan_id


def test_the_page_names_every_start_and_trusts_no_text(episode: MadeEpisode, tmp_path: Path) -> None:
    planned, _ = episode.planned(BoundaryKind.GRASP)
    lost = planned.model_copy(update={"event_id": "ev-lost", "problem": "it is <b>lost</b>"})
    page = plan_page(collection_plan(RecoverSpec(), [], [planned, lost], 7))
    assert all(start.start_id in page for start in planned.starts)
    assert "&lt;grasp&gt; &amp; co" in page
    assert "it is &lt;b&gt;lost" in page
    assert "7 contacts" in page
