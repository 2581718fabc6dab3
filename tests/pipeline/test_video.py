"""`pipeline.video`: the right pictures at the right times, or an error that says what is wrong with the file."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.fs as pafs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.video import VideoStream, choose_stream, frames, streams_of, to_ns
from schemas.episode import VideoWindow
from tests.pipeline.films import WHOLE, drifting, film, texture

B_FRAMES = {"bf": "3", "g": "12", "x264-params": "scenecut=0:b-adapt=0"}
DROID = "open_robot/droid_slice_lerobot_v30/videos/observation.image.exterior_image_2_left/chunk-000/file-000.mp4"


def shown(data: bytes, window: VideoWindow = WHOLE) -> list[tuple[int, bytes]]:
    """(PTS, luma) of every picture of a window."""
    pictures = frames(io.BytesIO(data), window, "film.mp4")
    return [(picture.pts_ns, bytes(picture.frame.planes[0])) for picture in pictures]


@given(st.integers(0, 10**7), st.sampled_from([Fraction(1, 15360), Fraction(1001, 30000), Fraction(1, 90000)]))
def test_a_time_stamp_is_rounded_to_the_nearest_nanosecond(pts: int, time_base: Fraction) -> None:
    assert abs(Fraction(to_ns(pts, time_base), 10**9) - pts * time_base) <= Fraction(1, 2 * 10**9)


def test_pictures_come_in_presentation_order_with_exact_times() -> None:
    times = [to_ns(i, Fraction(1, 20)) for i in range(40)]
    assert [pts for pts, _ in shown(film(drifting(40), options=B_FRAMES))] == times


def test_every_window_gives_the_pictures_a_full_pass_gives() -> None:
    """Seeks land on key frames before the window; with B-frames the index may be off by a few pictures."""
    data = film(drifting(60), options=B_FRAMES)
    whole = shown(data)
    for first in range(0, 60, 7):
        window = VideoWindow("video/main", 0, whole[first][0], whole[min(first + 13, 59)][0])
        assert shown(data, window) == whole[first : min(first + 13, 59)]


def test_a_window_between_frames_starts_with_the_next_frame() -> None:
    whole = shown(film(drifting(30)))
    window = VideoWindow("video/main", 0, whole[9][0] + 1, whole[20][0] + 1)
    assert shown(film(drifting(30)), window) == whole[10:21]


def test_windows_of_a_real_recording_are_the_pictures_of_a_full_pass(real: Path) -> None:
    def lumas(window: VideoWindow) -> list[tuple[int, int]]:
        with (real / DROID).open("rb") as file:
            return [(p.pts_ns, hash(bytes(p.frame.planes[0])[:4096])) for p in frames(file, window, DROID)]

    whole = lumas(WHOLE)
    assert len(whole) == 722
    for first, last in [(1, 20), (249, 251), (251, 300), (700, 721)]:
        assert lumas(VideoWindow("v", 0, whole[first][0], whole[last][0])) == whole[first:last]


def test_the_end_of_a_frame_is_the_start_of_the_next() -> None:
    pictures = [(p.pts_ns, p.end_ns) for p in frames(io.BytesIO(film(drifting(7), rate=30)), WHOLE, "film.mp4")]
    assert [end for _, end in pictures[:-1]] == [start for start, _ in pictures[1:]]


def test_an_object_stores_file_handle_decodes_like_a_local_file(tmp_path: Path) -> None:
    data = film(drifting(8))
    (tmp_path / "film.mp4").write_bytes(data)
    with pafs.LocalFileSystem().open_input_file(str(tmp_path / "film.mp4")) as handle:
        assert [p.pts_ns for p in frames(handle, WHOLE, "film.mp4")] == [pts for pts, _ in shown(data)]


def test_uneven_times_are_kept_as_they_are() -> None:
    data = film(drifting(5), pts=[0, 3, 4, 9, 10], time_base=Fraction(1, 90), container="mkv")
    expected = [0, 33, 44, 100, 111]
    assert [round(pts / 1e6) for pts, _ in shown(data)] == expected


def test_the_largest_stream_is_chosen_and_the_first_among_equals() -> None:
    streams = streams_of(io.BytesIO(film(drifting(4), sizes=[(256, 192), (256, 192), (64, 48)])), "film.mp4")
    assert [(stream.width, stream.height) for stream in streams] == [(128, 96), (256, 192), (256, 192), (64, 48)]
    assert choose_stream(streams).index == 1


def test_nasa_two_streams_decoders_disagree_so_the_larger_is_taken(real: Path) -> None:
    with (real / "internet/nasa_two_streams/nasa_13013.mp4").open("rb") as file:
        chosen = choose_stream(streams_of(file, "nasa"))
    assert (chosen.index, chosen.width, chosen.height) == (1, 480, 270)
    assert isinstance(chosen, VideoStream)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_a_turned_film_is_shown_upright(rotation: int, turns: int) -> None:
    """The display matrix's angle counts counter-clockwise, as `numpy.rot90` does."""
    picture = texture()
    data = film([picture] * 3, rotation=rotation)
    found = list(frames(io.BytesIO(data), WHOLE, "film.mp4"))
    assert [p.turned % 360 for p in found] == [rotation % 360] * 3
    upright = found[0].frame.to_ndarray(format="rgb24").astype(int)
    plain = next(frames(io.BytesIO(film([picture] * 3)), WHOLE, "film.mp4")).frame.to_ndarray(format="rgb24")
    assert np.abs(upright - np.rot90(plain, turns)).mean() < 2


