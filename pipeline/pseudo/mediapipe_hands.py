"""MediaPipe's hand landmarks as a `HandTracker`. The model ships inside the wheel, so it runs offline.

Every picture is judged by itself: what is found does not depend on where decoding began or how many pictures per
second are looked at. MediaPipe names hands as they look in a mirror; these pictures are not mirrored, so sides are
swapped (checked on the headset recordings, docs/pseudo_actions.md).
"""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import JoineryError
from pipeline.pseudo.hands import Hand
from schemas.episode import Arm
from schemas.recipe_extras import MEDIAPIPE

_MODELS = ("modules/palm_detection/palm_detection_full.tflite", "modules/hand_landmark/hand_landmark_full.tflite")
_MOST_HANDS = 2
_FOUND = 0.5
"""Confidence of the palm detector; how sure the side is, is for the recipe to judge."""
_IN_A_MIRROR = {"Left": Arm.RIGHT, "Right": Arm.LEFT}


@lru_cache(maxsize=1)
def revision() -> str:
    """Library version and digest of the models it ships. Raises JoineryError where it is not installed."""
    spec = find_spec("mediapipe")
    try:
        installed = version("mediapipe")
    except PackageNotFoundError:
        installed = ""
    if spec is None or spec.origin is None or not installed:
        raise JoineryError(f"pseudo_actions need mediapipe, which is not on this machine; {MEDIAPIPE}")
    found = hashlib.sha256()
    for model in _MODELS:
        path = Path(spec.origin).parent / model
        if not path.is_file():
            raise JoineryError(f"{path}: mediapipe {installed} ships no such model; {MEDIAPIPE}")
        found.update(path.read_bytes())
    return f"mediapipe {installed} ({found.hexdigest()[:12]})"


class MediapipeHands:
    """The tracker; making one loads the models, so `tracker` keeps it."""

    def __init__(self) -> None:
        revision()
        from mediapipe.python.solutions.hands import Hands  # noqa: PLC0415 - an extra that takes seconds to import

        self._hands: Any = Hands(
            static_image_mode=True, max_num_hands=_MOST_HANDS, model_complexity=1, min_detection_confidence=_FOUND
        )

    def hands(self, rgb: NDArray[np.uint8]) -> list[Hand]:
        """The hands in a picture uint8 [H, W, 3], in the library's order."""
        seen = self._hands.process(np.ascontiguousarray(rgb))
        tall = rgb.shape[0] / rgb.shape[1]
        found = zip(
            seen.multi_handedness or (),
            seen.multi_hand_landmarks or (),
            seen.multi_hand_world_landmarks or (),
            strict=True,
        )
        return [
            Hand(
                side=_IN_A_MIRROR[label.classification[0].label],
                confidence=float(label.classification[0].score),
                picture=np.array([(point.x, point.y * tall) for point in picture.landmark]),
                shape=np.array([(point.x, point.y, point.z) for point in shape.landmark]),
            )
            for label, picture, shape in found
        ]


@lru_cache(maxsize=1)
def tracker() -> MediapipeHands:
    """This process's tracker."""
    return MediapipeHands()
