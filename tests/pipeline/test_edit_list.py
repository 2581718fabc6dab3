"""`pipeline.edit_list`: what the decoder would show wrongly is refused, all else passes."""

import io

import pytest

from pipeline.edit_list import check_edits
from pipeline.errors import SourceError
from tests.pipeline.films import drifting, film
from tests.pipeline.odd_films import NOTHING, edited

USUAL = 1 << 16


@pytest.mark.parametrize(
    "edits",
    [
        [(25, 15, USUAL)],
        [(10, NOTHING, USUAL), (30, 0, USUAL)],
        [(10, 0, USUAL), (10, 25, USUAL)],
        [(10, 0, USUAL), (10, NOTHING, USUAL)],
    ],
)
def test_starts_delays_and_skips_pass(edits: list[tuple[float, float, int]]) -> None:
    check_edits(io.BytesIO(edited(edits)[1]), 0, "film.mp4")


@pytest.mark.parametrize(
    ("edits", "found"),
    [
        ([(10, 0, USUAL), (5, NOTHING, USUAL), (10, 10, USUAL)], "pauses as edit 2"),
        ([(10, 0, USUAL), (5, 10, 0), (10, 10, USUAL)], "plays edit 2 at 0 times the usual speed"),
        ([(20, 0, 2 * USUAL)], "plays edit 1 at 2 times the usual speed"),
    ],
)
def test_pauses_held_pictures_and_other_speeds_are_refused(edits: list[tuple[float, float, int]], found: str) -> None:
    """libav, and with it ffmpeg and PyAV, plays on through each of them without a word."""
    with pytest.raises(SourceError, match=rf"film\.mp4: its edit list {found}, .* re-encode the file"):
        check_edits(io.BytesIO(edited(edits)[1]), 0, "film.mp4")


def test_only_the_stream_that_is_read_counts() -> None:
    check_edits(io.BytesIO(edited([(20, 0, 2 * USUAL)])[1]), 1, "film.mp4")


@pytest.mark.parametrize("container", ["mkv", "mpegts", "avi"])
def test_other_containers_have_no_edit_list(container: str) -> None:
    check_edits(io.BytesIO(film(drifting(3), container=container, options={"bf": "0"})), 0, "film")


def test_boxes_that_claim_to_be_larger_than_the_file_end_it() -> None:
    data = bytearray(edited([(20, 0, 2 * USUAL)])[1])
    at = data.index(b"moov")
    data[at - 4 : at] = b"\xff\xff\xff\xff"
    check_edits(io.BytesIO(data), 0, "film.mp4")


def test_a_list_that_claims_billions_of_edits_is_read_as_far_as_it_goes() -> None:
    data = bytearray(edited([(20, 0, 2 * USUAL)])[1])
    at = data.index(b"elst") + 8
    data[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(SourceError, match="at 2 times"):
        check_edits(io.BytesIO(data), 0, "film.mp4")


def test_a_list_too_short_for_its_own_head_is_passed_over() -> None:
    """It claims as many bytes as there is room for, and that is less than none."""
    data = bytearray(edited([(20, 0, 2 * USUAL)])[1])
    at = data.index(b"elst") - 4
    data[at : at + 4] = (10).to_bytes(4, "big")
    check_edits(io.BytesIO(data), 0, "film.mp4")