def test_a_truncated_file_is_an_error_that_names_it() -> None:
    data = film(drifting(60), options={"movflags": "faststart"})
    with pytest.raises(SourceError, match=r"film\.mp4: .*truncated"):
        shown(data[: len(data) // 2])


def test_a_film_that_ends_well_before_its_header_says_is_truncated() -> None:
    """A file may be cut off cleanly between pictures; only the claimed duration tells."""
    data = film(drifting(60), container="mkv")
    with pytest.raises(SourceError, match=r"film\.mp4: the pictures end at .* s, the header says 3\.000 s"):
        shown(data[: int(len(data) * 0.6)])


def damaged_from(data: bytes, share: float, n_bytes: int = 600) -> bytes:
    """The file with some bytes overwritten from some share of it on."""
    start = int(len(data) * share)
    noise = bytes((7 * byte + 13) % 256 for byte in range(n_bytes))
    return data[:start] + noise + data[start + n_bytes :]


DAMAGED = [
    "sim/robosuite_pickplacecan_seed0_wrist.mp4",
    "internet/sintel_trailer_cuts/test_video_30s.mp4",
    "open_robot/gr1_picknplace_lerobot_v20/videos/chunk-000/observation.images.ego_view/episode_000000.mp4",
]


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pictures_are_marked_and_all_others_are_what_they_were(real: Path, name: str) -> None:
    data = (real / name).read_bytes()
    whole = {(p.pts_ns, p.frame.to_ndarray().tobytes()) for p in frames(io.BytesIO(data), WHOLE, name)}
    marked, good = 0, set()
    for p in frames(io.BytesIO(damaged_from(data, 0.6)), WHOLE, name):
        marked += p.damaged
        if not p.damaged:
            good.add((p.pts_ns, p.frame.to_ndarray().tobytes()))
    assert marked
    assert len(good) > 10
    assert good <= whole


def test_damage_before_the_first_good_picture_is_an_error() -> None:
    data = film(drifting(60), options={"g": "10", "bf": "0"})
    with pytest.raises(SourceError, match=r"film\.mp4.*(damaged|cannot be decoded)"):
        shown(damaged_from(data, 0.02))


@pytest.mark.parametrize("data", [b"", b"not a film " * 50])
def test_what_is_not_a_video_is_an_error(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"film\.mp4: cannot be decoded"):
        shown(data)


def test_a_video_without_time_stamps_is_an_error() -> None:
    """A bare H.264 stream has no clock."""
    with pytest.raises(SourceError, match="no time stamp"):
        shown(film(drifting(12), container="h264"))


def test_a_stream_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceError, match="no video stream 3, found 1"):
        shown(film(drifting(3)), VideoWindow("video/main", 3, 0, -1))
