"""One window: the pictures, words and actions of exactly its frames, or the members that are not as they should be."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.blobs import Blobs
from pipeline.loader.range_reader import RangeReader
from pipeline.loader.window import CHECKSUM, Damaged, Refused, Request, Seen, SeenClip, Window, read_window
from tests.pipeline.loader.made_requests import request
from tests.pipeline.loader.made_shards import FRAME_NS, ROW_NS, MadeEvent, grey

LONG = 4
"""26 frames."""


def read(made: Path, asked: Request) -> Window:
    found = read_window(RangeReader(Blobs(str(made))), asked)
    assert isinstance(found, Window)
    return found


def greys(window: Window, camera: str) -> list[int]:
    return [round(float(picture.mean())) for picture in window.pixels[camera]]


def test_frames_run_from_the_first_to_the_last_of_the_window(made: Path) -> None:
    window = read(made, request(made, LONG, first_frame=3))
    n = MadeEvent(LONG).n_frames - 3
    shown = [3 + round(i * (n - 1) / 8 + 1e-9) for i in range(9)]
    assert window.times_ns.tolist() == [frame * FRAME_NS for frame in shown]
    for view, camera in enumerate(("front", "wrist")):
        expected = [grey(LONG, view, frame) for frame in shown]
        assert np.abs(np.subtract(greys(window, camera), expected)).max() <= 2
    assert window.event.caption == "does 4"
    assert window.event.views == {}, "encoded clips do not travel"


def test_actions_are_the_rows_inside_the_window(made: Path) -> None:
    window = read(made, request(made, LONG, first_frame=3, n_frames=6))
    times = window.event.action_times_ns
    assert times is not None
    inside = [t for t in range(0, MadeEvent(LONG).n_rows * ROW_NS, ROW_NS) if 3 * FRAME_NS <= t < 9 * FRAME_NS]
    assert times.tolist() == inside
    relative = window.event.relative_action()
    assert relative is not None
    assert len(relative) == len(inside)
    whole = read(made, request(made, LONG))
    assert whole.event.action_T20 is not None
    assert len(whole.event.action_T20) == MadeEvent(LONG).n_rows
    assert read(made, request(made, 5)).event.action_T20 is None


def test_a_window_is_one_request_and_fewer_views_are_fewer_bytes(made: Path) -> None:
    reader = RangeReader(Blobs(str(made)))
    read_window(reader, request(made, LONG))
    assert (reader.traffic.requests, reader.traffic.opened) == (1, 1)
    one = read_window(reader, request(made, LONG, seen=Seen(1, 9, 4)))
    assert isinstance(one, Window)
    assert list(one.pixels) == ["front"]


def test_known_pictures_are_neither_fetched_nor_decoded_and_named_by_content(made: Path) -> None:
    whole = read(made, request(made, LONG))
    reader, asked = RangeReader(Blobs(str(made))), request(made, LONG)
    said: list[tuple[SeenClip, ...]] = []
    bare = read_window(reader, asked, known=lambda clips: not said.append(clips))
    assert isinstance(bare, Window)
    assert said == [whole.clips] == [bare.clips]
    assert bare.pixels == {}
    videos = [member for member in asked.location.members if member.name.endswith(".mp4")]
    assert [clip.sha256 for clip in bare.clips] == [member.sha256 for member in videos]
    other = RangeReader(Blobs(str(made)))
    read_window(other, asked)
    assert other.traffic.n_bytes - reader.traffic.n_bytes >= sum(member.n_bytes for member in videos)
    assert bare.event.caption == whole.event.caption
    part = read(made, request(made, LONG, first_frame=3))
    assert part.clips != whole.clips, "other frames of the same clips"


def test_pictures_nobody_knows_are_read_after_all(made: Path) -> None:
    found = read_window(RangeReader(Blobs(str(made))), request(made, LONG), known=lambda _clips: False)
    assert isinstance(found, Window)
    expected = read(made, request(made, LONG))
    assert all(np.array_equal(found.pixels[camera], expected.pixels[camera]) for camera in expected.pixels)


def test_a_clip_found_broken_in_the_second_request_is_reported_as_in_the_first(made: Path, tmp_path: Path) -> None:
    copy, asked = spoiled(made, tmp_path, LONG, "wrist.mp4")
    at_once, later = (
        read_window(RangeReader(Blobs(str(copy))), asked, known=known) for known in (None, lambda _clips: False)
    )
    assert isinstance(at_once, Damaged)
    assert later == at_once


def spoiled(made: Path, tmp_path: Path, event: int, *names: str) -> tuple[Path, Request]:
    """A copy of the set with a byte of these members changed."""
    copy, asked = Path(shutil.copytree(made, tmp_path / "copy")), request(made, event)
    path = copy / f"{asked.location.shard}.tar"
    data = bytearray(path.read_bytes())
    for member in asked.location.members:
        if member.name in names:
            data[member.offset + member.n_bytes // 2] ^= 1
    path.write_bytes(data)
    return copy, asked


def test_every_member_with_other_bytes_is_named(made: Path, tmp_path: Path) -> None:
    copy, asked = spoiled(made, tmp_path, 9, "wrist.mp4", "state.npz")
    reader = RangeReader(Blobs(str(copy)), cache_bytes=1 << 20)
    event = MadeEvent(9).event_id
    expected = (Refused(event, "wrist.mp4", CHECKSUM), Refused(event, "state.npz", CHECKSUM))
    assert read_window(reader, asked) == Damaged(7, 0, expected)
    assert reader.traffic.requests == 2, "what differs is asked for once more"
    only_front = dataclasses.replace(asked, seen=Seen(1, 9, 4))
    assert read_window(reader, only_front) == Damaged(7, 0, expected[1:]), "a view nobody looks at is nobody's trouble"


def test_bytes_that_were_wrong_on_the_way_are_read_again(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, asked = RangeReader(Blobs(str(made))), request(made, 9)
    real, times = RangeReader.read, []

    def once_wrong(self: RangeReader, shard: str, ranges: list[tuple[int, int]], *, fresh: bool = False) -> list[bytes]:
        times.append(fresh)
        found = real(self, shard, ranges, fresh=fresh)
        return found if fresh else [b"?" + data[1:] for data in found]

    monkeypatch.setattr(RangeReader, "read", once_wrong)
    assert isinstance(read_window(reader, asked), Window)
    assert times == [False, True]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("wrist.mp4", b"no clip at all", "decode: the clip cannot be decoded"),
        ("event.json", b"{}", "content: "),
        ("action.npz", b"PK\x03\x04", "content: "),
    ],
)
def test_sealed_nonsense_is_refused_and_never_a_crash(
    made: Path, tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    """The checksum is right: it was written like that."""
    asked = request(made, 9)
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    path = copy / f"{asked.location.shard}.tar"
    data = bytearray(path.read_bytes())
    members = []
    for member in asked.location.members:
        if member.name == name:
            data[member.offset : member.offset + len(content)] = content
            changed = hashlib.sha256(content).hexdigest()
            members.append(dataclasses.replace(member, n_bytes=len(content), sha256=changed))
        else:
            members.append(member)
    path.write_bytes(data)
    sealed = dataclasses.replace(asked, location=dataclasses.replace(asked.location, members=tuple(members)))
    found = read_window(RangeReader(Blobs(str(copy))), sealed)
    assert isinstance(found, Damaged)
    (refused,) = found.refused
    assert refused.member == (name if name.endswith(".mp4") else "event.json")
    assert refused.why.startswith(why)


def test_a_clip_of_another_number_of_frames_is_refused(made: Path) -> None:
    asked = request(made, 9)
    front, *rest = asked.location.members
    longer = dataclasses.replace(front, n_frames=front.n_frames + 1)
    lying = dataclasses.replace(asked, location=dataclasses.replace(asked.location, members=(longer, *rest)))
    found = read_window(RangeReader(Blobs(str(made))), lying)
    assert isinstance(found, Damaged)
    assert [(item.member, item.why) for item in found.refused] == [
        ("front.mp4", f"decode: clip has {front.n_frames} frames, expected {front.n_frames + 1}")
    ]
