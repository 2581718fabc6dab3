"""robomimic files: one layout, and a different convention in each of its descendants."""

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.robomimic import robomimic
from pipeline.video import ONE_THREAD
from schemas.episode import ActionTrack, Arm, ArmTrack, CameraRole, CommandMode, CommandSpace, SpanMeaning
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe_formats.robomimic import RobomimicSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.robomimic import (
    OSC,
    RUNS,
    Demo,
    env_args,
    poses,
    sim_demo,
    write_demo,
    write_isaac,
    write_libero,
    write_robomimic,
)

STEP_NS = 50_000_000


def spec_for(root: Path, **more: Any) -> RobomimicSource:
    stated = {"format": "robomimic", "name": "made", "path": str(root), "card": {"licence": "CC0-1.0"}, **more}
    return RobomimicSource.model_validate(stated)


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(robomimic.discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def only(root: Path, **more: Any) -> tuple[EpisodeRef, RawEpisode]:
    (ref,), findings = discovered(root, **more)
    assert findings == []
    return ref, robomimic.read(ref, SourceFiles(str(root)))


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def tracks(root: Path, **more: Any) -> tuple[ActionTrack, ArmTrack, ArmTrack]:
    """The track, its measured arm and its target."""
    track = track_of(only(root, **more)[1])
    return track, track.state[0], track.target[0]


def checks(raw: RawEpisode) -> list[str]:
    return [finding.check for finding in raw.findings]


def pixels_of(ref: EpisodeRef, camera: RawCamera) -> NDArray[Any]:
    shown = robomimic.pictures(ref, SourceFiles(ref.root), camera.video, ONE_THREAD)
    return np.stack([picture.frame.to_ndarray(format="rgb24") for picture in shown])


def hashes(pictures: NDArray[Any]) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest() for picture in pictures]


def stepped(demo: Demo, position_m: float = 0.05, rotation: float = 0.5) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where robosuite's OSC sets its goal: positions and rotation matrices, in the world."""
    position = demo.obs["robot0_eef_pos"] + demo.actions[:, :3] * position_m
    turn = Rotation.from_rotvec(demo.actions[:, 3:6] * rotation)
    return position, (turn * Rotation.from_quat(demo.obs["robot0_eef_quat"])).as_matrix()


def turning(demo: Demo) -> Demo:
    """With rotations in the actions: the real run was recorded without any."""
    actions = demo.actions.copy()
    actions[:, 3:6] = np.random.default_rng(0).uniform(-1, 1, (demo.n_rows, 3))
    return dataclasses.replace(demo, actions=actions)


@pytest.fixture(scope="module")
def demo(real: Path) -> Demo:
    return turning(sim_demo(real))


@pytest.fixture(scope="module")
def short(real: Path) -> Demo:
    """A few rows without pictures, for what is not about rows."""
    demo = sim_demo(real, RUNS[0], slice(30, 50, 4))
    low = {key: values for key, values in demo.obs.items() if not key.endswith("_image")}
    return dataclasses.replace(demo, obs=low)


def another(demo: Demo, number: float) -> Demo:
    return dataclasses.replace(demo, actions=demo.actions + number / 1000)


# -- robomimic and robosuite -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True])
def test_what_robomimic_writes_comes_out_as_it_went_in(tmp_path: Path, demo: Demo, compress: bool) -> None:
    write_robomimic(tmp_path / "image.hdf5", [demo], compress=compress)
    ref, raw = only(tmp_path)
    track, state, _ = tracks(tmp_path)
    assert raw.findings == ()
    assert (ref.locator, ref.embodiment) == ("image.hdf5#demo_0", "panda")
    assert track.times_ns.tolist() == [row * STEP_NS for row in range(demo.n_rows)]
    assert np.array_equal(np.asarray(state.position), demo.obs["robot0_eef_pos"].astype(np.float32))
    measured = Rotation.from_quat(demo.obs["robot0_eef_quat"]).as_matrix()
    assert matrix_of(np.asarray(state.rotation)) == pytest.approx(measured, abs=1e-6)
    names, columns = list(track.joint_names), np.asarray(track.joint_state).reshape(demo.n_rows, -1)
    joints = [names.index(f"robot0_joint_pos.{i}/7") for i in range(7)]
    assert np.array_equal(columns[:, joints], demo.obs["robot0_joint_pos"].astype(np.float32))
    sent = np.asarray(track.joint_target).reshape(demo.n_rows, -1)[:, [names.index(f"action.{i}/7") for i in range(7)]]
    assert np.array_equal(sent, demo.actions.astype(np.float32))
    assert [(camera.name, camera.expected_frames) for camera in raw.cameras] == [
        ("agentview", demo.n_rows),
        ("robot0_eye_in_hand", demo.n_rows),
    ]
    for camera in raw.cameras:
        assert hashes(pixels_of(ref, camera)) == hashes(demo.obs[f"{camera.name}_image"])


