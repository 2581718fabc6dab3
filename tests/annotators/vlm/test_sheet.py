"""Contact sheets and zoom strips: what is shown, what is written on it, and that it can be read back."""

from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from annotators.vlm.sheet import NOTHING, contact_sheets, nearest, sampled
from annotators.vlm.tile import Tile, TileSize, aspect_of, decoded, encoded, grid, tile_size
from annotators.vlm.zoom import FRAMES, doubtful, zoom_strips
from pipeline.synthetic.trajectory import Variant
from tests.annotators.vlm.oracle import Scene, scenes


@cache
def scene() -> Scene:
    return scenes(0, (Variant.PLAIN, Variant.SLIP))[0]


def test_two_tiles_a_second_five_in_a_row_four_rows_a_sheet() -> None:
    sheets = contact_sheets(scene().window, scene().pictures.master, fps=2.0, tile_px=224)
    n = len(sheets.frames)
    assert abs(n - 2 * scene().window.duration_s) <= 1
    assert len(sheets.jpegs) == -(-n // 20)
    assert sheets.sizes[0][0] == 5 * 224
    assert [decoded(jpeg).shape[1::-1] for jpeg in sheets.jpegs] == list(sheets.sizes)


def test_the_last_sheet_has_only_the_rows_it_needs() -> None:
    sheets = contact_sheets(scene().window, scene().pictures.master[:44], fps=4.0, tile_px=224)
    assert sheets.sizes[-1][1] * 4 == sheets.sizes[0][1]


def test_shown_frames_are_thumbnails_and_increase() -> None:
    frames = contact_sheets(scene().window, scene().pictures.master, fps=2.0, tile_px=224).frames
    assert set(frames) <= {thumbnail.frame for thumbnail in scene().pictures.master}
    assert all(a < b for a, b in pairwise(frames))


def test_the_same_window_is_the_same_bytes() -> None:
    a, b = (contact_sheets(scene().window, scene().pictures.master, fps=1.0, tile_px=160) for _ in range(2))
    assert a.jpegs == b.jpegs


def test_more_frames_than_there_are_thumbnails_are_shown_once_each() -> None:
    chosen = sampled(scene().window, scene().pictures.master, 30.0)
    assert chosen == list(scene().pictures.master)


def test_another_view_shows_times_and_no_frames_to_choose() -> None:
    other = contact_sheets(scene().window, scene().pictures.master, fps=1.0, tile_px=160, master=False)
    assert other.frames == ()
    assert other.jpegs


@pytest.mark.parametrize(("t_ns", "index"), [(0, 1), (14, 1), (15, 1), (16, 2), (99, 3)])
def test_the_nearest_of_those_that_are_allowed_is_taken_and_of_two_the_earlier(t_ns: int, index: int) -> None:
    times = [0, 10, 20, 30, 40]
    assert nearest(times, t_ns, 1, 4) == index
    assert nearest(times, t_ns, 2, 2) is None


def test_without_thumbnails_there_is_nothing() -> None:
    assert contact_sheets(scene().window, (), fps=2.0, tile_px=224) is NOTHING


def test_a_candidate_stands_on_the_tile_nearest_to_it() -> None:
    """Its tile is the one whose bar has yellow in it."""
    window, master = scene().window, scene().pictures.master
    sheets = contact_sheets(window, master, fps=2.0, tile_px=224)
    size = tile_size(224, aspect_of(master[0].jpeg))
    times = [thumbnail.t_ns for thumbnail in sampled(window, master, 2.0)]
    named = {nearest(times, piece.end.t_ns, 0, len(times)) for piece in window.pieces}
    for number in range(len(times)):
        page, place = divmod(number, 20)
        row, column = divmod(place, 5)
        bar = decoded(sheets.jpegs[page])[row * size.height :, column * size.width :][: size.bar, : size.width]
        yellow = (bar[..., 2] > 150) & (bar[..., 1] > 150) & (bar[..., 0] < 90)
        assert bool(yellow.sum() > 20) == (number in named), number


def test_pictures_keep_their_shape_and_no_tile_is_higher_than_wide() -> None:
    for aspect in (0.5, 1.0, 4 / 3, 16 / 9):
        size = tile_size(224, aspect)
        assert size.height <= size.width
        tall = np.full((round(300 / aspect), 300, 3), 255, np.uint8)
        shown = grid([Tile(encoded(tall))], 1, size)[size.bar :]
        ys, xs = np.nonzero(shown[..., 0] > 128)
        assert np.ptp(xs) / max(1, np.ptp(ys)) == pytest.approx(aspect, rel=0.05)


def test_letters_differ_from_their_ground_and_stay_on_the_bar() -> None:
    size = TileSize(224, 168, 20)
    blank, said = grid([Tile(None)], 1, size), grid([Tile(None, "12.5s F375", "C014 C015")], 1, size)
    changed = np.nonzero(np.abs(said.astype(int) - blank).max(axis=2) > 60)
    assert len(changed[0]) > 300
    assert changed[0].max() < size.bar


def test_bytes_that_are_no_picture_are_named() -> None:
    with pytest.raises(ValueError, match="no picture"):
        decoded(b"GIF, not quite")


def test_zoom_strips_show_doubted_cuts_only_five_frames_each() -> None:
    window, master = scene().window, scene().pictures.master
    doubted = doubtful(window, 99)
    assert doubted
    assert all(piece.end.confidence < 0.5 and piece.ends_action for piece in doubted)
    strips = zoom_strips(window, master, tile_px=224, most=2)
    size = tile_size(224, aspect_of(master[0].jpeg))
    assert strips.sizes == ((FRAMES * 224, min(2, len(doubted)) * size.height),)
    near = [abs(master[0].t_ns + frame * 50_000_000 - piece.end.t_ns) for piece in doubted for frame in strips.frames]
    assert min(near) < 250_000_000


def test_a_window_without_doubt_gets_no_strips() -> None:
    assert zoom_strips(scene().window, scene().pictures.master, tile_px=224, most=0) is NOTHING


def test_jpegs_keep_colours_apart() -> None:
    yellow = np.zeros((32, 32, 3), np.uint8)
    yellow[:, ::4] = (0, 230, 255)
    back = cv2.imdecode(np.frombuffer(encoded(yellow), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert back[:, ::4, 2].mean() > 180
    assert back[:, 2::4, 2].mean() < 60
