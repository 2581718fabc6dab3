"""What goes wrong in real corpora, done on purpose to one episode each, so that a run can be seen to notice.

Two defects change what is recorded (rows, lag, dark frames) and two damage files after writing. Each is named in
``truth.json``. Nothing else in a corpus is broken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path

import numpy as np

from pipeline.synthetic.lerobot_writer import RecordedEpisode
from pipeline.synthetic.scene import Picture

ACTION_LAG_S = 0.2
BLACK_HEAD_S = 0.8
NAN_ROWS = (40, 46)
_DARK = 0.04
_KEPT_OF_TRUNCATED = 0.6


class Defect(StrEnum):
    """What is broken in an episode."""

    TRUNCATED_VIDEO = "truncated_video"
    """An interrupted copy: the file's index, which stands at the end of an mp4, is gone."""
    MISSING_FILES = "missing_files"
    """The metadata lists an episode whose files were never uploaded."""
    ACTION_LAG = "action_lag"
    """Rows are stamped 200 ms after what the pictures show."""
    BLACK_HEAD = "black_head"
    """The first 0.8 s are nearly black: the exposure had not settled."""
    NAN_ROWS = "nan_rows"
    """Six rows of the measured state are NaN."""


def damage_recording(episode: RecordedEpisode, defect: Defect | None, fps: int) -> RecordedEpisode:
    """The episode as a faulty recorder would have recorded it; defects of files leave it alone."""
    match defect:
        case Defect.NAN_ROWS:
            return _with_nan_rows(episode)
        case Defect.ACTION_LAG:
            return _with_lag(episode, round(ACTION_LAG_S * fps))
        case Defect.BLACK_HEAD:
            return _with_black_head(episode, round(BLACK_HEAD_S * fps))
        case _:
            return episode


def damage_files(root: Path, index: int, defect: Defect | None) -> None:
    """Damage one episode of a LeRobot v2 dataset on disk; defects of recordings leave it alone."""
    videos = sorted((root / "videos").glob(f"chunk-*/*/episode_{index:06d}.mp4"))
    if defect is Defect.TRUNCATED_VIDEO:
        size = videos[0].stat().st_size
        with videos[0].open("r+b") as file:
            file.truncate(int(size * _KEPT_OF_TRUNCATED))
    elif defect is Defect.MISSING_FILES:
        for path in [*videos, *(root / "data").glob(f"chunk-*/episode_{index:06d}.parquet")]:
            path.unlink()


def lag_ns(defect: Defect | None) -> int:
    """How much later than the pictures the action rows are stamped."""
    return round(ACTION_LAG_S * 1e9) if defect is Defect.ACTION_LAG else 0


def _with_nan_rows(episode: RecordedEpisode) -> RecordedEpisode:
    features = {name: np.array(values, np.float64) for name, values in episode.features.items()}
    for name, values in features.items():
        if name.startswith("observation.state"):
            values[slice(*NAN_ROWS)] = np.nan
    return dataclasses.replace(episode, features=features)


def _with_lag(episode: RecordedEpisode, rows: int) -> RecordedEpisode:
    """Row k keeps the state of frame k while the video starts ``rows`` frames later."""

    def later(pictures: Callable[[], Iterator[Picture]]) -> Callable[[], Iterator[Picture]]:
        return lambda: islice(pictures(), rows, None)

    return dataclasses.replace(
        episode,
        features={name: values[: len(values) - rows] for name, values in episode.features.items()},
        pictures={camera: later(pictures) for camera, pictures in episode.pictures.items()},
    )


def _with_black_head(episode: RecordedEpisode, n_frames: int) -> RecordedEpisode:
    def dark(pictures: Callable[[], Iterator[Picture]]) -> Iterator[Picture]:
        for index, picture in enumerate(pictures()):
            yield (picture * _DARK).astype(np.uint8) if index < n_frames else picture

    def closed_over(pictures: Callable[[], Iterator[Picture]]) -> Callable[[], Iterator[Picture]]:
        return lambda: dark(pictures)

    pictures = {camera: closed_over(make) for camera, make in episode.pictures.items()}
    return dataclasses.replace(episode, pictures=pictures)