def test_a_step_is_5_cm_and_half_a_radian_from_where_the_arm_is(tmp_path: Path, demo: Demo) -> None:
    write_robomimic(tmp_path / "image.hdf5", [demo])
    track, _, target = tracks(tmp_path)
    position, rotation = stepped(demo)
    assert np.asarray(target.position) == pytest.approx(position, abs=1e-6)
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(rotation, abs=1e-6)
    assert track.commands is not None
    assert (track.commands.mode, track.commands.space, track.frame) == (
        CommandMode.DELTA,
        CommandSpace.END_EFFECTOR,
        "world",
    )


def test_minus_1_opens_and_plus_1_closes(tmp_path: Path, demo: Demo) -> None:
    write_robomimic(tmp_path / "image.hdf5", [demo])
    _, state, target = tracks(tmp_path)
    assert set(demo.actions[:, 6]) == {-1.0, 1.0}
    assert np.array_equal(np.asarray(target.opening), np.where(demo.actions[:, 6] < 0, 1, 0).astype(np.float32))
    fingers = demo.obs["robot0_gripper_qpos"]
    assert np.asarray(state.opening) == pytest.approx((fingers[:, 0] - fingers[:, 1]) / 0.08, abs=1e-6)
    assert 0.95 < np.asarray(state.opening)[0] < 1.02, "the run begins open"


def test_other_scales_of_the_controller_count(tmp_path: Path, demo: Demo) -> None:
    other = {**OSC, "output_max": [0.1] * 3 + [0.2] * 3, "output_min": [-0.1] * 3 + [-0.2] * 3}
    write_robomimic(tmp_path / "image.hdf5", [demo], args=env_args(controller_configs=other))
    position, rotation = stepped(demo, 0.1, 0.2)
    _, _, target = tracks(tmp_path)
    assert np.asarray(target.position) == pytest.approx(position, abs=1e-6)
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(rotation, abs=1e-6)


def test_the_recipes_scales_count_before_the_controllers(tmp_path: Path, demo: Demo) -> None:
    write_robomimic(tmp_path / "image.hdf5", [demo])
    position, rotation = stepped(demo, 0.02, 1.0)
    _, _, target = tracks(tmp_path, position_scale_m=0.02, rotation_scale=1.0)
    assert np.asarray(target.position) == pytest.approx(position, abs=1e-6)
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(rotation, abs=1e-6)


def test_actions_beyond_the_controllers_range_are_clipped_as_it_clips_them(tmp_path: Path, short: Demo) -> None:
    actions = short.actions.copy()
    actions[:, :3] = [3.0, -3.0, 0.5]
    write_robomimic(tmp_path / "low_dim.hdf5", [dataclasses.replace(short, actions=actions)])
    _, state, target = tracks(tmp_path)
    moved = np.asarray(target.position) - np.asarray(state.position)
    assert moved == pytest.approx(np.tile([0.05, -0.05, 0.025], (short.n_rows, 1)), abs=1e-6)


def test_control_delta_false_means_poses(tmp_path: Path, demo: Demo) -> None:
    position, rotation = stepped(demo)
    vectors = Rotation.from_matrix(rotation).as_rotvec()
    actions = np.concatenate([position, vectors, demo.actions[:, 6:]], axis=1)
    absolute = dataclasses.replace(demo, actions=actions)
    write_robomimic(tmp_path / "a.hdf5", [absolute], args=env_args(controller_configs={**OSC, "control_delta": False}))
    track, _, target = tracks(tmp_path)
    assert track.commands is not None
    assert track.commands.mode is CommandMode.ABSOLUTE
    assert np.asarray(target.position) == pytest.approx(position, abs=1e-6)
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(rotation, abs=1e-5)


def absolute_of(demo: Demo) -> Demo:
    vectors = Rotation.from_quat(demo.obs["robot0_eef_quat"]).as_rotvec()
    return dataclasses.replace(
        demo, actions=np.concatenate([demo.obs["robot0_eef_pos"], vectors, demo.actions[:, 6:]], axis=1)
    )


