"""Pictures of a moment, drawn when somebody looks: whoever acts for seconds looks at few of the moments it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""


class Pictures(Mapping[str, Picture]):
    """By camera, master view first; each is drawn once."""

    def __init__(self, cameras: tuple[str, ...], draw: Callable[[str], Picture]) -> None:
        self._cameras, self._draw = cameras, draw
        self._drawn: dict[str, Picture] = {}

    def __getitem__(self, camera: str) -> Picture:
        if camera not in self._cameras:
            raise KeyError(camera)
        if camera not in self._drawn:
            self._drawn[camera] = self._draw(camera)
        return self._drawn[camera]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cameras)

    def __len__(self) -> int:
        return len(self._cameras)
