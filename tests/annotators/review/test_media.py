"""Single pictures out of proxies are exactly the ones asked for, and names lead nowhere else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from annotators.review.media import Media
from pipeline.errors import StoreError
from tests.annotators.review.app.barcode_films import FILMS, HEIGHT, Film, Picture, encoded, number_on
from tests.annotators.review.made_media import proxied


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A media folder with one proxy, of variable frame rate, and its SHA-256."""
    folder = tmp_path_factory.mktemp("media")
    return folder / "media", proxied(folder, FILMS["h264_vfr"], folder / "media")[0].sha256


def read(jpeg: bytes) -> Picture:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_every_picture_asked_for_is_the_one_that_comes(kept: tuple[Path, str]) -> None:
    media = Media(kept[0])
    numbers = [0, 299, *np.random.default_rng(0).integers(0, 300, 60).tolist()]
    assert [number_on(read(media.picture(kept[1], k))) for k in numbers] == numbers


def test_a_height_shrinks_and_never_enlarges(kept: tuple[Path, str]) -> None:
    media = Media(kept[0])
    assert read(media.picture(kept[1], 7, 90)).shape == (90, 120, 3)
    assert read(media.picture(kept[1], 7, 9_000)).shape[0] == HEIGHT
    assert number_on(read(media.picture(kept[1], 7, 120))) == 7


def test_what_is_not_there_is_a_key_error(kept: tuple[Path, str]) -> None:
    media = Media(kept[0])
    (kept[0] / "secret.mp4").write_bytes(b"")
    for name in ("0" * 64, "secret", "../" + kept[1], kept[1].upper(), kept[1] + "\n", ""):
        with pytest.raises(KeyError, match="no such media"):
            media.mp4(name)
    for number in (-1, 300):
        with pytest.raises(KeyError, match=f"no picture {number}, found 300"):
            media.picture(kept[1], number)


def test_the_cache_is_bounded_and_gives_the_same_bytes(kept: tuple[Path, str]) -> None:
    one = len(Media(kept[0]).picture(kept[1], 0))
    media = Media(kept[0], cache_bytes=5 * one)
    first = [media.picture(kept[1], k) for k in range(20)]
    assert sum(map(len, media._cached.values())) == media._n_cached_bytes <= 5 * one
    assert (kept[1], 19, 0) in media._cached
    assert (kept[1], 0, 0) not in media._cached
    assert [media.picture(kept[1], k) for k in range(20)] == first


def test_threads_may_ask_at_the_same_time(kept: tuple[Path, str]) -> None:
    media, numbers = Media(kept[0]), [k % 40 for k in range(120)]
    with ThreadPoolExecutor(6) as pool:
        shown = pool.map(lambda k: number_on(read(media.picture(kept[1], k))), numbers)
    assert list(shown) == numbers


def test_a_damaged_file_is_told_by_name(tmp_path: Path) -> None:
    made, _ = proxied(tmp_path, Film("short", lambda: encoded(pts=range(12))), tmp_path / "media")
    path = tmp_path / "media" / f"{made.sha256}.mp4"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(StoreError, match=made.sha256):
        Media(tmp_path / "media").picture(made.sha256, 3)