def test_poses_in_a_file_that_says_steps_are_told_and_become_no_target(tmp_path: Path, short: Demo) -> None:
    """Diffusion policy's `_abs` files keep the env_args of the files they were made of."""
    write_robomimic(tmp_path / "image_abs.hdf5", [absolute_of(short)])
    _, raw = only(tmp_path)
    assert checks(raw) == ["actions_contradict_env_args", "action_kept_as_columns"]
    assert track_of(raw).target[0].position is None
    assert track_of(raw).commands is None
    _, _, target = tracks(tmp_path, actions="absolute")
    assert np.asarray(target.position) == pytest.approx(short.obs["robot0_eef_pos"], abs=1e-6)


def test_steps_in_a_file_that_says_poses_are_told(tmp_path: Path, short: Demo) -> None:
    args = env_args(controller_configs={**OSC, "control_delta": False})
    write_robomimic(tmp_path / "a.hdf5", [short], args=args)
    assert checks(only(tmp_path)[1])[0] == "actions_contradict_env_args"


def test_absolute_rotations_of_the_grip_site_are_not_compared_with_the_hands(tmp_path: Path, short: Demo) -> None:
    turned = Rotation.from_quat(short.obs["robot0_eef_quat"]) * Rotation.from_euler("z", 90, degrees=True)
    actions = np.concatenate([short.obs["robot0_eef_pos"], turned.as_rotvec(), short.actions[:, 6:]], axis=1)
    demo = dataclasses.replace(short, actions=actions)
    args = env_args(controller_configs={**OSC, "control_delta": False})
    write_robomimic(tmp_path / "a.hdf5", [demo], args=args)
    _, raw = only(tmp_path)
    assert checks(raw) == ["target_rotation_of_other_body"]
    assert track_of(raw).target[0].rotation is None
    site = dataclasses.replace(demo, obs={**demo.obs, "robot0_eef_quat_site": turned.as_quat()})
    write_robomimic(tmp_path / "a.hdf5", [site], args=args)
    _, state, target = tracks(tmp_path)
    assert np.asarray(target.rotation) == pytest.approx(np.asarray(state.rotation), abs=1e-5)


# -- robosuite 1.5, two arms, other controllers ------------------------------------------------------------------------


def composite(**arm: Any) -> dict[str, Any]:
    """robosuite 1.5's nested configuration."""
    stated = {key: value for key, value in OSC.items() if key != "control_delta"}
    right = {**stated, "input_type": "delta", "input_ref_frame": "base", "goal_update_mode": "achieved", **arm}
    return {"type": "BASIC", "body_parts": {"right": {**right, "gripper": {"type": "GRIP"}}}}


def v15(**kwargs: Any) -> dict[str, Any]:
    return {**env_args(**kwargs), "env_version": "1.5.1"}


def test_steps_along_the_base_follow_the_base_where_the_scene_turns_it(tmp_path: Path, short: Demo) -> None:
    model = '<body name="robot0_base" pos="0 0.5 0.9" quat="0.70710678 0 0 0.70710678"><geom/></body>'
    write_robomimic(
        tmp_path / "a.hdf5",
        [dataclasses.replace(turning(short), attributes={"model_file": model})],
        args=v15(controller_configs=composite()),
    )
    _, state, target = tracks(tmp_path)
    moved = np.asarray(target.position) - np.asarray(state.position)
    quarter = short.actions[:, [1, 0, 2]] * [-0.05, 0.05, 0.05]
    assert moved == pytest.approx(quarter, abs=1e-6)
    about = Rotation.from_rotvec(turning(short).actions[:, [4, 3, 5]] * [-0.5, 0.5, 0.5])
    expected = (about * Rotation.from_quat(short.obs["robot0_eef_quat"])).as_matrix()
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(expected, abs=1e-6)


def test_steps_along_a_base_that_may_be_turned_become_no_target(tmp_path: Path, short: Demo) -> None:
    args = v15(controller_configs=composite(), env_configuration="opposed")
    write_robomimic(tmp_path / "a.hdf5", [short], args=args)
    (finding,) = only(tmp_path)[1].findings
    assert "relative to a base whose place the file does not say" in finding.message


