"""What a cut clip is: exactly these pictures at exactly these times, in bytes that never vary."""

import io
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clip import ClipEncoder, EncodedClip, clip_size
from pipeline.loader.decode import decode_clip
from pipeline.video import frames
from schemas.episode import VideoWindow
from schemas.recipe import ClipSpec

MS = 1_000_000
SPEC = ClipSpec(short_side=64, gop=4)
REAL_FILMS = ("egocentric/headset_clips_4fps/situation_understanding.mp4", "umi/mouse_arrangement/videos/umi.mp4")


def grey(level: int, size: tuple[int, int] = (64, 48), form: str = "yuv420p") -> av.VideoFrame:
    picture = np.full((size[1], size[0], 3), level, np.uint8)
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)


def encoded(
    times_ns: list[int], spec: ClipSpec = SPEC, size: tuple[int, int] = (64, 48), end_ns: int = -1
) -> EncodedClip:
    encoder = ClipEncoder(spec)
    for number, t_ns in enumerate(times_ns):
        encoder.add(t_ns, grey(40 + 10 * number))
    return encoder.finish(times_ns[-1] + 33 * MS if end_ns < 0 else end_ns)


def packets(mp4: bytes) -> list[av.Packet]:
    with av.open(io.BytesIO(mp4)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def clip_settings(mp4: bytes) -> set[str]:
    """What x264 says of itself in the stream."""
    text = mp4[mp4.index(b"options: ") + 9 :].split(b"\0", 1)[0]
    return set(text.decode("ascii", "replace").split())


def encode_real(path: Path, n: int = 40) -> tuple[EncodedClip, list[int]]:
    encoder, times = ClipEncoder(ClipSpec(short_side=96)), []
    with path.open("rb") as file:
        for picture in frames(file, VideoWindow("video", 0, 0, -1), path.name):
            if len(times) == n:
                break
            encoder.add(picture.pts_ns, picture.frame)
            times.append(picture.pts_ns)
    return encoder.finish(times[-1] + 1), times


def test_every_frame_is_there_at_its_own_time() -> None:
    times = [7, 33 * MS + 1, 34 * MS, 500 * MS, 2_000 * MS]
    clip = encoded(times)
    found = packets(clip.mp4)
    assert [int(packet.pts * packet.time_base * 10**9) for packet in found] == [t - 7 for t in times]
    assert clip.n_frames == len(times) == len(decode_clip(clip.mp4))


def test_a_frame_may_stay_for_minutes_and_times_are_then_kept_to_the_microsecond() -> None:
    times = [0, 33 * MS + 1, 200_000 * MS, 200_040 * MS]
    found = packets(encoded(times).mp4)
    assert [round(packet.pts * packet.time_base * 10**6) for packet in found] == [0, 33_000, 200_000_000, 200_040_000]


def test_the_last_frame_shows_until_the_end() -> None:
    assert packets(encoded([0, 40 * MS], end_ns=59 * MS).mp4)[-1].duration == 19 * MS


@pytest.mark.parametrize("film", REAL_FILMS)
def test_a_recording_keeps_its_frame_times_and_its_pictures(real: Path, film: str) -> None:
    clip, times = encode_real(real / film)
    with av.open(io.BytesIO(clip.mp4)) as container:
        shown = [int(frame.pts * frame.time_base * 10**9) for frame in container.decode(video=0)]
    assert shown == [t - times[0] for t in times]
    with (real / film).open("rb") as file:
        first = next(frames(file, VideoWindow("video", 0, 0, -1), film)).frame
        source = first.to_ndarray(format="rgb24", width=clip.width, height=clip.height)
    assert np.abs(decode_clip(clip.mp4)[0].astype(int) - source).mean() < 6


def test_bytes_are_the_same_however_often_and_on_however_many_threads(real: Path) -> None:
    path = real / REAL_FILMS[1]
    script = (
        "import os, sys; from pathlib import Path; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tests.pipeline.test_clip import encode_real; print(encode_real(Path(sys.argv[1]))[0].sha256)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "7", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "3"}
    command = [sys.executable, "-c", script, str(path)]
    elsewhere = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    assert encode_real(path)[0].sha256 == encode_real(path)[0].sha256 == elsewhere


def test_the_file_says_nothing_about_who_made_it_or_when() -> None:
    mp4 = encoded([0, 40 * MS]).mp4
    assert b"Lavf" not in mp4
    with av.open(io.BytesIO(mp4)) as container:
        assert not {"creation_time", "encoder"} & (set(container.metadata) | set(container.streams.video[0].metadata))


def test_groups_of_pictures_are_exactly_as_long_as_asked_and_have_no_b_frames() -> None:
    found = packets(encoded([i * 33 * MS for i in range(10)]).mp4)
    assert [i for i, packet in enumerate(found) if packet.is_keyframe] == [0, 4, 8]
    assert all(packet.pts == packet.dts for packet in found)


def test_a_clip_is_made_to_be_decoded_often() -> None:
    """Variable-length codes instead of CABAC, no deblocking: H.264 7.3.2.2 has one bit each."""
    with av.open(io.BytesIO(encoded([0, 33 * MS]).mp4)) as container:
        context = container.streams.video[0].codec_context
        parameter_sets = bytes(context.extradata or b"")
    n_bytes = int.from_bytes(parameter_sets[6:8], "big")  # avcC: five bytes, a count, the sequence parameter set
    picture_set = parameter_sets[8 + n_bytes + 3 :]
    bits = "".join(f"{byte:08b}" for byte in picture_set[1:])  # after the NAL header
    assert bits.startswith("11"), "ids 0 and 0, one bit each"
    assert bits[2] == "0", "entropy_coding_mode_flag"
    settings = clip_settings(encoded([0, 33 * MS], ClipSpec(short_side=64)).mp4)
    assert {"cabac=0", "deblock=0:0:0"} <= settings


def test_key_frames_of_the_source_are_not_repeated() -> None:
    encoder = ClipEncoder(SPEC)
    for number in range(4):
        frame = grey(100 + number)
        frame.pict_type = av.video.frame.PictureType.I
        encoder.add(number * 33 * MS, frame)
    assert sum(packet.is_keyframe for packet in packets(encoder.finish(132 * MS).mp4)) == 1


def test_a_single_frame_is_a_clip() -> None:
    assert decode_clip(encoded([5]).mp4).shape == (1, 48, 64, 3)


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv444p", "rgb24", "gbrp", "gray"])
def test_brightness_survives_every_pixel_format(form: str) -> None:
    encoder = ClipEncoder(SPEC)
    for level in (20, 120, 230):
        encoder.add(level * MS, grey(level, form=form))
    seen = decode_clip(encoder.finish(300 * MS).mp4).mean(axis=(1, 2, 3))
    assert np.abs(seen - [20, 120, 230]).max() < 4


def test_colours_survive_an_rgb_source() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :, 0], picture[:, :, 1], picture[:, :, 2] = 200, 60, 30
    encoder = ClipEncoder(SPEC)
    encoder.add(0, av.VideoFrame.from_ndarray(picture, format="rgb24"))
    with av.open(io.BytesIO(encoder.finish(1).mp4)) as container:
        frame = next(container.decode(video=0))
    assert frame.colorspace == 1, "tagged BT.709, so that every player turns it back the same way"
    assert np.abs(frame.to_ndarray(format="rgb24").mean(axis=(0, 1)) - [200, 60, 30]).max() < 6


def test_frames_out_of_order_are_refused() -> None:
    encoder = ClipEncoder(SPEC)
    encoder.add(5, grey(10))
    with pytest.raises(ValueError, match="times must increase"):
        encoder.add(5, grey(10))


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="no frames"):
        ClipEncoder(SPEC).finish(1)


@given(st.integers(2, 4000), st.integers(2, 4000), st.integers(8, 500).map(lambda n: 2 * n))
def test_sizes_are_even_keep_the_aspect_and_never_grow(width: int, height: int, short_side: int) -> None:
    w, h = clip_size(width, height, short_side)
    assert w % 2 == h % 2 == 0
    assert 2 <= w <= width
    assert 2 <= h <= height
    assert min(w, h) <= short_side
    scale = min(Fraction(1), Fraction(short_side, min(width, height)))
    assert abs(w - width * scale) <= 2
    assert abs(h - height * scale) <= 2


def test_a_picture_too_small_for_colour_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 pixels"):
        clip_size(1, 100, 64)
