"""A frame table is what ingest saw: it goes to the disk and comes back, and nothing else passes for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.review.frame_table import FrameTable, frame_table_from, frame_table_of
from pipeline.errors import JoineryError
from schemas.episode import Camera, CameraRole, VideoWindow


@given(st.lists(st.integers(1, 10**11), min_size=1, max_size=50))
def test_a_table_comes_back_as_it_was_written(shown_ns: list[int]) -> None:
    table = FrameTable(np.cumsum([0, *shown_ns]))
    again = frame_table_from(table.to_bytes())
    assert again.edges_ns.tolist() == table.edges_ns.tolist()
    assert (len(again), again.longest_ns) == (len(shown_ns), max(shown_ns))


def test_bytes_are_little_endian_whatever_the_machine() -> None:
    assert FrameTable(np.array([0, 258])).to_bytes() == bytes(8) + bytes([2, 1]) + bytes(6)


def test_a_table_starts_at_its_views_first_picture() -> None:
    times_ns = np.array([20_000_000, 50_000_000, 120_000_000])
    camera = Camera("wrist", CameraRole.WRIST_LEFT, VideoWindow("video/wrist", 0, 0, -1), 4, 4, times_ns, 150_000_000)
    assert frame_table_of(camera).edges_ns.tolist() == [0, 30_000_000, 100_000_000, 130_000_000]


@pytest.mark.parametrize("edges", [[0], [], [1, 2], [0, 0], [0, 5, 4]])
def test_what_is_no_order_of_pictures_is_refused(edges: list[int]) -> None:
    with pytest.raises(JoineryError, match=f"of {len(edges)} edges"):
        frame_table_from(np.array(edges, "<i8").tobytes())


def test_a_torn_file_is_refused() -> None:
    with pytest.raises(JoineryError, match="of 23 bytes"):
        frame_table_from(FrameTable(np.array([0, 1, 2])).to_bytes()[:-1])
