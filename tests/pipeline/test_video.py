"""`pipeline.video`: the right pictures at the right times, or an error that says what is wrong with the file."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.fs as pafs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import SourceError
from pipeline.video import FROM_THE_START, VideoStream, choose_stream, contents_of, frames, streams_of, to_ns
from schemas.episode import VideoWindow
from tests.pipeline.films import WHOLE, drifting, film, texture
from tests.pipeline.odd_films import NOTHING, edited, encoded, tuned_into, with_sound

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


CODECS = [
    ("libx265", "mp4", "yuv420p", 3),
    ("libx265", "matroska", "yuv420p10le", 3),
    ("libx265", "mov", "yuv420p", 0),
    ("libx265", "mpegts", "yuv420p", 3),
    ("libsvtav1", "mp4", "yuv420p", 0),
    ("libsvtav1", "webm", "yuv420p10le", 0),
    ("libvpx-vp9", "webm", "yuv420p", 0),
    ("libvpx-vp9", "mp4", "yuv420p", 0),
    ("libvpx", "webm", "yuv420p", 0),
    ("libtheora", "ogg", "yuv420p", 0),
    ("mpeg4", "mp4", "yuv420p", 2),
    ("mpeg4", "avi", "yuv420p", 2),
    ("mpeg4", "matroska", "yuv420p", 2),
    ("libxvid", "avi", "yuv420p", 0),
    ("mjpeg", "avi", "yuvj420p", 0),
    ("mjpeg", "mov", "yuvj420p", 0),
    ("mpeg2video", "mpegts", "yuv420p", 2),
    ("mpeg2video", "mpeg", "yuv420p", 2),
    ("libx264", "flv", "yuv420p", 3),
    ("libx264", "mpegts", "yuv420p", 3),
    ("libx264", "mxf", "yuv420p", 0),
    ("prores_ks", "mov", "yuv422p10le", 0),
    ("wmv2", "asf", "yuv420p", 0),
]


@pytest.mark.parametrize(("codec", "container", "pix_fmt", "b_frames"), CODECS)
def test_every_codec_and_container_gives_each_picture_at_its_time(
    codec: str, container: str, pix_fmt: str, b_frames: int
) -> None:
    """To the millisecond, which is what matroska and flv keep; the picture is the one that was drawn."""
    rate, drawn = 25 if container in ("mpeg", "mxf") else 20, drifting(30)
    data = encoded(codec, container, drawn, pix_fmt=pix_fmt, b_frames=b_frames, rate=rate)
    found = [(p.pts_ns, p.frame.to_ndarray(format="rgb24")) for p in frames(io.BytesIO(data), WHOLE, "film")]
    expected = [i / rate for i in range(30)]
    assert [(pts - found[0][0]) / 1e9 for pts, _ in found] == pytest.approx(expected, abs=1e-3)
    window = VideoWindow("v", 0, found[2][0], found[9][0])
    assert [p.pts_ns for p in frames(io.BytesIO(data), window, "film")] == [pts for pts, _ in found[2:9]]
    for i in (0, 13, 29):
        apart = [np.abs(found[i][1].astype(int) - picture).mean() for picture in drawn]
        assert int(np.argmin(apart)) == i


def test_h264_with_b_frames_in_avi_has_no_presentation_times_and_is_refused() -> None:
    with pytest.raises(SourceError, match="expected a later time"):
        shown(film(drifting(20), container="avi", options=B_FRAMES))


@pytest.mark.parametrize("lead", [10, 600])
def test_a_transport_streams_counter_that_wraps_costs_no_picture(lead: int) -> None:
    """Times before the wrap are negative; a window from 0 on would lose them, or all of a short film."""
    first = 2**33 * 20 // 90_000 - lead
    data = film(drifting(40), pts=[first + i for i in range(40)], container="mpegts")
    found = shown(data, VideoWindow("video/main", 0, FROM_THE_START, -1))
    assert np.diff([pts for pts, _ in found]).tolist() == [50_000_000] * 39
    assert found[0][0] < 0


def test_windows_across_a_wrap_far_into_a_film_are_those_of_a_full_pass() -> None:
    times = [2**33 // 90_000 - 80 + i for i in range(100)]
    data = film(drifting(100), pts=times, rate=1, container="mpegts", options={"g": "5"})
    whole = shown(data)
    assert len(whole) == 100
    for first in range(0, 96, 16):
        assert shown(data, VideoWindow("v", 0, whole[first][0], whole[first + 4][0])) == whole[first : first + 4]


SKIPS = [
    pytest.param([(25, 15, 1 << 16)], [*range(15, 40)], 0, id="start"),
    pytest.param([(20, 0, 1 << 16)], [*range(20)], 0, id="end"),
    pytest.param([(10, NOTHING, 1 << 16), (40, 0, 1 << 16)], [*range(40)], 10, id="delay"),
    pytest.param([(10, 0, 1 << 16), (10, 25, 1 << 16)], [*range(10), *range(25, 35)], 0, id="skip"),
    pytest.param([(10, 5, 1 << 16), (10, 5, 1 << 16)], [*range(5, 15), *range(5, 15)], 0, id="repeat"),
]


@pytest.mark.parametrize(("edits", "numbers", "delay"), SKIPS)
def test_an_edit_list_says_which_pictures_are_shown_and_when(
    edits: list[tuple[float, float, int]], numbers: list[int], delay: int
) -> None:
    before, after = edited(edits)
    lumas = [luma for _, luma in shown(before)]
    found = shown(after)
    assert found == [((delay + i) * 50_000_000, lumas[number]) for i, number in enumerate(numbers)]
    for first in range(0, len(found) - 3, 4):
        window = VideoWindow("v", 0, found[first][0], found[first + 3][0])
        assert shown(after, window) == found[first : first + 3]


OPEN_GOP = {"libx264": {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-adapt=0"},
            "libx265": {"x265-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0:scenecut=0:log-level=none"},
            "mpeg2video": {"g": "12"}}  # fmt: skip


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
@pytest.mark.parametrize("codec", OPEN_GOP)
def test_open_groups_of_pictures_may_be_entered_anywhere(codec: str, container: str) -> None:
    """A key frame that is found may be shown after pictures that need the group before it."""
    data = encoded(codec, container, drifting(60), options=OPEN_GOP[codec], b_frames=3)
    whole = shown(data)
    assert len(whole) == 60
    for first in range(1, 57, 2):
        window = VideoWindow("v", 0, whole[first][0], whole[first + 2][0])
        assert shown(data, window) == whole[first : first + 2]


@pytest.mark.parametrize("codec", OPEN_GOP)
def test_a_broadcast_tuned_into_begins_with_its_first_whole_picture(codec: str) -> None:
    """Where nobody numbered its frames; as `frames` reads recordings, pictures that cannot be whole are an error."""
    data = encoded(codec, "mpegts", drifting(60), options=OPEN_GOP[codec], b_frames=3)
    whole = shown(data)
    found = list(frames(io.BytesIO(tuned_into(data, 0.4)), WHOLE, "film.ts", as_played=True))
    assert 20 < len(found) < 50
    assert not any(p.damaged for p in found)
    assert [(p.pts_ns, bytes(p.frame.planes[0])) for p in found] == whole[-len(found) :]


def test_a_script_that_is_called_a_film_opens_no_other_file(tmp_path: Path) -> None:
    """libav goes by content: as a concat script it would show whatever film the script names."""
    (tmp_path / "private.mp4").write_bytes(film(drifting(3)))
    (tmp_path / "film.mp4").write_text("ffconcat version 1.0\nfile 'private.mp4'\n")
    with (tmp_path / "film.mp4").open("rb") as file, pytest.raises(SourceError, match="cannot be decoded"):
        list(frames(file, WHOLE, "film.mp4"))


SCRIPTS = {
    "session": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    b"a=rtpmap:96 H264/90000\n",
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "manifest": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period/></MPD>',
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_script_that_is_called_a_film_opens_no_socket(kind: str) -> None:
    """A session description would wait ten seconds for somebody to send pictures."""
    with pytest.raises(SourceError, match="cannot be decoded"):
        shown(SCRIPTS[kind])


def test_a_still_picture_called_a_film_is_refused() -> None:
    sink = io.BytesIO()
    Image.fromarray(texture()).save(sink, "JPEG")
    with pytest.raises(SourceError, match="cannot be decoded"):
        shown(sink.getvalue())


def test_a_film_without_pictures_is_an_error_that_says_what_it_has() -> None:
    with pytest.raises(SourceError, match=r"film\.mp4: no video stream, found audio \(aac\), expected at least one"):
        streams_of(io.BytesIO(with_sound()), "film.mp4")


def test_what_there_is_besides_views_is_listed(real: Path) -> None:
    with (real / "internet/nasa_two_streams/nasa_13013.mp4").open("rb") as file:
        listed = contents_of(file, "nasa")
    assert len(listed.video) == 2
    assert [other.split()[0] for other in listed.others].count("audio") == 2


def test_a_single_picture_larger_than_the_film_is_a_cover_that_nobody_marked() -> None:
    streams = streams_of(io.BytesIO(film(drifting(4))), "film.mp4")
    cover = VideoStream(1, 3000, 3000, None, "png", 1)
    assert choose_stream((*streams, cover)).index == 0
    assert choose_stream((cover,)).index == 1


def test_high_dynamic_range_is_listed() -> None:
    data = encoded("libx265", "mp4", drifting(3), pix_fmt="yuv420p10le", transfer=16)
    assert [stream.dynamic_range for stream in streams_of(io.BytesIO(data), "film.mp4")] == ["PQ"]