def test_steps_from_the_goal_before_become_no_target(tmp_path: Path, short: Demo) -> None:
    args = v15(controller_configs=composite(goal_update_mode="desired"))
    write_robomimic(tmp_path / "a.hdf5", [short], args=args)
    (finding,) = only(tmp_path)[1].findings
    assert "steps start from the goal before them" in finding.message


def two_arms(demo: Demo) -> Demo:
    other = {key.replace("robot0", "robot1"): values + 0.5 for key, values in demo.obs.items() if "eef_pos" in key}
    other |= {key.replace("robot0", "robot1"): demo.obs[key] for key in ("robot0_eef_quat", "robot0_gripper_qpos")}
    other["robot1_eye_in_hand_image"] = np.zeros((demo.n_rows, 8, 8, 3), np.uint8)
    actions = np.concatenate([demo.actions, demo.actions * [*[0.5] * 6, 1]], axis=1)
    return dataclasses.replace(demo, obs={**demo.obs, **other}, actions=actions)


def test_robot0_is_the_right_arm_and_robot1_the_left(tmp_path: Path, short: Demo) -> None:
    args = env_args(robots=["Panda", "Panda"], controller_configs=[OSC, OSC])
    write_robomimic(tmp_path / "a.hdf5", [two_arms(short)], args=args)
    track = track_of(only(tmp_path)[1])
    assert [arm.arm for arm in track.state] == [Arm.RIGHT, Arm.LEFT]
    right, left = track.target
    origin = short.obs["robot0_eef_pos"]
    assert np.asarray(right.position) == pytest.approx(origin + short.actions[:, :3] * 0.05, abs=1e-6)
    assert np.asarray(left.position) == pytest.approx(origin + 0.5 + short.actions[:, :3] * 0.025, abs=1e-6)
    swapped = track_of(only(tmp_path, arms={"robot0": "left", "robot1": "right"})[1])
    assert [arm.arm for arm in swapped.state] == [Arm.LEFT, Arm.RIGHT]
    assert np.array_equal(np.asarray(swapped.target[0].position), np.asarray(right.position))
    _, raw = only(tmp_path)
    assert [camera.role for camera in raw.cameras] == [CameraRole.WRIST_LEFT], "robot1's"


def test_two_arms_that_are_both_right_are_an_error(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [two_arms(short)])
    with pytest.raises(SourceError, match="robot0 is right, robot1 is right; expected one left and one right arm"):
        only(tmp_path, arms={})


def test_joint_positions_are_commands_of_the_joints(tmp_path: Path, short: Demo) -> None:
    actions = np.concatenate([short.obs["robot0_joint_pos"] + 0.01, short.actions[:, 6:]], axis=1)
    args = env_args(controller_configs={"type": "JOINT_POSITION", "control_delta": False})
    write_robomimic(tmp_path / "a.hdf5", [dataclasses.replace(short, actions=actions)], args=args)
    track, _, target = tracks(tmp_path)
    assert track.commands is not None
    assert (track.commands.mode, track.commands.space) == (CommandMode.ABSOLUTE, CommandSpace.JOINT)
    place = track.joint_names.index("robot0_joint_pos.3/7")
    sent = np.asarray(track.joint_target).reshape(short.n_rows, -1)[:, place]
    assert np.array_equal(sent, actions[:, 3].astype(np.float32))
    assert target.position is None
    assert set(np.asarray(target.opening)) <= {0.0, 1.0}


def test_a_controller_that_nobody_states_is_assumed_aloud(tmp_path: Path, short: Demo) -> None:
    turned = turning(short)
    write_robomimic(tmp_path / "a.hdf5", [turned], args={"env_name": "Lift", "type": 1, "env_kwargs": {}})
    _, raw = only(tmp_path)
    assert checks(raw) == ["gripper_range_unknown", "controller_not_stated", "rate_not_stated"]
    position, rotation = stepped(turned)
    target = track_of(raw).target[0]
    assert np.asarray(target.position) == pytest.approx(position, abs=1e-6)
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(rotation, abs=1e-6)


def test_the_rate_is_control_freq_or_the_recipes(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [short], args=env_args(control_freq=10))
    assert track_of(only(tmp_path)[1]).times_ns[1] == 100_000_000
    assert track_of(only(tmp_path, fps=30)[1]).times_ns[1] == 33_333_333


def test_files_without_pictures_have_no_cameras(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "low_dim.hdf5", [short])
    assert only(tmp_path)[1].cameras == ()


# -- LIBERO ------------------------------------------------------------------------------------------------------------


