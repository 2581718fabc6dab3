"""Bags and MCAP files: topics on their own clocks become one episode, and nothing of it is made up."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.blobs import Blobs
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover, pictures, read
from pipeline.sources.raw import RawEpisode
from schemas.episode import ActionKind, CameraRole, CommandMode, CommandSpace, Episode, SpanMeaning
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe import IngestSpec
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef
from tests.pipeline.s3_server import s3_bucket
from tests.pipeline.sources.written import ros_bag as written
from tests.pipeline.sources.written.ros_bag import LOST, RECIPE, START_NS, STEP_NS, Said, Take

WRITERS = {
    "ros1": lambda folder, said: written.write_bag1(folder / "one.bag", said),
    "ros1_bz2": lambda folder, said: written.write_bag1(folder / "one.bag", said, "bz2"),
    "ros1_plain": lambda folder, said: written.write_bag1(folder / "one.bag", said, "none"),
    "ros2_mcap": lambda folder, said: written.write_bag2(folder / "one", said),
    "ros2_db3": lambda folder, said: written.write_bag2(folder / "one", said, "sqlite3"),
    "ros2_db3_packed": lambda folder, said: written.write_bag2(folder / "one", said, "sqlite3", packed=True),
}


def spec_for(root: Path, **more: Any) -> RosBagSource:
    return RosBagSource.model_validate({
        "format": "ros_bag", "name": "bags", "path": str(root), "card": {"licence": "CC0-1.0"}, **more
    })  # fmt: skip


def refs_of(root: Path, **more: Any) -> list[EpisodeRef]:
    found = discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests())
    return [ref for ref in found if isinstance(ref, EpisodeRef)]


def read_one(root: Path, **more: Any) -> tuple[EpisodeRef, RawEpisode]:
    (ref,) = refs_of(root, **more)
    return ref, read(ref, SourceFiles(ref.root))


def told(raw: RawEpisode, check: str) -> Finding:
    (finding,) = [finding for finding in raw.findings if finding.check == check]
    return finding


def shown(ref: EpisodeRef, raw: RawEpisode, camera: int, files: SourceFiles | None = None) -> list[tuple[int, bytes]]:
    """Times and RGB of a view's frames."""
    found = pictures(ref, files or SourceFiles(ref.root), raw.cameras[camera].video)
    return [(p.pts_ns, _rgb(p.frame.to_ndarray(format="rgb24"))) for p in found]


def _rgb(pixels: Any) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).digest()


@pytest.fixture(scope="module")
def run(real: Path) -> Take:
    return written.take(real)


@pytest.fixture(scope="module")
def said(run: Take) -> list[Said]:
    return written.said_in(run)


@pytest.fixture
def bag(tmp_path: Path, said: list[Said]) -> Path:
    written.write_bag1(tmp_path / "one.bag", said)
    return tmp_path


# -- the real bag ------------------------------------------------------------------------------------------------


def test_the_real_bag_is_an_episode_without_cameras(real: Path) -> None:
    folder = real / "teleop/rosbag1_fixture"
    _, raw = read_one(folder, state=[{"arm": "right", "pose_topic": "/turtle1/pose"}])
    assert raw.cameras == ()
    assert raw.actions is not None
    assert raw.actions.kind is ActionKind.MEASURED
    assert raw.actions.n_rows == 1344
    assert raw.actions.times_ns[:2].tolist() == [0, 15_967_211]
    assert raw.actions.state[0].position is not None
    assert raw.actions.state[0].position[0] == pytest.approx([5.544444, 5.544444, 0.0])
    assert "z is 0" in told(raw, "pose_planar").message


def test_the_real_bags_transforms_are_told_apart_by_child_frame(real: Path) -> None:
    arms = [{"arm": "left", "pose_topic": "/tf", "child_frame": f"turtle{i}"} for i in (2, 1)]
    folder = real / "teleop/rosbag1_fixture"
    first, second = (read_one(folder, state=[arm])[1].actions for arm in arms)
    assert first is not None
    assert second is not None
    assert (first.n_rows, second.n_rows, first.frame) == (1344, 1344, "world")
    assert first.state[0].position is not None
    assert first.state[0].position[0] == pytest.approx([4.0, 9.088889, 0.0])
    assert second.state[0].position is not None
    assert second.state[0].position[0] == pytest.approx([5.544445, 5.544445, 0.0])


