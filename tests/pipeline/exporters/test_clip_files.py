"""Clips in one file: the same pictures, one every 1/fps s, and a new file where one decoder cannot go on."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.clip import ClipEncoder
from pipeline.errors import JoineryError
from pipeline.exporters.clip_files import ClipFiles, ClipPlace
from pipeline.loader.decode import decode_clip
from schemas.recipe import ClipSpec

FPS = 20


def clip(n_frames: int, seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    """What `cut` writes, at uneven times that the export evens out."""
    rng = np.random.default_rng(seed)
    encoder = ClipEncoder(ClipSpec(gop=4))
    for i in range(n_frames):
        picture = np.full((size[1], size[0], 3), rng.integers(20, 230), np.uint8)
        picture[i % size[1]] = 255
        encoder.add(i * 50_000_001 + i % 2, av.VideoFrame.from_ndarray(picture, format="rgb24"))
    return encoder.finish(n_frames * 50_000_001).mp4


def test_pictures_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    clips = [clip(5, 1), clip(1, 2), clip(9, 3)]
    files = ClipFiles(tmp_path, FPS)
    places = [files.add(mp4, "a clip") for mp4 in clips]
    files.close()
    assert places == [ClipPlace(0, 0, 0, 5), ClipPlace(0, 0, 5, 1), ClipPlace(0, 0, 6, 9)]
    whole = decode_clip((tmp_path / "chunk-000" / "file-000.mp4").read_bytes())
    assert np.array_equal(whole, np.concatenate([decode_clip(mp4) for mp4 in clips]))


def test_frames_stand_at_exact_times(tmp_path: Path) -> None:
    files = ClipFiles(tmp_path, FPS)
    files.add(clip(7), "a clip")
    files.add(clip(6), "a clip")
    files.close()
    with av.open(str(tmp_path / "chunk-000" / "file-000.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == FPS
        assert stream.frames == 13
        assert [frame.pts * frame.time_base for frame in container.decode(stream)] == [
            Fraction(i, FPS) for i in range(13)
        ]


def test_another_size_begins_another_file(tmp_path: Path) -> None:
    files = ClipFiles(tmp_path, FPS)
    places = [files.add(mp4, "a clip") for mp4 in (clip(3), clip(4, size=(48, 64)), clip(2, size=(48, 64)), clip(2))]
    files.close()
    assert [(place.file, place.start) for place in places] == [(0, 0), (1, 0), (1, 4), (2, 0)]
    assert decode_clip((tmp_path / "chunk-000" / "file-001.mp4").read_bytes()).shape == (6, 64, 48, 3)


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    files = ClipFiles(tmp_path, FPS, max_bytes=len(clip(3)) * 2)
    assert [files.add(clip(3), "a clip").file for _ in range(5)] == [0, 0, 1, 1, 2]
    files.close()


def test_frames_out_of_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b_frames.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"bf": "2", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(12):
            picture = np.full((48, 64, 3), 20 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(JoineryError, match=r"front\.mp4: its 12 packets do not start with a key frame and stand"):
        ClipFiles(tmp_path, FPS).add(path.read_bytes(), "front.mp4")