def test_libero_is_read_by_its_own_names_and_turned_over(tmp_path: Path, demo: Demo) -> None:
    write_libero(tmp_path / "put_the_can_demo.hdf5", [demo])
    ref, raw = only(tmp_path)
    assert raw.instruction == "put the can into the bin"
    assert checks(raw) == ["pictures_flipped"]
    assert [(camera.name, camera.role) for camera in raw.cameras] == [
        ("agentview", CameraRole.THIRD_PERSON),
        ("eye_in_hand", CameraRole.WRIST_RIGHT),
    ]
    assert hashes(pixels_of(ref, raw.cameras[0])) == hashes(demo.obs["agentview_image"])
    _, state, target = tracks(tmp_path)
    position, rotation = stepped(demo)
    measured = Rotation.from_quat(demo.obs["robot0_eef_quat"]).as_matrix()
    assert matrix_of(np.asarray(state.rotation)) == pytest.approx(measured, abs=1e-5)
    assert np.asarray(target.position) == pytest.approx(position, abs=1e-6)
    assert matrix_of(np.asarray(target.rotation)) == pytest.approx(rotation, abs=1e-5)


def test_libero_that_does_not_say_which_way_is_up_is_told(tmp_path: Path, demo: Demo) -> None:
    write_libero(tmp_path / "a.hdf5", [demo], convention=None)
    ref, raw = only(tmp_path)
    assert checks(raw) == ["flip_not_stated"]
    assert hashes(pixels_of(ref, raw.cameras[0])) == hashes(demo.obs["agentview_image"][:, ::-1])
    ref, raw = only(tmp_path, flip_images="vertical")
    assert checks(raw) == []
    assert hashes(pixels_of(ref, raw.cameras[0])) == hashes(demo.obs["agentview_image"])


# -- IsaacLab Mimic ----------------------------------------------------------------------------------------------------


def test_isaac_is_wxyz_and_opens_with_plus_1(tmp_path: Path, demo: Demo) -> None:
    write_isaac(tmp_path / "a.hdf5", demo, matrices=False)
    _, raw = only(tmp_path, position_scale_m=0.5, rotation_scale=0.5)
    assert raw.findings == ()
    _, state, target = tracks(tmp_path, position_scale_m=0.5, rotation_scale=0.5)
    measured = Rotation.from_quat(demo.obs["robot0_eef_quat"]).as_matrix()
    assert matrix_of(np.asarray(state.rotation)) == pytest.approx(measured, abs=1e-5)
    assert np.array_equal(np.asarray(target.opening), np.where(demo.actions[:, 6] < 0, 1, 0).astype(np.float32))
    assert np.asarray(target.position) == pytest.approx(stepped(demo, 0.5)[0], abs=1e-5)
    assert [camera.name for camera in raw.cameras] == ["table_cam"]


def test_isaacs_actions_have_no_scale_unless_somebody_says_it(tmp_path: Path, demo: Demo) -> None:
    write_isaac(tmp_path / "a.hdf5", demo, matrices=False)
    _, raw = only(tmp_path)
    assert checks(raw) == ["action_scale_unknown"]
    assert track_of(raw).target[0].position is None


def test_isaacs_matrices_are_poses_and_targets(tmp_path: Path, demo: Demo) -> None:
    write_isaac(tmp_path / "a.hdf5", demo)
    _, raw = only(tmp_path)
    assert raw.findings == ()
    for arm, shift in ((track_of(raw).state[0], 0), (track_of(raw).target[0], 1)):
        pose = poses(demo, shift)
        assert np.array_equal(np.asarray(arm.position), pose[:, :3, 3])
        assert matrix_of(np.asarray(arm.rotation)) == pytest.approx(pose[:, :3, :3], abs=1e-6)