def test_transforms_of_two_frames_are_no_path(real: Path) -> None:
    """Both turtles are on /tf: without a name the rows would jump from one to the other."""
    problem = r"example\.bag: /tf says where several frames are \(turtle1, turtle2\); name the tool's in `child_frame`"
    with pytest.raises(SourceError, match=problem):
        read_one(real / "teleop/rosbag1_fixture", state=[{"arm": "left", "pose_topic": "/tf"}])


def test_the_real_bags_teleoperator_paused_and_it_is_told(real: Path) -> None:
    target = [{"arm": "right", "joints_topic": "/turtle1/cmd_vel"}]
    commands = {"mode": "velocity", "space": "end_effector", "frame": "tool"}
    folder, pose = real / "teleop/rosbag1_fixture", {"arm": "right", "pose_topic": "/turtle1/pose"}
    _, raw = read_one(folder, state=[pose], target=target, commands=commands)
    gap = told(raw, "topic_gap")
    assert gap.message.startswith("bags, example.bag: /turtle1/cmd_vel joints: ")
    assert gap.value == pytest.approx(975.97, abs=0.01)
    assert told(raw, "rows_without_sample").value == 597
    assert raw.actions is not None
    assert np.count_nonzero(~raw.actions.valid) == 597
    assert raw.actions.commands is not None
    assert raw.actions.commands.mode is CommandMode.VELOCITY


def test_what_the_recipe_does_not_name_is_told(real: Path) -> None:
    _, raw = read_one(real / "teleop/rosbag1_fixture")
    assert raw.actions is None
    assert "/turtle1/pose (turtlesim/Pose)" in told(raw, "no_state_named").message


# -- round trips -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", sorted(WRITERS))
def test_numbers_times_and_pictures_come_back(container: str, tmp_path: Path, run: Take, said: list[Said]) -> None:
    WRITERS[container](tmp_path, said)
    ref, raw = read_one(tmp_path, **RECIPE)
    rows = [i for i in range(len(run)) if i not in LOST]
    actions = raw.actions
    assert actions is not None
    assert actions.times_ns.tolist() == [i * STEP_NS + written.POSE_LATE_NS for i in rows]
    assert actions.valid.all()
    (arm,), (target,) = actions.state, actions.target
    assert np.array_equal(arm.position, run.position[rows].astype(np.float32))
    assert np.array_equal(arm.rotation, rotation_6d(run.quaternion[rows], RotationEncoding.QUATERNION_XYZW))
    assert np.array_equal(arm.opening, (run.finger[rows] / 0.04).astype(np.float32))
    ahead = [min(i + 1, len(run) - 1) for i in rows]
    assert np.array_equal(target.position, run.position[ahead].astype(np.float32))
    assert (actions.frame, actions.joint_names) == ("base_link", (*written.JOINTS, "right.gripper"))
    assert actions.joint_state is not None
    native = np.concatenate([run.joints[rows], run.finger[rows, None]], axis=1).astype(np.float32)
    assert np.array_equal(actions.joint_state, native.reshape(-1))
    assert raw.instruction == written.INSTRUCTION
    expected = [_rgb(pixels) for pixels in run.pictures]
    assert shown(ref, raw, 1) == [
        (START_NS + i * STEP_NS + 3_000_000, expected[i]) for i in range(written.WRIST_STARTS, len(run))
    ]
    assert [t_ns for t_ns, _ in shown(ref, raw, 0)] == [START_NS + i * STEP_NS for i in range(len(run))]


def test_the_same_jpegs_are_the_same_pictures_in_every_container(tmp_path: Path, said: list[Said]) -> None:
    views = []
    for container, write in WRITERS.items():
        write(tmp_path / container, said)
        ref, raw = read_one(tmp_path / container, **RECIPE)
        views.append(shown(ref, raw, 0))
    assert all(view == views[0] for view in views)


def test_foxglove_json_comes_back(tmp_path: Path, run: Take) -> None:
    written.write_json(tmp_path / "fox.mcap", run)
    gripper = {"topic": "/gripper", "field": "width", "open": 0.04}
    ref, raw = read_one(tmp_path, state=[{"arm": "right", "pose_topic": "/ee_pose", "gripper": gripper}])
    assert raw.actions is not None
    assert np.array_equal(raw.actions.state[0].position, run.position.astype(np.float32))
    assert np.array_equal(raw.actions.state[0].opening, (run.finger / 0.04).astype(np.float32))
    assert raw.actions.times_ns.tolist() == [i * STEP_NS for i in range(len(run))]
    assert [t_ns for t_ns, _ in shown(ref, raw, 0)] == [START_NS + i * STEP_NS for i in range(len(run))]


