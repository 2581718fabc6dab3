"""An H.264 stream says itself whether a picture was lost; a decoder does not."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.sources.ros.ros_h264 import Access, Follower
from tests.pipeline.sources.written import ros_bag as written

PICTURE, LOST, PARAMETERS = Access.PICTURE, Access.LOST, Access.PARAMETERS


@pytest.fixture(scope="module")
def packets(real: Path) -> list[bytes]:
    return written.annex_b(written.take(real).pictures)[0]


def followed(packets: list[bytes]) -> list[Access]:
    follower = Follower()
    return [follower.follow(packet) for packet in packets]


def test_a_whole_stream_is_all_pictures(packets: list[bytes]) -> None:
    assert followed(packets) == [PICTURE] * len(packets)


@pytest.mark.parametrize("lost", range(1, 24))
def test_after_any_lost_packet_pictures_are_lost_up_to_the_next_key_frame(lost: int, packets: list[bytes]) -> None:
    left = [packet for i, packet in enumerate(packets) if i != lost]
    next_key = (lost // 8 + 1) * 8
    expected = [LOST if lost < i < next_key else PICTURE for i in range(len(packets)) if i != lost]
    assert followed(left) == expected


def test_a_repeated_packet_is_no_picture_and_breaks_nothing(packets: list[bytes]) -> None:
    assert followed([*packets[:4], packets[3], *packets[4:8]]) == [PICTURE] * 4 + [LOST] + [PICTURE] * 4


def test_pictures_that_no_other_refers_to_are_pictures(real: Path) -> None:
    """B-frames here: their loss would harm no other picture, and they are not counted."""
    packets = written.annex_b(written.take(real).pictures, gop=100, b_frames=2)[0]
    kinds = [packet[packet.rindex(b"\0\0\1") + 3] for packet in packets]
    droppable = [i for i, header in enumerate(kinds) if not header >> 5 & 3]
    assert len(droppable) > 4
    assert followed(packets) == [PICTURE] * len(packets)
    kept = [packet for i, packet in enumerate(packets) if i not in droppable]
    assert followed(kept) == [PICTURE] * len(kept)


def test_parameters_may_come_by_themselves(packets: list[bytes]) -> None:
    slice_at = packets[0].rindex(b"\0\0\1")
    assert followed([packets[0][:slice_at], packets[0][slice_at:], *packets[1:4]]) == [PARAMETERS, *[PICTURE] * 4]


def test_bytes_that_are_no_stream_are_no_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        noise = rng.integers(0, 4, 300, np.uint8).tobytes()
        assert Follower().follow(noise) in set(Access)
    assert followed([b"", b"\0\0\1", b"\0\0\1\x67", b"\0\0\1\x41"]) == [PARAMETERS, PARAMETERS, PARAMETERS, PARAMETERS]
