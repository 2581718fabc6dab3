"""A film of a rollout: what the cameras saw, what comes next, and how much of the task was done by then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.synthetic.mp4 import Mp4Writer
from pipeline.synthetic.view import PictureSize
from trainer.eval.environment import Environment
from trainer.policy import Observation

_HEIGHT, _MARGIN, _LINE = 288, 12, 24
_INK, _PAPER, _BAR, _BAR_EMPTY = (32, 33, 36), (250, 250, 248), (24, 128, 56), (218, 220, 224)
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5


class RolloutFilm:
    """Watches one rollout (`jobs.environments.Watch`) and writes an mp4."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames = 0
        self._writer: Mp4Writer | None = None

    def __call__(self, environment: Environment, observation: Observation) -> None:
        self._frames += 1
        views = np.concatenate([_at_height(picture) for picture in observation.pictures.values()], axis=1)
        frame = np.concatenate(
            [views, _caption(views.shape[1], environment, observation.text, self._frames / environment.control_hz)]
        )
        if self._writer is None:
            size = PictureSize(frame.shape[1], frame.shape[0])
            self._writer = Mp4Writer(self._path, size, round(environment.control_hz))
        self._writer.add([frame])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _at_height(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width = round(picture.shape[1] * _HEIGHT / picture.shape[0] / 2) * 2
    scaled: NDArray[np.uint8] = cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return scaled


def _caption(width: int, environment: Environment, text: str, now_s: float) -> NDArray[np.uint8]:
    """The task, its next event, and a bar of the events done."""
    lines = [*_wrapped(environment.instruction, width), *_wrapped(f"next: {text}", width)]
    height = _MARGIN + _LINE * (_rows(environment.instruction, environment.events, width) + 2)
    strip = np.full((height + height % 2, width, 3), _PAPER, np.uint8)
    for number, line in enumerate(lines):
        _write(strip, line, _MARGIN, _MARGIN + _LINE * number + 10)
    done = environment.which_done()
    bar_y = len(strip) - _LINE - 6
    step = (width - 2 * _MARGIN) / len(done)
    for number, each in enumerate(done):
        left, right = (round(_MARGIN + step * (number + edge)) for edge in (0, 1))
        cv2.rectangle(strip, (left, bar_y), (right - 3, bar_y + 8), _BAR if each else _BAR_EMPTY, -1)
    _write(strip, f"Task Progress {environment.progress():.0f}", _MARGIN, len(strip) - 6)
    _write(strip, f"{now_s:.1f} s", width - _MARGIN - 56, len(strip) - 6)
    return strip


def _rows(instruction: str, events: Sequence[str], width: int) -> int:
    """As many lines as the longest text needs, so that all frames are of one size."""
    asked = max(len(_wrapped(f"next: {text}", width)) for text in events)
    return len(_wrapped(instruction, width)) + asked


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that fit the width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if cv2.getTextSize(longer, _FONT, _SCALE, 1)[0][0] > width - 2 * _MARGIN and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(picture: NDArray[np.uint8], text: str, x: int, y: int) -> None:
    cv2.putText(picture, text, (x, y), _FONT, _SCALE, _INK, 1, cv2.LINE_AA)
