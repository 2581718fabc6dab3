"""Each defect is what it says, in the one episode it is in."""

from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.synthetic.catalogue import ROBOT_SOURCES
from pipeline.synthetic.defects import NAN_ROWS, Defect
from tests.pipeline.synthetic.conftest import SMALL
from tests.pipeline.synthetic.reading import broken, luma


def test_a_truncated_video_cannot_be_opened_and_its_neighbours_can(corpus: Path) -> None:
    folder = corpus / "teleop" / "videos" / "chunk-000"
    assert broken(corpus, Defect.TRUNCATED_VIDEO)["locator"] == "episode_index=1"
    with pytest.raises(av.FFmpegError):
        luma(folder / "observation.images.cam_high" / "episode_000001.mp4")
    assert luma(folder / "observation.images.cam_left_wrist" / "episode_000001.mp4")
    assert luma(folder / "observation.images.cam_high" / "episode_000000.mp4")


def test_a_missing_episode_is_listed_and_has_no_files(corpus: Path) -> None:
    listed = (corpus / "recovery" / "meta" / "episodes.jsonl").read_text().splitlines()
    assert len(listed) == 2
    assert list((corpus / "recovery").rglob("episode_000001*")) == []
    assert len(list((corpus / "recovery").rglob("episode_000000*"))) == 2


def test_nan_rows_are_nan_in_the_state_only(corpus: Path) -> None:
    table = pq.read_table(corpus / "open_robot" / "data" / "chunk-000" / "file-000.parquet").to_pydict()
    rows = [k for k, index in enumerate(table["episode_index"]) if index == 1]
    state = np.array([table["observation.state.cartesian_position"][k] for k in rows])
    action = np.array([table["action.cartesian_position"][k] for k in rows])
    assert np.flatnonzero(np.isnan(state).any(axis=1)).tolist() == list(range(*NAN_ROWS))
    assert np.isfinite(action).all()


def test_a_black_head_is_black_for_the_first_0_8_seconds(corpus: Path) -> None:
    levels = luma(corpus / "self_collected" / "videos" / "chunk-000" / "observation.images.top" / "episode_000001.mp4")
    assert max(levels[:16]) < 18 < min(levels[16:])


def test_a_lagging_episode_has_its_rows_200_ms_late(corpus: Path) -> None:
    episode = broken(corpus, Defect.ACTION_LAG)
    source = next(source for source in ROBOT_SOURCES if source.name == "umi")
    trajectory = source.trajectory((SMALL.seed, ROBOT_SOURCES.index(source)), 1)
    table = pq.read_table(corpus / "umi" / "data" / "chunk-000" / "episode_000001.parquet").to_pydict()
    assert episode["n_frames"] == trajectory.n_frames - 4 == len(table["timestamp"])
    assert np.allclose(np.array(table["observation.state"])[:, :3], trajectory.arms[0].state.position[:-4], atol=1e-6)
    moved = {(b.kind.value, b.t_ns - 200_000_000) for b in trajectory.boundaries}
    assert {(b["kind"], b["t_ns"]) for b in episode["boundaries"]} <= moved
    assert episode["action_lag_ns"] == 200_000_000
    frames = luma(corpus / "umi" / "videos" / "chunk-000" / "observation.images.gripper_cam" / "episode_000001.mp4")
    assert len(frames) == episode["n_frames"]
