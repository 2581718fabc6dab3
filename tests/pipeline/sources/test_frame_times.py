"""True frame times beside a video: which stamps are believed, and what becomes of the pictures."""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.frame_times import checked_rows, frame_ends, frame_times, restamped, shown, to_times
from pipeline.video import Picture
from schemas.episode import VideoWindow
from tests.pipeline.films import WHOLE

MS = 1_000_000


def decoded(n: int, *, missing: tuple[int, ...] = (), period_ns: int = 50 * MS) -> Iterator[Picture]:
    """Pictures of a constant-rate file in which some could not be decoded, as `pipeline.video.frames` gives them."""
    damaged = False
    for i in range(n):
        if i in missing:
            damaged = True
            continue
        yield Picture(i * period_ns, (i + 1) * period_ns, f"picture {i}", 0, damaged)  # type: ignore[arg-type]
        damaged = False


def restamp(
    pictures: Iterator[Picture], times_ms: list[int], window: VideoWindow = WHOLE
) -> list[tuple[str, int, int]]:
    times_ns = np.array(times_ms) * MS
    return [(str(p.frame), p.pts_ns // MS, p.end_ns // MS) for p in restamped(pictures, times_ns, window, "a.mp4")]


def test_milliseconds_since_1970_stay_exact() -> None:
    times_ns, _ = to_times(np.array([1_697_920_599_123, 1_697_920_599_190]), MS)
    assert times_ns is not None
    assert times_ns.tolist() == [1_697_920_599_123_000_000, 1_697_920_599_190_000_000]


def test_nanoseconds_since_1970_are_never_floats() -> None:
    stamps = np.array([1_697_920_599_123_456_789, 1_697_920_599_156_789_123])
    times_ns, _ = to_times(stamps, 1)
    assert times_ns is not None
    assert times_ns.tolist() == stamps.tolist()


def test_fractions_of_a_second_are_rounded_to_what_a_float_holds() -> None:
    times_ns, _ = to_times(np.array([1_697_920_599.25, 1_697_920_599.3125]), 1_000_000_000)
    assert times_ns is not None
    assert np.diff(times_ns).tolist() == [62_500_000]


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        (np.array([1.0, np.nan]), "stamp 1 is not finite"),
        (np.array([5, 6, 4]), "stamp 2 is earlier"),
        (np.array([0, 1_697_920_599_123]), "the stamps span"),
        (np.array([], np.int64), "there are int64"),
        (np.array(["a"]), "there are <U1"),
        (np.zeros((2, 2)), r"\[2, 2\]"),
        (np.array([2**63], np.uint64), "the stamps span"),
    ],
)
def test_stamps_that_are_no_times_are_refused_with_the_reason(stamps: np.ndarray, reason: str) -> None:
    times_ns, problem = to_times(stamps, MS)
    assert times_ns is None
    assert re.search(reason, problem)


def test_the_last_stamp_may_have_no_frame_and_nothing_else_may_differ() -> None:
    stamps = np.arange(5) * 10
    fitting = {n: frame_times(stamps, MS, n)[0] for n in (3, 4, 5, 6)}
    assert [n for n, times_ns in fitting.items() if times_ns is not None] == [4, 5]
    assert frame_times(stamps, MS, 3)[1] == "there are 5 stamps for 3 frames"
    assert frame_times(stamps, MS, None)[0] is None


def test_pictures_take_their_own_times_and_end_when_the_next_is_shown() -> None:
    assert restamp(decoded(3), [1000, 1070, 1200]) == [
        ("picture 0", 0, 70),
        ("picture 1", 70, 200),
        ("picture 2", 200, 300),
    ]


def test_a_picture_recorded_twice_is_shown_once() -> None:
    assert restamp(decoded(4), [0, 70, 70, 150]) == [
        ("picture 0", 0, 70),
        ("picture 1", 70, 150),
        ("picture 3", 150, 225),
    ]
    assert shown(np.array([0, 70, 70, 150])).tolist() == [True, True, False, True]
    assert frame_ends(np.array([0, 70, 70, 150]), 9).tolist() == [70, 150, 150, 159]


def test_a_window_is_on_the_true_clock() -> None:
    window = VideoWindow("video/main", 0, 70 * MS, 200 * MS)
    assert restamp(decoded(4), [0, 70, 150, 200], window) == [("picture 1", 70, 150), ("picture 2", 150, 200)]


def test_pictures_after_damage_keep_their_own_times() -> None:
    times_ms = [0, 70, 140, 210, 290, 360]
    whole = restamp(decoded(6), times_ms)
    assert restamp(decoded(6, missing=(2, 3)), times_ms) == [whole[i] for i in (0, 1, 4, 5)]
    assert restamp(decoded(6, missing=(1,)), times_ms) == [whole[i] for i in (0, 2, 3, 4, 5)]


def test_more_pictures_than_times_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"a\.mp4: has more than the 2 frames"):
        restamp(decoded(3), [0, 70])


def test_nobody_records_for_days() -> None:
    assert checked_rows(10, "a.h5") == 10
    with pytest.raises(SourceError, match=r"a\.h5 claims 2000000000 rows"):
        checked_rows(2_000_000_000, "a.h5")
