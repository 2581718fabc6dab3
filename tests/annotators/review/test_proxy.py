"""A proxy has the pictures that ingest numbered, each at its own time, whatever the source is."""

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from annotators.review import proxy
from annotators.review.frame_table import FrameTable, frame_table_of
from annotators.review.proxy import PROXY, ProxyError, make_proxy, verify
from pipeline.clip import picture_for
from pipeline.cut import view_frames
from pipeline.errors import SourceError
from pipeline.video import to_ns
from schemas.recipe_formats.aloha import AlohaSource
from schemas.time import NS_PER_S
from tests.annotators.review.app.barcode_films import (
    FILMS,
    HEIGHT,
    N_PICTURES,
    WIDTH,
    Film,
    barcode,
    encoded,
    number_on,
)
from tests.annotators.review.made_media import Ingested, ingested, made_episode, proxied, proxy_of
from tests.pipeline.sources.written.aloha import write_act


def decoded(path: Path) -> Iterator[tuple[int, av.VideoFrame]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            yield to_ns(frame.pts, stream.time_base), frame


def numbers_on(path: Path) -> list[int]:
    return [number_on(frame.to_ndarray(format="gray")) for _, frame in decoded(path)]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """40 pictures with B-frames."""
    return made_episode(tmp_path_factory.mktemp("short") / "film", Film("short", lambda: encoded(pts=range(40))))


@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS)
def test_every_picture_of_every_encoding_is_there_at_its_own_time(film: Film, tmp_path: Path) -> None:
    made, episode = proxied(tmp_path, film, tmp_path / "media")
    path = tmp_path / "media" / f"{made.sha256}.mp4"
    assert numbers_on(path) == list(range(film.first, N_PICTURES))
    assert [t_ns for t_ns, _ in decoded(path)] == episode.master.times_ns.tolist()
    edges = np.frombuffer((path.parent / f"{made.sha256}.times").read_bytes(), "<i8")
    assert edges.tolist() == [*episode.master.times_ns.tolist(), episode.master.end_ns]
    assert (made.n_frames, made.width, made.height, made.start_ns) == (len(edges) - 1, WIDTH, HEIGHT, 0)


def test_it_seeks_fast_plays_at_once_and_plays_everywhere(short: Ingested, tmp_path: Path) -> None:
    path = tmp_path / f"{proxy_of(short, tmp_path).sha256}.mp4"
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser reads the index first"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert [packet.is_keyframe for packet in packets] == [k % PROXY.gop == 0 for k in range(40)]
        assert all(packet.pts == packet.dts for packet in packets), "no picture waits for a later one"