def test_compressed_video_comes_back(tmp_path: Path, run: Take) -> None:
    packets, decoded = written.annex_b(run.pictures)
    written.write_video(tmp_path / "video.mcap", packets)
    ref, raw = read_one(tmp_path)
    assert shown(ref, raw, 0) == [(START_NS + i * STEP_NS, _rgb(pixels)) for i, pixels in enumerate(decoded)]


def test_ingest_sees_the_same_episode(bag: Path, run: Take) -> None:
    (ref,) = refs_of(bag, **RECIPE)
    records = list(ingest(ref, SourceFiles(ref.root), IngestSpec()))
    (episode,) = [record for record in records if isinstance(record, Episode)]
    top, wrist = episode.cameras
    assert (top.role, wrist.role) == (CameraRole.THIRD_PERSON, CameraRole.WRIST_RIGHT)
    assert top.times_ns.tolist() == [i * STEP_NS for i in range(len(run))]
    assert wrist.times_ns.tolist() == [i * STEP_NS + 3_000_000 for i in range(written.WRIST_STARTS, len(run))]
    assert top.end_ns == len(run) * STEP_NS
    again = [p.pts_ns for p in pictures(ref, SourceFiles(ref.root), wrist.video)]
    assert np.array_equal(np.array(again) - wrist.video.start_ns + wrist.times_ns[0], wrist.times_ns)


# -- clocks ------------------------------------------------------------------------------------------------------


def test_header_stamps_count_and_the_lag_of_the_log_is_told(bag: Path) -> None:
    _, raw = read_one(bag, **RECIPE)
    skew = told(raw, "clock_skew")
    assert (skew.value, skew.threshold) == (120.0, 50.0)
    assert "/instruction, /takeover have only log time" in skew.message
    assert raw.cameras[1].starts_ns == written.WRIST_STARTS * STEP_NS + 3_000_000


def test_log_time_counts_when_the_recipe_says_so(bag: Path) -> None:
    ref, raw = read_one(bag, **RECIPE, clock="log")
    assert shown(ref, raw, 0)[0][0] == START_NS + written.LAG_NS
    assert not [finding for finding in raw.findings if finding.check == "clock_skew"]


@pytest.mark.parametrize(
    ("stamp", "check"),
    [
        (lambda t_ns: 0, "header_stamp_zero"),
        (lambda t_ns: 2 * START_NS - t_ns, "header_stamp_backwards"),
        (lambda t_ns: t_ns - START_NS + 5_000_000_000, "header_clock_differs"),
    ],
)
def test_stamps_that_cannot_be_right_fall_back_to_log_time(
    stamp: Any, check: str, tmp_path: Path, said: list[Said]
) -> None:
    written.write_bag1(tmp_path / "one.bag", written.restamped(said, written.TOP, stamp))
    ref, raw = read_one(tmp_path, **RECIPE)
    assert told(raw, check).message.endswith("its log time counts")
    assert shown(ref, raw, 0)[0][0] == START_NS + written.LAG_NS
    assert raw.cameras[1].starts_ns == written.WRIST_STARTS * STEP_NS + 3_000_000 - written.LAG_NS


def test_a_view_that_starts_before_the_master_is_shown_from_time_zero_on(bag: Path, run: Take) -> None:
    (ref,) = refs_of(bag, **{**RECIPE, "cameras": {"wrist": written.WRIST, "top": written.TOP}})
    raw = read(ref, SourceFiles(ref.root))
    assert raw.cameras[1].starts_ns == -(written.WRIST_STARTS * STEP_NS + 3_000_000)
    assert raw.cameras[1].expected_frames == len(run) - written.WRIST_STARTS - 1
    (episode,) = [r for r in ingest(ref, SourceFiles(ref.root), IngestSpec()) if isinstance(r, Episode)]
    assert episode.cameras[1].times_ns[0] == STEP_NS - 3_000_000


def test_a_message_that_was_recorded_twice_counts_once(tmp_path: Path, run: Take, said: list[Said]) -> None:
    pose = next(one for one in said if one.topic == "/ee_pose")
    picture = next(one for one in said if one.topic == written.TOP)
    twice = sorted([*said, pose, picture], key=lambda one: one.log_ns)
    written.write_bag1(tmp_path / "one.bag", twice)
    ref, raw = read_one(tmp_path, **RECIPE)
    left_out = [finding for finding in raw.findings if finding.check == "message_out_of_order"]
    assert [finding.value for finding in left_out] == [1, 1]
    assert raw.cameras[0].expected_frames == len(shown(ref, raw, 0)) == len(run)


