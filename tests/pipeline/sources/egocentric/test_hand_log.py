"""Hand logs: tracked wrists, finger tips and pinches, or the simulated arm that they drove."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.formats import discover, read
from pipeline.sources.raw import RawEpisode
from schemas.episode import ActionKind, ActionTrack, Arm
from schemas.finding import Finding, Verdict
from schemas.pose import RotationEncoding, matrix_of
from schemas.recipe_formats.hand_log import HandLogSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef
from tests.pipeline.sources.written import hand_log as written

GRIPPER = {"arm": "right", "opening": {"column": "qpos", "start": 7, "stop": 8, "closed": 0.0, "open": 0.04}}
MOCAP = {
    "arm": "right",
    "position": {"column": "mocap", "start": 0, "stop": 3},
    "rotation": {"column": "mocap", "start": 3, "stop": 7, "encoding": "quaternion_wxyz"},
}


def spec_for(root: Path, **more: Any) -> HandLogSource:
    stated = {"format": "hand_log", "name": "hands", "path": str(root), "card": {"licence": "MIT"}, **more}
    return HandLogSource.model_validate(stated)


def listed(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def read_one(root: Path, **more: Any) -> tuple[RawEpisode, ActionTrack, dict[str, Finding]]:
    (ref,), _ = listed(root, **more)
    raw = read(ref, SourceFiles(ref.root))
    assert raw.actions is not None
    return raw, raw.actions, {finding.check: finding for finding in raw.findings}


@pytest.fixture(scope="module")
def hands(real: Path) -> written.Tracked:
    return written.tracked(real)


# -- the real log ------------------------------------------------------------------------------------------------


def test_the_real_log_is_a_simulated_arm_at_500_hz(real: Path) -> None:
    """It holds MuJoCo's qpos, qvel, ctrl and mocap and no times; velocities integrate to positions in 2 ms exactly."""
    raw, actions, findings = read_one(real / "teleop/visionpro_hands_log")
    assert raw.cameras == ()
    assert actions.kind is ActionKind.MEASURED
    assert "an arm that a human's tracked hands drove" in actions.provenance
    assert (actions.n_rows, actions.times_ns[:2].tolist(), actions.times_ns[-1]) == (
        2608,
        [0, 2_000_000],
        5_214_000_000,
    )
    assert findings["rate_implied"].value == pytest.approx(500.0)
    assert "the log holds qpos, qvel, ctrl, mocap" in findings["no_state_named"].message
    assert len(actions.joint_names) == 16 + 15 + 7 + 8
    assert actions.joint_state is not None
    assert actions.joint_target is not None
    with np.load(real / "teleop/visionpro_hands_log/ep2.npz") as log:
        state, target = (values.reshape(2608, -1) for values in (actions.joint_state, actions.joint_target))
        assert np.array_equal(state[:, :16], log["qpos"].astype(np.float32))
        assert np.array_equal(target[:, 38:], log["ctrl"].astype(np.float32))
    assert np.isnan(state[:, 38:]).all()
    assert np.isnan(target[:, :38]).all(), "what is measured was not commanded"


def test_the_real_logs_mocap_never_moves_and_it_is_told(real: Path) -> None:
    _, actions, findings = read_one(real / "teleop/visionpro_hands_log", state=[GRIPPER], target=[MOCAP])
    assert findings["pose_constant"].value == 0.0
    assert actions.frame == "world"
    (state,), (target,) = actions.state, actions.target
    assert state.position is None
    assert state.opening is not None
    assert (state.opening[0], state.opening.min()) == (1.0, pytest.approx(0.0, abs=0.01))
    assert target.position is not None
    assert target.position[0] == pytest.approx([0.455476, 0.197005, 0.05], abs=1e-6)


def test_a_rate_of_the_recipe_is_assumed_and_compared(real: Path) -> None:
    _, actions, findings = read_one(real / "teleop/visionpro_hands_log", fps=60)
    assert actions.times_ns[60] == 1_000_000_000
    assert findings["rate_assumed"].value == 60
    assert findings["rate_disagrees"].value == pytest.approx(500.0)


