"""Files beside the frames: texts as the index of a pandas frame, places in files as times."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exporters.clip_files import ClipPlace
from pipeline.exporters.kinds import Kind, KindView
from pipeline.exporters.lerobot_meta import EpisodeEntry, info, readme, write_texts
from pipeline.exporters.lerobot_rows import features_of
from pipeline.exporters.lerobot_stats import moments
from pipeline.exporters.target import Language

KIND = Kind("arm7", 20, (KindView("top", 64, 48),), (10, 11), (10,), (), "CC-BY-4.0")


def test_pandas_reads_texts_by_number(tmp_path: Path) -> None:
    """As LeRobot does: the number of a row leads to its text by the frame's index."""
    write_texts(tmp_path / "tasks.parquet", "task_index", ["lift the cup", "räume auf"])
    frame = pd.read_parquet(tmp_path / "tasks.parquet")
    assert frame.iloc[1].name == "räume auf"
    assert frame["task_index"].tolist() == [0, 1]


@given(st.integers(0, 10**6), st.integers(1, 1000), st.integers(1, 120))
def test_times_lead_back_to_frames(start: int, n_frames: int, fps: int) -> None:
    entry = EpisodeEntry(3, "t", n_frames, 70, (1, 2), {"top": ClipPlace(4, 5, start, n_frames)}, {})
    row = entry.row(fps)
    at = "videos/observation.images.top"
    assert round(row[f"{at}/from_timestamp"] * fps) == start
    assert round(row[f"{at}/to_timestamp"] * fps) == start + n_frames
    assert (row[f"{at}/chunk_index"], row[f"{at}/file_index"]) == (4, 5)
    assert (row["data/chunk_index"], row["data/file_index"]) == (1, 2)
    assert (row["dataset_from_index"], row["dataset_to_index"]) == (70, 70 + n_frames)


def test_statistics_stand_in_the_row_of_their_episode() -> None:
    entry = EpisodeEntry(0, "t", 2, 0, (0, 0), {}, {"action": moments(np.array([[1.0], [3.0]]))})
    assert entry.row(20)["stats/action/mean"] == [2.0]
    assert entry.row(20)["stats/action/count"] == [2]


def test_info_describes_every_column() -> None:
    described = info(KIND, features_of(KIND, Language.COLUMNS), 5, 100, 2)
    assert described["features"]["observation.state"] == {
        "dtype": "float32", "shape": [2], "names": ["right_x", "right_y"],
    }  # fmt: skip
    assert described["features"]["observation.images.top"]["shape"] == [48, 64, 3]
    assert described["features"]["language_persistent"]["dtype"] == "language"
    assert (described["total_episodes"], described["total_frames"], described["splits"]) == (5, 100, {"train": "0:5"})


def test_the_page_starts_with_the_rights() -> None:
    page = readme(KIND, 5, 100, "ss-1", "---\nlicense: other\n---\n\n# The set\n")
    assert page.startswith('---\nlicense: other\nlicense_name: "CC-BY-4.0"\n')
    assert page.count("\n---\n") == 1
    assert page.endswith("# The set\n")
