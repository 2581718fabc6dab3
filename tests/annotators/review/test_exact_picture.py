"""A picture by its number is the one whose time stamp stands in the frame table, or none."""

from pathlib import Path

import numpy as np
import pytest

from annotators.review.exact_picture import exact_picture, opened_proxy
from annotators.review.frame_table import FrameTable
from annotators.review.media import Media
from pipeline.errors import StoreError
from tests.annotators.review.app.barcode_films import Film, encoded, number_on
from tests.annotators.review.made_media import proxied


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FrameTable]:
    """A proxy of 25 pictures and its table."""
    folder = tmp_path_factory.mktemp("exact")
    made, _ = proxied(folder, Film("short", lambda: encoded(pts=range(25))), folder / "media")
    media = Media(folder / "media")
    return media.mp4(made.sha256), media.table(made.sha256)


def test_one_open_file_gives_pictures_in_any_order(kept: tuple[Path, FrameTable]) -> None:
    path, table = kept
    numbers = [24, 0, 10, 9, 11, 10, 23, 1]
    with opened_proxy(path) as container:
        shown = [exact_picture(container, table, k).to_ndarray(format="gray") for k in numbers]
    assert [number_on(picture) for picture in shown] == numbers


def test_a_file_and_a_table_that_do_not_belong_together_give_no_picture(kept: tuple[Path, FrameTable]) -> None:
    path, table = kept
    other = FrameTable(table.edges_ns + 5_000 * (np.arange(26) > 9))
    with opened_proxy(path) as container:
        exact_picture(container, other, 9)
        with pytest.raises(StoreError, match=r"found a picture at .* expected picture 10 at"):
            exact_picture(container, other, 10)


def test_a_file_that_cannot_be_decoded_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "torn.mp4").write_bytes(bytes(500))
    with pytest.raises(StoreError, match=r"torn.mp4: cannot be decoded"), opened_proxy(tmp_path / "torn.mp4"):
        pass
