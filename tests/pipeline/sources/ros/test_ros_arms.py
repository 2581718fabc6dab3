"""Rows of a bag: one topic's messages, joined by each other topic's latest one."""

from typing import Any

import numpy as np

from pipeline.sources.reference import metadata_of
from pipeline.sources.ros.ros_arms import action_track
from pipeline.sources.ros.ros_clock import choose
from pipeline.sources.ros.ros_gather import Gathered
from pipeline.sources.ros.ros_values import JointsOf, NumberOf, PoseOf, Request
from schemas.episode import ActionTrack, CommandMode, CommandSpace
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.source import SourceFile, make_ref

MS = 1_000_000
NOW = 1_700_000_000_000_000_000
POSE = PoseOf("/pose")


def tell(check: str, message: str, value: float | None, threshold: float | None) -> Finding:
    return Finding("ep", "bags", "ingest", check, Verdict.KEEP, message, value, threshold)


def made(rows: dict[Request, list[tuple[int, tuple[float, ...]]]], frames: list[str], **recipe: Any) -> Any:
    """A track of rows given as (milliseconds, numbers), and the findings by check."""
    stated = {"format": "ros_bag", "name": "bags", "path": "x", "card": {"licence": "CC0-1.0"}, **recipe}
    spec = RosBagSource.model_validate(stated)
    gathered = Gathered(spec, "a.bag")
    for request, found in rows.items():
        series = gathered.series[request]
        for t_ms, numbers in found:
            assert series.add(numbers, NOW + t_ms * MS, NOW + t_ms * MS)
        if isinstance(request, PoseOf):
            series.frames.extend(frames)
        elif isinstance(request, JointsOf):
            series.names = request.names
            gathered.channels[request.topic] = "sensor_msgs/JointState"
    clocks = choose({s.request.label: s.stamps for s in gathered.series.values()}, spec.clock)
    ref = make_ref(
        source="bags", kind=spec.kind, dataset="bags", embodiment="none", locator="a.bag", root="x",
        files=(SourceFile("bag", "a.bag", "0" * 64, 1),), metadata=metadata_of(spec, {}),
    )  # fmt: skip
    track, findings = action_track(ref, spec, gathered, clocks, tell)
    return track, {finding.check: finding for finding in findings}


def pose(x: float) -> tuple[float, ...]:
    return (x, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def test_rows_take_the_latest_earlier_sample_and_never_a_later_one() -> None:
    gripper = NumberOf("/grip")
    poses = [(t, pose(t)) for t in (100, 200, 300, 400)]
    arm = {"arm": "right", "pose_topic": "/pose", "gripper": {"topic": "/grip"}}
    grips = [(101, (0.1,)), (199, (0.2,)), (201, (0.3,)), (299, (0.4,))]
    track, findings = made({POSE: poses, gripper: grips}, ["base"] * 4, state=[arm], join_tolerance_s=0.05)
    assert isinstance(track, ActionTrack)
    assert track.state[0].opening is not None
    assert np.array_equal(track.state[0].opening, np.float32([np.nan, 0.2, 0.4, np.nan]), equal_nan=True)
    assert track.valid.tolist() == [False, True, True, False]
    assert (findings["rows_without_sample"].value, findings["rows_without_sample"].threshold) == (2, 0)


def test_poses_of_two_frames_are_no_path() -> None:
    poses = [(t, pose(t)) for t in (100, 200, 300)]
    track, findings = made({POSE: poses}, ["base", "map", "base"], state=[{"arm": "right", "pose_topic": "/pose"}])
    assert track.frame == "base"
    assert track.valid.tolist() == [True, False, True]
    assert "1 poses are given in ['map'], the others in 'base'" in findings["pose_frame_changes"].message


def test_one_frame_given_in_two_others_is_two_poses() -> None:
    left, right = PoseOf("/tf", "tool", "base_left"), PoseOf("/tf", "tool", "base_right")
    arms = [
        {"arm": side, "pose_topic": "/tf", "child_frame": "tool", "parent_frame": f"base_{side}"}
        for side in ("left", "right")
    ]
    track, _ = made({left: [(100, pose(1.0))], right: [(100, pose(2.0))]}, ["base"], state=arms)
    assert [arm.position[0, 0] for arm in track.state] == [1.0, 2.0]


def test_a_zero_quaternion_makes_the_row_invalid() -> None:
    poses = [(100, pose(1.0)), (200, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))]
    track, _ = made({POSE: poses}, ["base"] * 2, state=[{"arm": "right", "pose_topic": "/pose"}])
    assert track.valid.tolist() == [True, False]


def test_a_command_that_is_no_pose_makes_the_row_invalid() -> None:
    commands = [(99, pose(1.0)), (199, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)), (299, (np.nan, *pose(0.0)[1:]))]
    arms = {side: [{"arm": "right", "pose_topic": topic}] for side, topic in (("state", "/pose"), ("target", "/goal"))}
    rows: dict[Request, list[tuple[int, tuple[float, ...]]]] = {
        POSE: [(t, pose(t)) for t in (100, 200, 300)],
        PoseOf("/goal"): commands,
    }
    track, _ = made(rows, ["base"] * 3, **arms)
    assert track.valid.tolist() == [True, False, False]


def test_joints_of_the_command_stand_beside_those_of_the_state() -> None:
    state, target = JointsOf("/state", ("a", "b")), JointsOf("/command", ("b", "c"))
    track, findings = made(
        {state: [(100, (1.0, 2.0))], target: [(99, (3.0, 4.0))]}, [],
        state=[{"arm": "right", "joints_topic": "/state", "joint_names": ["a", "b"]}],
        target=[{"arm": "right", "joints_topic": "/command", "joint_names": ["b", "c"]}],
    )  # fmt: skip
    assert track.joint_names == ("a", "b", "c")
    assert np.array_equal(track.joint_state, [1.0, 2.0, np.nan], equal_nan=True)
    assert np.array_equal(track.joint_target, [np.nan, 3.0, 4.0], equal_nan=True)
    assert track.valid.tolist() == [True]
    assert findings == {}
    assert (track.commands.mode, track.commands.space) == (CommandMode.ABSOLUTE, CommandSpace.JOINT)


def test_two_arms_with_the_same_joint_names_are_told_apart() -> None:
    left, right = JointsOf("/left", ("a",)), JointsOf("/right", ("a",))
    arms = [
        {"arm": side, "joints_topic": f"/{side}", "joint_names": ["a"]} for side in ("left", "right")
    ]  # fmt: skip
    track, _ = made({left: [(100, (1.0,))], right: [(100, (2.0,))]}, [], state=arms)
    assert track.joint_names == ("a", "right.a")
    assert np.array_equal(track.joint_state, [1.0, 2.0])


def test_a_recipe_whose_topics_are_silent_has_no_actions() -> None:
    assert made({}, [], state=[{"arm": "right", "pose_topic": "/pose"}]) == (None, {})