# -- topics ------------------------------------------------------------------------------------------------------


def test_lost_messages_are_told_and_not_made_up(bag: Path, run: Take) -> None:
    _, raw = read_one(bag, **RECIPE)
    gap = told(raw, "topic_gap")
    assert (gap.value, gap.threshold) == (200.0, 87.5)
    assert "about 3 messages" in gap.message
    assert raw.actions is not None
    assert raw.actions.n_rows == len(run) - len(LOST)


def test_a_sample_that_is_too_old_makes_the_row_invalid(tmp_path: Path, said: list[Said]) -> None:
    last_ns = START_NS + 5 * STEP_NS + 4_000_000
    kept = [one for one in said if one.topic != "/gripper/joint_states" or (one.stamp_ns or 0) <= last_ns]
    written.write_bag1(tmp_path / "one.bag", kept)
    _, raw = read_one(tmp_path, **RECIPE, join_tolerance_s=0.06)
    assert raw.actions is not None
    late = raw.actions.times_ns > last_ns - START_NS + 60_000_000
    assert np.array_equal(raw.actions.valid, ~late)
    assert raw.actions.state[0].opening is not None
    assert np.isnan(raw.actions.state[0].opening[late]).all()
    assert told(raw, "rows_without_sample").value == np.count_nonzero(late)


def test_joints_are_matched_by_name_when_nodes_share_a_topic(bag: Path, run: Take) -> None:
    """The writer turns the order of the joints round in every other message and publishes wheels in between."""
    state = {"arm": "right", "joints_topic": "/joint_states"}
    _, raw = read_one(bag, cameras={}, state=[state])
    assert raw.actions is not None
    assert raw.actions.joint_names == tuple(reversed(written.JOINTS))
    assert raw.actions.joint_state is not None
    assert np.array_equal(raw.actions.joint_state, run.joints[:, ::-1].astype(np.float32).reshape(-1))


