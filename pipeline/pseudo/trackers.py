"""The hand trackers a recipe may name."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.pseudo import mediapipe_hands
from pipeline.pseudo.hands import HandTracker


@dataclass(frozen=True)
class Tracking:
    """One method: ``revision`` is cheap and part of an episode's fingerprint, ``tracker`` loads the models."""

    revision: Callable[[], str]
    tracker: Callable[[], HandTracker]


TRACKERS = {"mediapipe_hands": Tracking(mediapipe_hands.revision, mediapipe_hands.tracker)}
