"""The rows of one episode: which they are, whether they are whole, and when each was recorded."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_rows import Rows, frame_stamps, is_numeric, read_rows, read_table
from schemas.finding import Finding
from tests.pipeline.sources.one_episode import STEP_NS, dataset_of, ref_to, rows_of

F64 = pa.float64()


def read(root: Path, columns: dict[str, Any], **dataset: Any) -> tuple[Rows, list[Finding]]:
    pq.write_table(pa.table(columns), root / "episode.parquet")
    return read_rows(ref_to(str(root), ("table", "episode.parquet")), SourceFiles(str(root)), dataset_of(**dataset))


def checks(findings: list[Finding]) -> list[str]:
    return [finding.check for finding in findings]


# -- numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array([1, None]), [[1.0], [np.nan]]),
        (pa.array([[1.5, 2.0], [3.0, None]]), [[1.5, 2.0], [3.0, np.nan]]),
        (pa.array([[1.0], [2.0]], pa.list_(F64, 1)), [[1.0], [2.0]]),
        (pa.array([[1], [2]], pa.large_list(pa.int32())), [[1.0], [2.0]]),
        (pa.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]), [[1, 2, 3, 4], [5, 6, 7, 8]]),
        (pa.array([[True], [False]]), [[1.0], [0.0]]),
    ],
    ids=["scalars", "lists", "fixed lists", "large lists", "matrices", "flags"],
)
def test_numbers_are_a_row_of_floats_however_they_are_stored(array: pa.Array, values: Any) -> None:
    found = rows_of({"x": array}).numbers("x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([["a"], ["b"]]), r"x is string, expected numbers; correct the recipe"),
        (pa.array([[1.0], [1.0, 2.0]]), r"rows of x hold \[1, 2\] values, expected one width"),
        (pa.array([[1.0, 2.0], None]), r"rows of x hold \[2, None\] values, expected one width"),
        (pa.array([[], []], pa.list_(F64)), r"rows of x hold \[0\] values, expected one width above 0"),
    ],
)
def test_what_is_no_row_of_numbers_is_an_error(array: pa.Array, message: str) -> None:
    with pytest.raises(SourceError, match=rf"^made/data/episode_000003\.parquet: {message}"):
        rows_of({"x": array}).numbers("x")


def test_a_column_that_is_not_there_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(SourceError, match=r"no column 'y', found \['x'\]; correct the recipe"):
        rows_of({"x": [1]}).numbers("y")


def test_flags_and_texts_are_no_numbers_unless_somebody_names_them() -> None:
    assert is_numeric(pa.list_(pa.list_(pa.int8())))
    assert not any(is_numeric(kind) for kind in (pa.bool_(), pa.string(), pa.list_(pa.bool_())))


# -- which rows ------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True)
@given(owners=st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_every_row_of_a_shared_file_belongs_to_one_episode(
    tmp_path_factory: pytest.TempPathFactory, owners: list[int]
) -> None:
    root = tmp_path_factory.mktemp("shared")
    pq.write_table(
        pa.table({"episode_index": owners, "row": range(len(owners))}), root / "file.parquet", row_group_size=3
    )
    files = SourceFiles(str(root))
    for index in set(owners):
        rows = read_table(files, "file.parquet", index, shared=True, columns=["row", "absent"])
        assert rows.to_pydict() == {"row": [row for row, owner in enumerate(owners) if owner == index]}


def test_a_file_of_one_episode_is_read_whole(tmp_path: Path) -> None:
    pq.write_table(pa.table({"episode_index": [8, 8]}), tmp_path / "file.parquet")
    assert read_table(SourceFiles(str(tmp_path)), "file.parquet", 3, shared=False).num_rows == 2


def test_an_episode_without_rows_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"episode_index": [8, 8]}), tmp_path / "file.parquet")
    with pytest.raises(SourceError, match=r"file\.parquet: no rows of episode 3, expected at least one"):
        read_table(SourceFiles(str(tmp_path)), "file.parquet", 3, shared=True)


def test_a_shared_file_that_does_not_say_whose_rows_are_whose_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "file.parquet")
    with pytest.raises(SourceError, match=r"file\.parquet: no column 'episode_index', found \['x'\]; several episodes"):
        read_table(SourceFiles(str(tmp_path)), "file.parquet", 3, shared=True)


def test_a_damaged_table_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file.parquet").write_bytes(b"PAR1 nothing else")
    with pytest.raises(SourceError, match=r"file\.parquet: not a readable parquet file .*: fetch it again"):
        read_table(SourceFiles(str(tmp_path)), "file.parquet", 3, shared=False)


# -- when ------------------------------------------------------------------------------------------------------


def test_rows_without_a_clock_of_their_own_are_one_frame_apart(tmp_path: Path) -> None:
    rows, findings = read(tmp_path, {"x": [1.0, 2.0, 3.0]})
    assert rows.times_ns.tolist() == [0, STEP_NS, 2 * STEP_NS]
    assert rows.edges_ns.tolist() == [0, STEP_NS, 2 * STEP_NS, 3 * STEP_NS]
    assert rows.are_frames
    assert findings == []


@settings(max_examples=25, deadline=None, derandomize=True)
@given(fps=st.sampled_from([5, 10, 15, 29.97, 30, 50, 59.94]), n_rows=st.integers(1, 200))
def test_float_time_stamps_of_the_stated_rate_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, fps: float, n_rows: int
) -> None:
    stamps = pa.array([i / fps for i in range(n_rows)], pa.float32())
    rows, findings = read(tmp_path_factory.mktemp("clock"), {"timestamp": stamps}, fps=fps)
    assert findings == []
    assert rows.are_frames
    assert (np.diff(rows.edges_ns) > 0).all()
    assert rows.end_ns == pytest.approx(n_rows / fps * 1e9, abs=1)


def test_missing_frames_leave_gaps_and_rows_are_no_longer_frames(tmp_path: Path) -> None:
    rows, (finding,) = read(tmp_path, {"frame_index": [0, 1, 4]})
    assert rows.times_ns.tolist() == [0, STEP_NS, 4 * STEP_NS]
    assert rows.end_ns == 5 * STEP_NS
    assert not rows.are_frames
    assert (finding.check, finding.value) == ("frame_index_gaps", 2)
    assert finding.message.endswith("frame_index runs from 0 to 4 in 3 rows; rows are placed by it")


@pytest.mark.parametrize("frames", [[0, 2, 1], [0, 1, 1], [-1, 0, 1]])
def test_frames_out_of_order_are_an_error(tmp_path: Path, frames: list[int]) -> None:
    with pytest.raises(SourceError, match=r"episode\.parquet: frame_index does not increase .*; sort the table"):
        read(tmp_path, {"frame_index": frames})


def test_an_offset_shared_by_all_stamps_is_told_and_not_applied(tmp_path: Path) -> None:
    rows, (finding,) = read(tmp_path, {"timestamp": [0.5, 0.55, 0.6]})
    assert rows.times_ns.tolist() == [0, STEP_NS, 2 * STEP_NS]
    assert rows.are_frames
    assert (finding.check, finding.value, finding.threshold) == ("timestamp_offset", 0.5, 0.025)
    assert "stamped 0.5000 s, expected 0; rows are taken frame by frame" in finding.message


def test_stamps_half_a_frame_off_the_rate_place_the_rows(tmp_path: Path) -> None:
    rows, (finding,) = read(tmp_path, {"timestamp": [0.0, 0.05, 0.2]})
    assert rows.times_ns.tolist() == [0, STEP_NS, 4 * STEP_NS]
    assert rows.end_ns == 5 * STEP_NS
    assert not rows.are_frames
    assert finding.check == "timestamps_disagree_with_fps"
    assert finding.value == pytest.approx(0.1)


def test_stamps_that_stand_still_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"timestamp does not increase from row to row; export the episode again"):
        read(tmp_path, {"timestamp": [0.0, 0.05, 0.05]})


# -- what the metadata says ------------------------------------------------------------------------------------


def test_another_length_than_listed_is_told_and_the_rows_count(tmp_path: Path) -> None:
    rows, (finding,) = read(tmp_path, {"x": [1, 2]}, length=5)
    assert rows.table.num_rows == 2
    assert (finding.check, finding.value, finding.threshold) == ("episode_length_disagrees", 2, 5)
    assert "the table has 2 rows, the metadata lists 5; the rows count" in finding.message


def test_a_file_that_calls_itself_another_episode_is_told(tmp_path: Path) -> None:
    _, (finding,) = read(tmp_path, {"episode_index": [9, 9]})
    assert finding.check == "episode_index_disagrees"
    assert "episode_index column says [9], the file name says 3; the name counts" in finding.message


def test_listed_columns_that_are_absent_are_told_and_pictures_are_not_among_them(tmp_path: Path) -> None:
    features = {"x": {"dtype": "int64"}, "y": {"dtype": "float32"}, "front": {"dtype": "video"}}
    _, findings = read(tmp_path, {"x": [1, 2]}, features=features)
    assert checks(findings) == ["column_missing"]
    assert "lists the columns ['y'], the table has none" in findings[0].message


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    column = pa.array([0.0, 0.05])
    pq.write_table(pa.Table.from_arrays([column, column], ["timestamp", "timestamp"]), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: has 'timestamp' as the name of more than one column"):
        read_table(SourceFiles(str(tmp_path)), "a.parquet", 0, shared=False)


# -- time stamps as they are -----------------------------------------------------------------------------------


def stamps_of(root: Path, columns: dict[str, Any]) -> Any:
    pq.write_table(pa.table(columns), root / "episode.parquet")
    ref = ref_to(str(root), ("table", "episode.parquet"))
    return frame_stamps(ref, SourceFiles(str(root)))


def test_time_stamps_are_the_tables_own_to_the_bit(tmp_path: Path) -> None:
    own = np.cumsum(np.full(40, 1 / 30, np.float32)).astype(np.float32)
    assert not np.array_equal(own, (np.arange(1, 41) / 30).astype(np.float32)), "frame ÷ rate would do"
    found = stamps_of(tmp_path, {"timestamp": own, "frame_index": range(40)})
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, own)


def test_a_table_without_a_row_per_frame_stamps_no_frames(tmp_path: Path) -> None:
    assert stamps_of(tmp_path, {"frame_index": range(3)}) is None
    assert stamps_of(tmp_path, {"timestamp": [0.0, 0.1, 0.3], "frame_index": [0, 1, 3]}) is None
