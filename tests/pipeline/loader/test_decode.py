"""Pixels of a clip: all of them or the ones asked for, at the size asked for, and no frame taken for another."""

import io

import av
import numpy as np
import pytest

from pipeline.loader.decode import _sought, decode_clip
from tests.pipeline.loader.odd_clips import CLIPS, cut_clip
from tests.pipeline.test_clip import encoded

CLIP = encoded([i * 40_000_000 for i in range(6)]).mp4
"""64 × 48, frame i is grey 40 + 10 i."""


def levels(pixels: np.ndarray) -> list[int]:  # type: ignore[type-arg]  # any dtype
    return [round(float(level), -1) for level in pixels.mean(axis=(1, 2, 3))]


def test_all_frames_at_their_own_size() -> None:
    pixels = decode_clip(CLIP)
    assert pixels.shape == (6, 48, 64, 3)
    assert pixels.dtype == np.uint8
    assert levels(pixels) == [40, 50, 60, 70, 80, 90]


def test_some_frames_in_the_order_asked_for_and_as_often() -> None:
    assert levels(decode_clip(CLIP, frames=[4, 0, 4])) == [80, 40, 80]


def test_size_is_height_then_width() -> None:
    assert decode_clip(CLIP, size=(24, 40), frames=[1]).shape == (1, 24, 40, 3)
    assert levels(decode_clip(CLIP, size=(24, 40), frames=[1])) == [50]


def test_a_frame_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="clip has 6 frames, expected frame 6"):
        decode_clip(CLIP, frames=[6])
    for nothing in ([], [-1]):
        with pytest.raises(ValueError, match="indices ≥ 0"):
            decode_clip(CLIP, frames=nothing)


@pytest.mark.parametrize("kind", CLIPS)
def test_a_window_is_the_same_frames_as_in_the_whole(kind: str) -> None:
    """Wherever it starts between key frames, and whatever order frames are stored in."""
    mp4 = CLIPS[kind]()
    with av.open(io.BytesIO(mp4)) as container:  # straight through, by time stamps: what any player shows
        whole = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert np.array_equal(decode_clip(mp4, decoder="pyav"), whole)
    n = len(whole)
    for first, stop in ((1, 3), (7, 9), (8, n), (n - 1, n), (3, n), (10, 12)):
        found = decode_clip(mp4, frames=range(first, stop), decoder="pyav")
        assert np.array_equal(found, whole[first:stop]), (kind, first, stop)
    for sparse in ([0, 20], [3, 4, 12], [7, 8, 15, 16], [20, 2, 2, 11]):
        assert np.array_equal(decode_clip(mp4, frames=sparse, decoder="pyav"), whole[sparse]), (kind, sparse)


def test_a_window_decodes_no_frame_before_its_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """With frames before the seek made unreadable, a later window does not notice, and an earlier one does."""
    mp4 = bytearray(cut_clip(66, 50))
    expected = decode_clip(bytes(mp4), frames=range(17, 21), decoder="pyav")
    with av.open(io.BytesIO(mp4)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.pos is not None]
    for at, size in places[8:15]:
        mp4[at + 4 : at + size] = bytes(size - 4)
    assert np.array_equal(decode_clip(bytes(mp4), frames=range(17, 21), decoder="pyav"), expected)
    sparse = decode_clip(bytes(mp4), frames=[2, 17, 20], decoder="pyav")
    assert np.array_equal(sparse[1:], expected[[0, 3]]), "the group of pictures between is left out"
    with pytest.raises(ValueError, match="clip"):
        decode_clip(bytes(mp4), frames=range(9, 12), decoder="pyav")


def test_a_clip_of_more_or_fewer_frames_than_it_must_have_is_refused() -> None:
    for n in (5, 7):
        with pytest.raises(ValueError, match=f"clip has 6 frames, expected {n}"):
            decode_clip(CLIP, frames=[1], n_frames=n)
    assert len(decode_clip(CLIP, n_frames=6)) == 6


@pytest.mark.parametrize("damage", [b"", b"x" * 50, CLIP[: len(CLIP) // 2]])
def test_bytes_that_are_no_clip_are_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="clip"):
        decode_clip(damage)


def test_a_short_span_of_a_long_file_reads_no_packet_before_its_key_frame_or_after_its_end() -> None:
    mp4 = cut_clip(66, 50, n=60)
    with av.open(io.BytesIO(mp4)) as container:
        found = _sought(container, container.streams.video[0], range(40, 44))
        n_frames = len(container.streams.video[0].index_entries)
    assert n_frames > 45
    assert found is not None
    packets, wanted = found
    assert len(packets) == 4, "frame 40 is a key frame of clips with one in eight"
    assert [packet.pts for packet in packets] == wanted


@pytest.mark.parametrize("kind", CLIPS)
def test_where_the_index_cannot_tell_all_packets_do(kind: str) -> None:
    """Frame by frame of every kind of file: sought or not, it is the frame of the whole."""
    mp4 = CLIPS[kind]()
    whole = decode_clip(mp4, decoder="pyav")
    for frame in range(len(whole)):
        assert np.array_equal(decode_clip(mp4, frames=[frame]), whole[frame : frame + 1]), (kind, frame)
