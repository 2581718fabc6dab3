"""Depth and infrared maps of more than 8 bits as pictures for people: near is warm, nothing measured is black.

What is warm is settled once per view, by the first picture that holds measurements, so that a colour means the same
distance from the first picture to the last.
"""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

_ROOM = 1.5
"""How far beyond the first picture's range colours go on changing."""


def is_map(frame: av.VideoFrame) -> bool:
    """Whether the frame holds one number per pixel, of more than 8 bits."""
    components = frame.format.components
    return len(components) == 1 and components[0].bits > 8


class FalseColour:
    """Turns the maps of one view into colours. Holds the range that the first measured picture settles."""

    def __init__(self) -> None:
        self._range: tuple[float, float] | None = None

    def shown(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame itself where it is a picture already, else a coloured copy."""
        if not is_map(frame):
            return frame
        values = frame.reformat(format="gray16le", threads=1).to_ndarray()
        return av.VideoFrame.from_ndarray(self._coloured(values), format="bgr24")

    def _coloured(self, values: NDArray[np.uint16]) -> NDArray[np.uint8]:
        measured = values > 0
        if self._range is None and measured.any():
            low, high = np.percentile(values[measured], [1, 99])
            self._range = float(low) / _ROOM, max(float(high) * _ROOM, float(low) / _ROOM + 1)
        low, high = self._range or (0.0, 1.0)
        far = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1)
        coloured: NDArray[np.uint8] = cv2.applyColorMap(np.rint(255 * (1 - far)).astype(np.uint8), cv2.COLORMAP_TURBO)
        coloured[~measured] = 0
        return coloured
