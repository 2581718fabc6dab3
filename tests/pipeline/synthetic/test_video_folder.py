"""A folder of videos is a folder of mp4 files and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.synthetic.scene import Picture
from pipeline.synthetic.video_folder import write_video
from pipeline.synthetic.view import PictureSize
from tests.pipeline.synthetic.reading import luma

SIZE = PictureSize(64, 48)


def white(n: int) -> Iterator[Picture]:
    for _ in range(n):
        yield np.full((48, 64, 3), 250, np.uint8)


def test_a_video_is_written_into_a_folder_that_is_made_for_it(tmp_path: Path) -> None:
    assert write_video(tmp_path / "clips", "a.mp4", white(7), SIZE, 24) == 7
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["a.mp4"]
    assert len(luma(tmp_path / "clips" / "a.mp4")) == 7


def test_a_name_that_says_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends with \.mp4"):
        write_video(tmp_path, "clip", white(1), SIZE, 30)