def test_a_row_that_holds_no_number_is_invalid_whether_measured_or_commanded(tmp_path: Path, real: Path) -> None:
    with np.load(real / "teleop/visionpro_hands_log/ep2.npz") as log:
        rows = {key: log[key][:20].copy() for key in log.files}
    rows["qpos"][4, 7], rows["mocap"][6, 1], rows["mocap"][8, 3:] = np.nan, np.inf, 0.0
    np.savez(tmp_path / "a.npz", **rows)
    _, actions, findings = read_one(tmp_path, fps=500, state=[GRIPPER], target=[MOCAP])
    assert np.flatnonzero(~actions.valid).tolist() == [4, 6, 8]
    assert findings["rows_not_finite"].value == 3


# -- hands -------------------------------------------------------------------------------------------------------


def test_tracked_hands_come_back(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "a.npz", hands)
    raw, actions, findings = read_one(tmp_path)
    assert (raw.cameras, findings) == ((), {})
    assert [arm.arm for arm in actions.state] == [Arm.LEFT, Arm.RIGHT]
    assert actions.frame == "arkit_world"
    assert actions.provenance.startswith("a human's tracked hands, no robot's; left: left_wrist matrix")
    assert np.abs(actions.times_ns - (hands.times_ns - hands.times_ns[0])).max() <= 8, "times are float64 seconds"
    assert actions.valid.all()
    for arm in actions.state:
        made = written.arrays(hands)
        assert arm.position is not None
        assert np.array_equal(arm.position, hands.position[arm.arm].astype(np.float32))
        assert arm.rotation is not None
        expected = rotation_6d(hands.quaternion[arm.arm], RotationEncoding.QUATERNION_XYZW)
        assert np.allclose(arm.rotation, expected, atol=1e-6)
        assert arm.opening is not None
        assert np.allclose(arm.opening, made[f"{arm.arm}_pinch_distance"] / 0.1)
        assert arm.fingers is not None
        assert arm.n_fingers == 15
        tips = [made[f"{arm.arm}_fingers"][:, joint, :3, 3] for joint in (4, 9, 14, 19, 24)]
        assert np.array_equal(arm.fingers.reshape(-1, 15), np.concatenate(tips, axis=1).astype(np.float32))


def test_wrists_can_be_given_in_the_heads_frame(tmp_path: Path, hands: written.Tracked) -> None:
    turn = np.array([[0.0, -1, 0, 0.1], [1, 0, 0, 0.2], [0, 0, 1, 1.6], [0, 0, 0, 1]])
    head = np.tile(turn, (len(hands.times_ns), 1, 1))
    written.write(tmp_path / "a.npz", hands, head=head)
    _, actions, _ = read_one(tmp_path, frame="head")
    right = actions.state[1]
    expected = np.linalg.inv(turn) @ written.transforms(hands.position["right"], hands.quaternion["right"])
    assert actions.frame == "head"
    assert right.position is not None
    assert right.rotation is not None
    assert np.allclose(right.position, expected[:, :3, 3], atol=1e-6)
    assert np.allclose(matrix_of(right.rotation), expected[:, :3, :3], atol=1e-6)


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1.0, 1, -1, 1]), 2 * np.eye(4)])
def test_a_row_that_is_no_pose_is_invalid(bad: Any, tmp_path: Path, hands: written.Tracked) -> None:
    """A hand out of view is all zeros; a mirror and a scaling are no rotation."""
    left, right = (written.arrays(hands)[f"{side}_wrist"].copy() for side in ("left", "right"))
    left[5, 0] = right[3, 0] = bad
    written.write(tmp_path / "a.npz", hands, left_wrist=left, right_wrist=right)
    _, actions, findings = read_one(tmp_path)
    assert np.flatnonzero(~actions.valid).tolist() == [3, 5]
    for arm, gone in zip(actions.state, (5, 3), strict=True):
        assert arm.position is not None
        assert np.flatnonzero(np.isnan(arm.position).all(axis=1)).tolist() == [gone]
    assert findings["rows_not_finite"].value == 2


