"""UMI's camera trajectory: lost rows give no pose, rows find their frames, and finger tips are where UMI puts them."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.umi.umi_trajectory import Trajectory, finger_tips, read_trajectory, tag_transform
from tests.pipeline.sources.written.umi_session import COLUMNS, pose_matrix

HEADER = ",".join(COLUMNS)
GOOD = "{},0.1,2,false,false,1.0,2.0,3.0,0.0,0.0,0.0,1.0"


def read(folder: Path, *lines: str) -> Trajectory:
    (folder / "camera_trajectory.csv").write_text("\n".join(lines) + "\n")
    return read_trajectory(SourceFiles(str(folder)), "camera_trajectory.csv")


def test_lost_rows_give_no_pose_whatever_numbers_they_hold(tmp_path: Path) -> None:
    lost = GOOD.format(1).replace("2,false,", "3,true,")
    zero = "2,0.2,3,True,false" + ",0" * 7
    found = read(tmp_path, HEADER, GOOD.format(0), lost, zero, GOOD.format(3))
    assert found.lost.tolist() == [False, True, True, False]
    assert np.isnan(found.positions[1:3]).all()
    assert found.positions[[0, 3]].tolist() == [[1, 2, 3]] * 2
    assert not found.missing.any()


def test_rows_stand_at_the_frames_they_number(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER, GOOD.format(4), GOOD.format(1))
    assert np.flatnonzero(np.isfinite(found.positions[:, 0])).tolist() == [1, 4]
    assert np.flatnonzero(found.missing).tolist() == [0, 2, 3]


@pytest.mark.parametrize("number", ["nan", "inf", "1e300"])
def test_a_row_without_a_pose_is_missing(tmp_path: Path, number: str) -> None:
    found = read(tmp_path, HEADER, GOOD.format(0), GOOD.format(1).replace("2.0", number))
    assert found.missing.tolist() == [False, True]
    found = read(tmp_path, HEADER, GOOD.format(0), GOOD.format(1).replace("1.0", "0.0"))
    assert found.missing.tolist() == [False, True], "a zero quaternion is no rotation"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (GOOD.format("x"), "line 3 holds no numbers"),
        (GOOD.format(-1), "line 3 has frame_idx -1"),
        (GOOD.format(10**12), "line 3 has frame_idx 1000000000000"),
        (GOOD.format("9" * 5000), "line 3 holds no numbers"),
        (GOOD.format(1).replace("false", "maybe"), "is_lost 'maybe'"),
        (GOOD.format(0), "numbers a frame twice"),
        (GOOD.format(1)[:-9], "line 3 has"),
    ],
)
def test_what_is_no_trajectory_is_an_error_that_names_the_line(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(SourceError, match=rf"camera_trajectory\.csv: .*{told}"):
        read(tmp_path, HEADER, GOOD.format(0), line)


def test_a_table_without_rows_or_columns_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no rows"):
        read(tmp_path, HEADER)
    with pytest.raises(SourceError, match="no column is_lost, x"):
        read(tmp_path, "frame_idx,y,z,q_x,q_y,q_z,q_w", "0,1,1,0,0,0,1")


def test_finger_tips_are_below_and_ahead_of_the_lens_in_the_tag_s_frame() -> None:
    """The same as UMI's tx_tag_slam @ tx_slam_cam @ tx_cam_tcp, with whole matrices."""
    generator = np.random.default_rng(0)
    places, turns = generator.normal(size=(7, 3)), Rotation.random(7, generator)
    tag = pose_matrix([0.3, -0.2, 1.1], [0.4, -1.0, 0.7])
    offset = (0.0, 0.086, 0.21965)
    shift = pose_matrix(offset, [0, 0, 0])
    camera = Trajectory(places, turns.as_matrix(), np.zeros(7, np.bool_), np.zeros(7, np.bool_))
    found = finger_tips(camera, tag.tolist(), offset)
    for row in range(7):
        pose = np.linalg.inv(tag) @ pose_matrix(places[row].tolist(), turns[row].as_rotvec().tolist()) @ shift
        np.testing.assert_allclose(found[0][row], pose[:3, 3], atol=1e-12)
        np.testing.assert_allclose(found[1][row], pose[:3, :3], atol=1e-12)
    in_map = finger_tips(camera, None, offset)
    np.testing.assert_allclose(in_map[0], places + turns.apply(offset))


@pytest.mark.parametrize(
    "stated",
    [
        None, [], {}, {"tx_slam_tag": 1}, {"tx_slam_tag": [[1, 0, 0, 0]] * 3}, {"tx_slam_tag": [[0] * 4] * 4},
        {"tx_slam_tag": [["1", 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
        {"tx_slam_tag": [[float("nan"), 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
        {"tx_slam_tag": [[10**400, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
        {"tx_slam_tag": [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
        {"tx_slam_tag": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0.5, 1]]},
    ],
)  # fmt: skip
def test_what_is_no_pose_is_no_tag(stated: object) -> None:
    assert tag_transform(stated) is None


def test_a_pose_is_a_tag() -> None:
    pose = pose_matrix([1, 2, 3], [0.1, 0.2, 0.3]).tolist()
    assert tag_transform({"tx_slam_tag": pose}) == pose
