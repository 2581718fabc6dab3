"""The recorder's side of the self-collected contract (docs/self_collected.md): pictures and rows with their times.

Runs beside the robot or the simulator. Needs no more than NumPy, PyAV and pyarrow, so that the file can be copied there
with `schemas/recording.py`. Until `close` the folder holds a ``recording.unfinished.json``; a recorder that dies leaves
a recording that listing reports and nobody uses by accident.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.repeatable_x264 import CONTAINER_OPTIONS, add_x264_stream
from schemas.recording import (
    ANNOTATIONS,
    FRAMES,
    RECORDING,
    RECOVERY,
    ROWS,
    TIME,
    UNFINISHED,
    Annotation,
    Recording,
    RecoveryNote,
)

_CLOCK = Fraction(1, 90_000)
"""Of the video files; the exact nanoseconds stand in frames.csv."""
_ENCODING = {"crf": "18", "preset": "veryfast", "g": "30"}


@dataclass
class _Film:
    """One open video file."""

    container: av.container.OutputContainer
    stream: av.VideoStream
    last_pts: int = -1


@dataclass
class EpisodeRecorder:
    """Writes one recording. All ``t_ns`` are on one monotonic clock of the recorder's choice, whatever its origin."""

    folder: Path
    recording: Recording
    _films: dict[str, _Film] = field(default_factory=dict)
    _frames: list[tuple[str, int]] = field(default_factory=list)
    _rows: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    _annotations: list[Annotation] = field(default_factory=list)
    _latest: dict[str, int] = field(default_factory=dict)
    _recovery: RecoveryNote | None = None

    def __enter__(self) -> EpisodeRecorder:
        """Begin. Raises FileExistsError when the folder already holds a recording, finished or not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, state in ((RECORDING, "a finished"), (UNFINISHED, "an unfinished")):
            if (self.folder / name).exists():
                raise FileExistsError(f"{self.folder}: holds {state} recording; give the new one a folder of its own")
        (self.folder / UNFINISHED).write_text(self.recording.model_dump_json(indent=1), encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish, unless something was raised inside; the recording then stays marked as unfinished."""
        if kind is None:
            self.close()
        else:
            self._end_films()

    def picture(self, camera: str, rgb: NDArray[np.uint8], t_ns: int) -> None:
        """One picture [H, W, 3] of a camera; even sides. Raises ValueError unless the camera's times increase."""
        self._check_later(f"picture of {camera}", self._latest.get(camera), t_ns)
        self._latest[camera] = int(t_ns)
        film = self._films.get(camera) or self._open(camera, rgb)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
            format="yuv420p", threads=1
        )
        frame.pts = max(film.last_pts + 1, round((t_ns - self._origin(camera, t_ns)) * 9 / 100_000))
        frame.time_base, film.last_pts = _CLOCK, frame.pts
        film.container.mux(film.stream.encode(frame))
        self._frames.append((camera, int(t_ns)))

    def row(self, t_ns: int, **values: float | str | bool | Sequence[float] | NDArray[np.floating]) -> None:
        """One row of numbers. Every row must have the same columns; a value that is not known is NaN.

        Raises ValueError when the columns differ or the time is not after the last row's.
        """
        self._check_later("row", self._rows[TIME][-1] if self._rows else None, t_ns)
        if self._rows and set(values) | {TIME} != set(self._rows):
            raise ValueError(f"row at {t_ns} has the columns {sorted(values)}, earlier ones {sorted(self._rows)}")
        self._rows[TIME].append(int(t_ns))
        for name, value in values.items():
            self._rows[name].append(np.asarray(value).tolist() if not isinstance(value, str) else value)

    @staticmethod
    def _check_later(what: str, last_ns: int | None, t_ns: int) -> None:
        """A clock that steps back is found out while the robot still stands there, not when the recording is read."""
        if last_ns is not None and int(t_ns) <= last_ns:
            raise ValueError(f"{what} at {t_ns} ns comes after one at {last_ns} ns; stamp with a monotonic clock")

    def annotate(self, annotation: Annotation) -> None:
        """A span somebody or something said."""
        self._annotations.append(annotation)

    def recovery(self, note: RecoveryNote) -> None:
        """That this is a recovery, and from what."""
        self._recovery = note

    def close(self) -> None:
        """Write everything that is not a picture, then mark the recording as finished."""
        self._end_films()
        with (self.folder / FRAMES).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["camera", TIME])
            writer.writerows(self._frames)
        if self._rows:
            pq.write_table(pa.table(dict(self._rows)), self.folder / ROWS)
        if self._annotations:
            lines = "".join(f"{annotation.model_dump_json()}\n" for annotation in self._annotations)
            (self.folder / ANNOTATIONS).write_text(lines, encoding="utf-8")
        if self._recovery is not None:
            (self.folder / RECOVERY).write_text(self._recovery.model_dump_json(indent=1), encoding="utf-8")
        text = json.dumps(self.recording.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (self.folder / UNFINISHED).write_text(text, encoding="utf-8")
        (self.folder / UNFINISHED).replace(self.folder / RECORDING)

    def _open(self, camera: str, rgb: NDArray[np.uint8]) -> _Film:
        files = {known.name: known.file for known in self.recording.cameras}
        if camera not in files:
            raise ValueError(f"no camera {camera!r}, the recording has {sorted(files)}")
        container = av.open(str(self.folder / files[camera]), "w", options=CONTAINER_OPTIONS)
        stream = add_x264_stream(container, 30, _ENCODING)
        stream.height, stream.width = rgb.shape[0], rgb.shape[1]
        stream.codec_context.time_base = _CLOCK
        self._films[camera] = _Film(container, stream)
        return self._films[camera]

    def _origin(self, camera: str, t_ns: int) -> int:
        return next((first for name, first in self._frames if name == camera), t_ns)

    def _end_films(self) -> None:
        for film in self._films.values():
            film.container.mux(film.stream.encode(None))
            film.container.close()
        self._films = {}