def test_without_pinch_distances_the_tips_say_it(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "a.npz", hands, left_pinch_distance=None, right_pinch_distance=None)
    _, actions, _ = read_one(tmp_path)
    assert actions.state[0].opening is not None
    assert np.allclose(actions.state[0].opening, written.arrays(hands)["left_pinch_distance"] / 0.1)
    assert "opening distance of thumb and index tip / 0.1 m" in actions.provenance


def test_a_hand_without_fingers_has_no_opening_and_it_is_told(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "a.npz", hands, left_pinch_distance=None, left_fingers=None)
    _, actions, findings = read_one(tmp_path)
    assert (actions.state[0].opening, actions.state[0].fingers, actions.state[0].n_fingers) == (None, None, 0)
    assert "left hand" in findings["pinch_missing"].message


def test_times_without_a_unit_are_seconds_and_integers_exact(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "a.npz", hands, timestamps=hands.times_ns)
    _, actions, _ = read_one(tmp_path, time_unit="ns")
    assert np.array_equal(actions.times_ns, hands.times_ns - hands.times_ns[0])


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"timestamps": None}, "holds no times .*; say `fps`"),
        ({"timestamps": np.arange(15, dtype=np.uint32)[::-1]}, "timestamps does not increase after row 0"),
        ({"timestamps": np.zeros(15)}, "timestamps does not increase after row 0 in units of s"),
        ({"timestamps": np.full(15, np.nan)}, "expected 15 finite numbers"),
        ({"right_wrist": np.zeros((15, 3, 3))}, r"right_wrist has shape \[15, 3, 3\], expected \[15, 4, 4\]"),
        ({"right_wrist": np.zeros((9, 4, 4))}, "has rows .*, expected as many of each"),
        ({"right_fingers": np.zeros((15, 21, 4, 4))}, r"expected \[15, 25 or more, 4, 4\]"),
        ({"right_pinch_distance": np.zeros(3)}, "right_pinch_distance has 3 values, expected 15"),
        ({"right_wrist": np.array([None] * 15)}, "right_wrist holds Python objects, which are never read"),
    ],
)
def test_a_log_that_does_not_fit_is_an_error(
    changed: dict[str, Any], problem: str, tmp_path: Path, hands: written.Tracked
) -> None:
    written.write(tmp_path / "a.npz", hands, **changed)
    with pytest.raises(SourceError, match=rf"a\.npz: .*{problem}"):
        read_one(tmp_path)


def test_a_log_of_something_else_is_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.zeros(3))
    with pytest.raises(SourceError, match=r"a\.npz: holds weights; expected left_wrist or right_wrist"):
        read_one(tmp_path)


def test_a_truncated_log_is_an_error_that_names_it(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "a.npz", hands)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:5000])
    with pytest.raises(SourceError, match=r"a\.npz: is no readable NumPy archive"):
        read_one(tmp_path)


def test_pickles_and_empty_files_are_told_and_left_out(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "a.npz", hands)
    (tmp_path / "b.pkl").write_bytes(b"cos\nsystem\n")
    (tmp_path / "c.npz").write_bytes(b"")
    refs, findings = listed(tmp_path)
    assert [ref.locator for ref in refs] == ["a.npz"]
    assert [(f.check, f.verdict) for f in findings] == [
        ("pickle_refused", Verdict.DROP), ("empty_file", Verdict.DROP)
    ]  # fmt: skip


def test_a_folder_without_logs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no \\.npz file below it"):
        listed(tmp_path)


def test_another_log_changes_no_fingerprint_and_moving_no_id(tmp_path: Path, hands: written.Tracked) -> None:
    written.write(tmp_path / "x/b.npz", hands)
    (before,), _ = listed(tmp_path / "x")
    written.write(tmp_path / "x/a.npz", hands, head=None)
    after, _ = listed(tmp_path / "x")
    assert after[1].fingerprint == before.fingerprint
    moved, _ = listed((tmp_path / "x").rename(tmp_path / "y"))
    assert [ref.fingerprint for ref in moved] == [ref.fingerprint for ref in after]


def test_a_recipe_names_each_arm_once() -> None:
    with pytest.raises(ValidationError, match="expected each once"):
        spec_for(Path("x"), state=[GRIPPER, GRIPPER])