def test_arms_that_share_a_topic_have_clocks_of_their_own(tmp_path: Path, said: list[Said]) -> None:
    """The wheels' node leaves its stamps empty; the arm's rows keep theirs all the same."""
    wheels = {"arm": "left", "joints_topic": "/joint_states", "joint_names": ["wheel_left", "wheel_right"]}
    arm = {"arm": "right", "joints_topic": "/joint_states", "joint_names": list(written.JOINTS)}
    empty = {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": ""}
    mixed = [
        replace(one, content={**one.content, "header": empty}) if "wheel_left" in one.content.get("name", ()) else one
        for one in said
    ]
    written.write_bag1(tmp_path / "one.bag", mixed)
    _, raw = read_one(tmp_path, cameras={}, state=[arm, wheels])
    assert told(raw, "header_stamp_zero").message.startswith(
        "bags, one.bag: /joint_states joints wheel_left, wheel_rig"
    )
    assert raw.actions is not None
    assert "rows of /joint_states joints panda_joint1, " in raw.actions.provenance
    assert "by header stamps" in raw.actions.provenance
    assert raw.actions.times_ns.tolist() == [i * STEP_NS for i in range(raw.actions.n_rows)]
    late = int(np.ceil((written.LAG_NS + 500_000) / STEP_NS))
    assert np.flatnonzero(~raw.actions.valid).tolist() == list(range(late))


def test_flags_are_spans_from_message_to_message(bag: Path) -> None:
    _, raw = read_one(bag, **RECIPE)
    takeover, task = raw.annotations
    assert (takeover.track, takeover.meaning) == ("/takeover", SpanMeaning.INTERVENTION)
    assert (takeover.start_ns, takeover.end_ns) == (8 * STEP_NS + written.LAG_NS, 15 * STEP_NS + written.LAG_NS)
    assert (task.text, task.meaning) == (written.INSTRUCTION, SpanMeaning.TASK)


def test_texts_that_change_are_subtasks(tmp_path: Path, said: list[Said]) -> None:
    first = next(one for one in said if one.topic == "/instruction")
    second = replace(first, log_ns=first.log_ns + 6 * STEP_NS, content={"data": "lift it"})
    written.write_bag1(tmp_path / "one.bag", sorted([*said, second], key=lambda one: one.log_ns))
    _, raw = read_one(tmp_path, **{**RECIPE, "flags": {}})
    assert raw.instruction == ""
    assert [(s.text, s.meaning) for s in raw.annotations] == [
        (written.INSTRUCTION, SpanMeaning.SUBTASK), ("lift it", SpanMeaning.SUBTASK)
    ]  # fmt: skip
    assert raw.annotations[0].end_ns == raw.annotations[1].start_ns == 6 * STEP_NS + written.LAG_NS


def test_commands_of_poses_are_absolute(bag: Path) -> None:
    _, raw = read_one(bag, **RECIPE)
    assert raw.actions is not None
    assert raw.actions.commands is not None
    assert (raw.actions.commands.mode, raw.actions.commands.space) == (CommandMode.ABSOLUTE, CommandSpace.END_EFFECTOR)


def test_a_topic_that_is_not_there_is_told_and_its_quantity_is_none(bag: Path) -> None:
    arm = {**written.ARM, "gripper": {"topic": "/fingers"}}
    _, raw = read_one(bag, **{**RECIPE, "state": [arm]})
    assert raw.actions is not None
    assert raw.actions.state[0].opening is None
    assert "no message of /fingers; there are /ee_pose" in told(raw, "topic_missing").message


def test_a_bag_without_anything_the_recipe_names_is_an_error(bag: Path) -> None:
    with pytest.raises(
        SourceError, match=r"one\.bag: has no message of any topic the recipe names; there are /ee_pose"
    ):
        read_one(bag, cameras={"front": "/front"}, state=[{"arm": "left", "pose_topic": "/elsewhere"}])


def test_a_camera_topic_without_pictures_is_an_error(bag: Path) -> None:
    with pytest.raises(SourceError, match=r"/ee_pose is geometry_msgs/PoseStamped, expected one of"):
        read_one(bag, cameras={"top": "/ee_pose"})


def test_without_cameras_in_the_recipe_every_image_topic_is_a_view(bag: Path) -> None:
    _, raw = read_one(bag)
    assert [camera.name for camera in raw.cameras] == ["top", "wrist"]


# -- lost pictures of a video ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "first_bad", "next_key"), [((5,), 5, 8), ((8,), 8, 16), ((9, 10), 9, 16)])
def test_after_a_lost_packet_nothing_is_shown_up_to_the_next_key_frame(
    lost: tuple[int, ...], first_bad: int, next_key: int, tmp_path: Path, run: Take
) -> None:
    """A decoder would go on from the wrong picture without saying so."""
    packets, decoded = written.annex_b(run.pictures)
    written.write_video(tmp_path / "video.mcap", packets, lost=lost)
    ref, raw = read_one(tmp_path)
    right = [i for i in range(len(run)) if not first_bad <= i < next_key]
    assert shown(ref, raw, 0) == [(START_NS + i * STEP_NS, _rgb(decoded[i])) for i in right]
    assert raw.cameras[0].expected_frames == len(right)
    assert told(raw, "video_picture_lost").value == next_key - first_bad - len(lost)


def test_a_video_starts_at_its_first_key_frame(tmp_path: Path, run: Take) -> None:
    packets, decoded = written.annex_b(run.pictures)
    written.write_video(tmp_path / "video.mcap", packets, first=3)
    ref, raw = read_one(tmp_path)
    assert shown(ref, raw, 0)[0] == (START_NS + 8 * STEP_NS, _rgb(decoded[8]))
    assert told(raw, "video_picture_lost").value == 5


def test_a_video_with_b_frames_is_an_error(tmp_path: Path, run: Take) -> None:
    """Their messages come in another order than their pictures; stamps would go to the wrong ones."""
    written.write_video(tmp_path / "video.mcap", written.annex_b(run.pictures, gop=100, b_frames=2)[0])
    ref, raw = read_one(tmp_path)
    with pytest.raises(SourceError, match=r"video\.mcap: /top: the frame at .* the video has B-frames"):
        shown(ref, raw, 0)


def test_a_window_inside_a_video_shows_the_same_frames(tmp_path: Path, run: Take) -> None:
    packets, _ = written.annex_b(run.pictures)
    written.write_video(tmp_path / "video.mcap", packets)
    ref, raw = read_one(tmp_path)
    window = replace(raw.cameras[0].video, start_ns=START_NS + 11 * STEP_NS, end_ns=START_NS + 14 * STEP_NS)
    cut = [(p.pts_ns, _rgb(p.frame.to_ndarray(format="rgb24"))) for p in pictures(ref, SourceFiles(ref.root), window)]
    assert cut == shown(ref, raw, 0)[11:14]


# -- identity and damage -----------------------------------------------------------------------------------------


def test_another_bag_changes_no_fingerprint_and_moving_no_id(bag: Path, said: list[Said]) -> None:
    (before,) = refs_of(bag, **RECIPE)
    written.write_bag2(bag / "two", said)
    after = refs_of(bag, **RECIPE)
    assert (len(after), after[0].fingerprint) == (2, before.fingerprint)
    moved = refs_of(bag.rename(bag.with_name(f"{bag.name}-moved")), **RECIPE)
    assert [ref.fingerprint for ref in moved] == [ref.fingerprint for ref in after]


@pytest.mark.parametrize("container", sorted(WRITERS))
def test_a_truncated_bag_is_an_error_that_names_it(container: str, tmp_path: Path, said: list[Said]) -> None:
    WRITERS[container](tmp_path, said)
    (path,) = [path for path in tmp_path.rglob("one.*") if path.suffix in (".bag", ".mcap", ".db3")]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(SourceError, match=f"{path.name}: "):
        read_one(tmp_path, **RECIPE)


def test_counts_of_metadata_are_compared_with_the_messages(tmp_path: Path, said: list[Said]) -> None:
    written.write_bag2(tmp_path / "one", said)
    metadata = tmp_path / "one" / "metadata.yaml"
    n_poses = sum(one.topic == "/ee_pose" for one in said)
    text = metadata.read_text()
    assert f"message_count: {n_poses}\n" in text
    metadata.write_text(text.replace(f"message_count: {n_poses}\n", "message_count: 930\n"))
    _, raw = read_one(tmp_path, **RECIPE)
    disagrees = told(raw, "message_count_disagrees")
    assert (disagrees.value, disagrees.threshold) == (n_poses, 930)


def test_bags_in_an_object_store_read_the_same(tmp_path: Path, said: list[Said]) -> None:
    for container in ("ros1", "ros2_mcap", "ros2_db3"):
        WRITERS[container](tmp_path / container, said)
    with s3_bucket("bags") as storage:
        blobs = Blobs("s3://bags", storage)
        for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
            blobs.put_bytes(path.relative_to(tmp_path).as_posix(), path.read_bytes())
        there = SourceFiles("s3://bags", storage)
        refs = [r for r in discover(spec_for(tmp_path, **RECIPE), there, MemoryDigests()) if isinstance(r, EpisodeRef)]
        here = refs_of(tmp_path, **RECIPE)
        assert [ref.fingerprint for ref in refs] == [ref.fingerprint for ref in here]
        for far, near in zip(refs, here, strict=True):
            raw, local = read(far, there), read(near, SourceFiles(near.root))
            assert [camera.video for camera in raw.cameras] == [camera.video for camera in local.cameras]
            assert raw.actions is not None
            assert local.actions is not None
            assert np.array_equal(raw.actions.times_ns, local.actions.times_ns)
            assert shown(far, raw, 0, there) == shown(near, local, 0)


# -- the recipe --------------------------------------------------------------------------------------------------


def test_the_first_camera_of_the_recipe_stays_the_first(bag: Path) -> None:
    """A reference carries the recipe as canonical JSON, which sorts mappings; the master view must not change."""
    for names in (("zenith", "wrist"), ("wrist", "zenith")):
        topics = {"zenith": written.TOP, "wrist": written.WRIST}
        _, raw = read_one(bag, cameras={name: topics[name] for name in names})
        assert tuple(camera.name for camera in raw.cameras) == names
        assert raw.cameras[0].starts_ns == 0


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"state": [{"arm": "left"}]}, "nothing is read for it"),
        ({"state": [{"arm": "left", "child_frame": "a", "joints_topic": "/j"}]}, "given without 'pose_topic'"),
        ({"state": [{"arm": "left", "pose_topic": "/p", "joint_names": ["a"]}]}, "given without 'joints_topic'"),
        ({"state": [{"arm": "left", "pose_topic": "/p"}] * 2}, "found 'left' twice"),
        ({"cameras": {"a": "/a", "b": "/a"}}, "found '/a' twice"),
        ({"cameras": ["/a", "/b"]}, "valid dictionary"),
        (
            {
                "target": [{"arm": "left", "pose_topic": "/p"}],
                "commands": {"mode": "delta", "space": "end_effector"},
            },
            "a pose_topic of target is absolute",
        ),
        ({"commands": {"mode": "delta", "space": "joint", "rotation_scale": 2.0}}, "nothing is scaled"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(stated: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        spec_for(Path("x"), **stated)