def test_the_same_recording_gives_the_same_bytes(short: Ingested, tmp_path: Path) -> None:
    first, second = proxy_of(short, tmp_path / "a"), proxy_of(short, tmp_path / "b")
    assert first == second
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [f"{first.sha256}.mp4", f"{first.sha256}.times"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_large_pictures_shrink_to_480_lines(tmp_path: Path) -> None:
    film = Film("large", lambda: encoded(pts=range(4), picture=lambda k: np.tile(barcode(k), (3, 4, 1))))
    made, _ = proxied(tmp_path, film, tmp_path / "media")
    assert (made.width, made.height) == (854, 480)


def test_a_picture_that_stays_for_seconds_keeps_its_time(tmp_path: Path) -> None:
    """Beyond 2.1 s an mp4 cannot count nanoseconds; the frame table does."""
    film = Film("still", lambda: encoded(pts=[0, 1, 100, 101], time_base=Fraction(1, 7)))
    made, episode = proxied(tmp_path, film, tmp_path / "media")
    stamped = [t_ns for t_ns, _ in decoded(tmp_path / "media" / f"{made.sha256}.mp4")]
    assert np.abs(np.array(stamped) - episode.master.times_ns).max() <= 500
    edges = np.frombuffer((tmp_path / "media" / f"{made.sha256}.times").read_bytes(), "<i8")
    assert edges[:-1].tolist() == episode.master.times_ns.tolist()


def test_pictures_in_an_hdf5_file_get_a_proxy_too(tmp_path: Path) -> None:
    joints = np.cumsum(np.full((25, 14), 0.01), axis=0)
    pictures = np.stack([barcode(k) for k in range(25)])
    write_act(tmp_path / "source" / "episode_0.hdf5", joints, joints, {"top": pictures})
    stated = {"format": "aloha", "name": "made", "path": str(tmp_path / "source"), "card": {"licence": "CC0-1.0"}}
    made = proxy_of(ingested(AlohaSource.model_validate(stated)), tmp_path / "media")
    assert numbers_on(tmp_path / "media" / f"{made.sha256}.mp4") == list(range(25))


def test_depth_in_16_bits_becomes_colours_that_can_be_told_apart(tmp_path: Path) -> None:
    def depth(k: int) -> Any:
        return np.where(barcode(k)[..., 0] > 128, 900 + 5 * k, 2_400).astype(np.uint16)

    film = Film("depth", lambda: encoded("ffv1", "matroska", pts=range(20), picture=depth, pix_fmt="gray16le"), "mkv")
    made, _ = proxied(tmp_path, film, tmp_path / "media")
    shown = [frame.to_ndarray(format="rgb24") for _, frame in decoded(tmp_path / "media" / f"{made.sha256}.mp4")]
    near, far = shown[3][120, 40].astype(int), shown[3][120, 80].astype(int)
    assert near[0] - near[2] > 80
    assert far[2] - far[0] > 40
    assert [number_on(255 * (picture[..., :1] > picture[..., 2:]).astype(np.uint8)) for picture in shown] == list(
        range(20)
    )


def test_a_source_that_changed_since_ingest_gets_none(short: Ingested, tmp_path: Path) -> None:
    ref, files, episode = short
    camera = episode.master
    later = dataclasses.replace(camera, times_ns=camera.times_ns + np.arange(40) // 39)
    longer = dataclasses.replace(camera, times_ns=np.append(camera.times_ns, camera.end_ns), end_ns=camera.end_ns + 5)
    for changed, said in ((later, "frame 39 is stamped"), (longer, "ends before frame 40, ingest saw 41")):
        with pytest.raises(SourceError, match=said):
            make_proxy(episode, changed, view_frames(ref, files, camera), tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_retimed_picture_is_found_and_nothing_kept(
    short: Ingested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def retimed(frame: av.VideoFrame, size: tuple[int, int], pts_ns: int) -> av.VideoFrame:
        return picture_for(frame, size, pts_ns + (2_000 if pts_ns > NS_PER_S // 2 else 0))

    monkeypatch.setattr(proxy, "picture_for", retimed)
    with pytest.raises(ProxyError, match=r"the proxy has edge \d+ at"):
        proxy_of(short, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_other_pictures_or_another_number_of_them_are_found(short: Ingested, tmp_path: Path) -> None:
    ref, files, episode = short
    path, table = tmp_path / f"{proxy_of(short, tmp_path).sha256}.mp4", frame_table_of(episode.master)
    source = [
        picture_for(frame, (WIDTH, HEIGHT), 0).to_ndarray()[:HEIGHT]
        for _, frame in view_frames(ref, files, episode.master)
    ]
    verify("film", path, table, {k: source[k] for k in (5, 6, 7)}, PROXY.gop)
    with pytest.raises(ProxyError, match=r"picture 6 of the proxy is .* dB from the source's picture 6"):
        verify("film", path, table, {6: source[7]}, PROXY.gop)
    with pytest.raises(ProxyError, match="has 40 pictures, the source 39"):
        verify("film", path, FrameTable(table.edges_ns[:-1]), {}, PROXY.gop)


def test_a_neighbour_that_looks_much_the_same_is_told_apart(short: Ingested, tmp_path: Path) -> None:
    """Close enough to pass for itself, and closer still to the picture it really is."""
    ref, files, episode = short
    path, table = tmp_path / f"{proxy_of(short, tmp_path).sha256}.mp4", frame_table_of(episode.master)
    frames = [frame for _, frame in view_frames(ref, files, episode.master)]
    own = picture_for(frames[6], (WIDTH, HEIGHT), 0).to_ndarray()[:HEIGHT]
    nearly = cv2.addWeighted(own, 0.97, own[:, ::-1].copy(), 0.03, 0)
    verify("film", path, table, {6: nearly}, PROXY.gop)
    with pytest.raises(ProxyError, match=r"dB from its picture 7"):
        verify("film", path, table, {6: nearly, 7: own}, PROXY.gop)