def test_a_subtask_lasts_until_its_signal_rises(tmp_path: Path, demo: Demo) -> None:
    write_isaac(tmp_path / "a.hdf5", demo)
    spans = [span for span in only(tmp_path)[1].annotations if span.track == "subtask_term_signals"]
    grasped = int(np.argmax(demo.phase == "lift"))
    lifted = int(np.argmax(demo.phase == "move"))
    assert [(span.text, span.start_ns // STEP_NS, span.end_ns // STEP_NS) for span in spans] == [
        ("grasp_1", 0, grasped),
        ("lift_1", grasped, lifted),
    ]
    assert {span.meaning for span in spans} == {SpanMeaning.SUBTASK}


def test_a_failed_demo_is_told(tmp_path: Path, demo: Demo) -> None:
    write_isaac(tmp_path / "a.hdf5", demo, success=False)
    assert checks(only(tmp_path)[1]) == ["demo_failed"]


# -- language, masks, flags --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "data", "expected"),
    [
        (
            {"ep_meta": '{"lang": "open the drawer"}'},
            {"problem_info": '{"language_instruction": "no"}'},
            "open the drawer",
        ),
        ({"language_instruction": " 'close it' "}, {}, "close it"),
        ({}, {"problem_info": '{"language_instruction": ["put", "it", "down"]}'}, "put it down"),
        ({"ep_meta": "no json", "lang": 3}, {"problem_info": "[" * 100_000}, ""),
    ],
)
def test_the_instruction_is_what_the_demo_then_the_file_says(
    tmp_path: Path, short: Demo, attributes: dict[str, Any], data: dict[str, Any], expected: str
) -> None:
    write_robomimic(tmp_path / "a.hdf5", [dataclasses.replace(short, attributes=attributes)], data=data)
    assert only(tmp_path)[1].instruction == expected


def test_masks_choose_demos_and_are_kept_as_spans(tmp_path: Path, short: Demo) -> None:
    masks = {"train": ["demo_0", "demo_2"], "valid": ["demo_1"], "better": ["demo_0"]}
    write_robomimic(tmp_path / "a.hdf5", [another(short, i) for i in range(3)], masks=masks)
    refs, _ = discovered(tmp_path)
    spans = [robomimic.read(ref, SourceFiles(ref.root)).annotations for ref in refs]
    assert [[span.text for span in found if span.track == "mask"] for found in spans] == [
        ["better", "train"],
        ["valid"],
        ["train"],
    ]
    whole = spans[0][0]
    assert (whole.start_ns, whole.end_ns) == (0, short.n_rows * STEP_NS)
    chosen, _ = discovered(tmp_path, filter_key="train")
    assert [ref.fingerprint for ref in chosen] == [refs[0].fingerprint, refs[2].fingerprint], "wanting is not changing"
    with pytest.raises(SourceError, match="no filter key 'expert' in mask, found better, train, valid; correct"):
        discovered(tmp_path, filter_key="expert")


def test_rewards_and_dones_are_spans(tmp_path: Path, demo: Demo, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [demo])
    spans = {span.track: span for span in only(tmp_path)[1].annotations}
    assert set(spans) == {"rewards", "dones"}
    assert spans["rewards"].start_ns == (demo.n_rows - 3) * STEP_NS
    write_robomimic(tmp_path / "a.hdf5", [dataclasses.replace(short, rewards=np.zeros(short.n_rows))])
    assert checks(only(tmp_path)[1]) == ["never_rewarded"]


# -- identity ----------------------------------------------------------------------------------------------------------


def test_demo_10_comes_after_demo_9(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", {f"demo_{i}": another(short, i) for i in (1, 10, 9, 2)})
    assert [ref.locator for ref in discovered(tmp_path)[0]] == [f"a.hdf5#demo_{i}" for i in (1, 2, 9, 10)]


def test_an_appended_demo_changes_no_old_fingerprint(tmp_path: Path, short: Demo) -> None:
    path = tmp_path / "a.hdf5"
    write_robomimic(path, [another(short, 0), another(short, 1)])
    before, _ = discovered(tmp_path)
    with h5py.File(path, "a") as out:
        write_demo(out.create_group("data/demo_2"), another(short, 2))
        out["data"].attrs["total"] = 3 * short.n_rows
    after, _ = discovered(tmp_path)
    assert [ref.fingerprint for ref in after[:2]] == [ref.fingerprint for ref in before]
    assert len({ref.episode_id for ref in after}) == 3


def test_moving_renumbering_and_repacking_change_no_id(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "here/a.hdf5", [another(short, 0), another(short, 1)])
    before, _ = discovered(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert [ref.episode_id for ref in discovered(tmp_path / "there")[0]] == [ref.episode_id for ref in before]
    write_robomimic(
        tmp_path / "merged/b.hdf5", {"demo_7": another(short, 1), "demo_8": another(short, 0)}, compress=True
    )
    assert [ref.episode_id for ref in discovered(tmp_path / "merged")[0]] == [ref.episode_id for ref in before[::-1]]


@pytest.mark.parametrize("path", ["actions", "obs/agentview_image", "obs/robot0_eef_pos"])
def test_another_number_or_pixel_is_another_episode(tmp_path: Path, demo: Demo, path: str) -> None:
    write_robomimic(tmp_path / "a.hdf5", [demo])
    before = discovered(tmp_path)[0][0].episode_id
    with h5py.File(tmp_path / "a.hdf5", "a") as out:
        out[f"data/demo_0/{path}"][-1] = 0
    assert discovered(tmp_path)[0][0].episode_id != before


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [short])
    digests, files = MemoryDigests(), SourceFiles(str(tmp_path))
    list(robomimic.discover(spec_for(tmp_path), files, digests))
    ((key, _),) = digests.known.items()
    assert key[0].endswith("/a.hdf5#demo_0")
    digests.known[key] = "f" * 64
    (ref,) = robomimic.discover(spec_for(tmp_path), files, digests)
    assert isinstance(ref, EpisodeRef)
    assert ref.files[0].sha256 == "f" * 64


# -- damage ------------------------------------------------------------------------------------------------------------


def test_a_truncated_file_is_told_by_name_and_stops_no_other(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [short])
    write_robomimic(tmp_path / "b.hdf5", [another(short, 1)])
    (tmp_path / "a.hdf5").write_bytes((tmp_path / "a.hdf5").read_bytes()[:5000])
    (ref,), (finding,) = discovered(tmp_path)
    assert ref.locator == "b.hdf5#demo_0"
    assert (finding.check, finding.verdict) == ("file_unreadable", Verdict.DROP)
    (tmp_path / "b.hdf5").unlink()
    with pytest.raises(SourceError, match=r"no robomimic demo: .*a\.hdf5: is no readable HDF5 file"):
        discovered(tmp_path)


def test_one_damaged_demo_stops_no_other(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [another(short, i) for i in range(3)])
    with h5py.File(tmp_path / "a.hdf5", "a") as out:
        del out["data/demo_1/actions"]
        out["data/demo_1/actions"] = h5py.ExternalLink("/etc/passwd", "/")
    refs, (finding,) = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["a.hdf5#demo_0", "a.hdf5#demo_2"]
    assert (finding.check, finding.verdict) == ("demo_unreadable", Verdict.DROP)
    assert "demo_1/actions is a ExternalLink" in finding.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((0, 7))}, r"demo_0: actions has no rows"),
        ({"obs/robot0_eef_pos": np.zeros((2, 3))}, r"demo_0: obs/robot0_eef_pos has 2 rows, actions 5"),
        ({"obs/robot0_eef_quat": np.zeros((5, 3))}, r"robot0_eef_quat has 3 values per row, expected 4"),
        ({"actions": None}, r"found nothing at /data/demo_0/actions, expected a dataset; beside it stand dones"),
    ],
)
def test_tables_that_do_not_belong_together_are_an_error(
    tmp_path: Path, short: Demo, change: dict[str, Any], message: str
) -> None:
    write_robomimic(tmp_path / "a.hdf5", [short])
    with h5py.File(tmp_path / "a.hdf5", "a") as out:
        for path, values in change.items():
            del out[f"data/demo_0/{path}"]
            if values is not None:
                out[f"data/demo_0/{path}"] = values
    with pytest.raises(SourceError, match=message):
        only(tmp_path)


def test_rows_without_a_number_are_invalid(tmp_path: Path, short: Demo) -> None:
    actions = short.actions.copy()
    actions[1, 4] = np.nan
    broken = {**short.obs, "robot0_eef_pos": short.obs["robot0_eef_pos"].copy()}
    broken["robot0_eef_pos"][3] = np.inf
    write_robomimic(tmp_path / "a.hdf5", [dataclasses.replace(short, actions=actions, obs=broken)])
    assert np.flatnonzero(~tracks(tmp_path)[0].valid).tolist() == [1, 3]


def test_a_wrong_number_of_samples_is_told(tmp_path: Path, short: Demo) -> None:
    write_robomimic(tmp_path / "a.hdf5", [dataclasses.replace(short, attributes={"num_samples": 99})])
    assert checks(only(tmp_path)[1]) == ["row_count_disagrees"]


def test_hdf5_of_another_format_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "episode_0.hdf5", "w") as out:
        out["action"] = np.zeros((3, 14))
    with pytest.raises(SourceError, match=r"no demo below /data, found action; remove the file or use its format"):
        discovered(tmp_path)
