"""From hands in pictures to an action track: what moves in an egocentric video whose actions nobody recorded.

Numbers are relative to the picture, not to the world: ``position`` is (to the right, away, up) with the wrist's place
in picture widths from the picture's centre and its distance guessed from the hand's size. There is one row per
picture that is looked at; a row where a hand is not seen is invalid, never filled in.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.pseudo.hands import WRIST, HandTracker, aperture, metres_to_widths
from pipeline.video import Picture
from schemas.array import Bools, Floats
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.recipe_kinematics import PseudoActionsSpec
from schemas.time import MIN_EVENT_FRAMES, NS_PER_S

FRAME = "image"
LONG_SIDE = 1280
"""Pictures are shrunk to this many pixels first; the models look at 224."""
_WORTH_A_TRACK = 0.5
"""A hand seen in a smaller share of the pictures gets a track only when no hand is seen more often."""
_MIN_ROWS = 5


@dataclass(frozen=True, eq=False)
class Sight:
    """One hand in one row."""

    position: tuple[float, float, float]
    aperture: float
    confidence: float


@dataclass
class HandWatch:
    """Looks at the pictures of one view while they are decoded. Feed it every picture with `look`."""

    camera: str
    tracker: HandTracker
    spec: PseudoActionsSpec
    focal_px: float | None = None
    """The camera's focal length in its pixels, where it is known."""
    times_ns: list[int] = field(default_factory=list)
    sights: list[dict[Arm, Sight]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next_ns, self._passed = 0, 0

    def look(self, picture: Picture, t_ns: int) -> None:
        """Find the hands when a picture is due: ``hz`` times per second, and never so rarely that an event has none."""
        self._passed += 1
        if t_ns < self._next_ns and self._passed < MIN_EVENT_FRAMES:
            return
        half_frame_ns = max(picture.end_ns - picture.pts_ns, 0) // 2
        self._next_ns = t_ns + round(NS_PER_S / self.spec.hz) - half_frame_ns
        self._passed = 0
        self.times_ns.append(t_ns)
        self.sights.append({} if picture.damaged else self._sights(picture))

    def _sights(self, picture: Picture) -> dict[Arm, Sight]:
        """The surest hand of each side that is sure enough."""
        width, height = picture.frame.width, picture.frame.height
        focal_widths = 1.0 if self.focal_px is None else self.focal_px / width
        found: dict[Arm, Sight] = {}
        for hand in sorted(self.tracker.hands(_shrunk(picture)), key=lambda hand: -hand.confidence):
            scale = metres_to_widths(hand)
            if hand.confidence < self.spec.min_confidence or hand.side in found or scale == 0.0:
                continue
            x, y = hand.picture[WRIST]
            place = (float(x) - 0.5, focal_widths / scale, height / width / 2 - float(y))
            if np.isfinite([*place, aperture(hand)]).all():
                found[hand.side] = Sight(place, aperture(hand), hand.confidence)
        return found

    def share(self, arm: Arm) -> float:
        """In which share of the pictures looked at a hand was seen."""
        return sum(arm in row for row in self.sights) / max(len(self.sights), 1)

    def track(self, episode_id: str, provenance: str) -> ActionTrack | None:
        """The action track, or None when no hand is seen in `_MIN_ROWS` pictures."""
        arms = [arm for arm in Arm if self.share(arm) >= _WORTH_A_TRACK] or [max(Arm, key=self.share)]
        seen = np.array([[arm in row for arm in arms] for row in self.sights], np.bool_).reshape(-1, len(arms))
        valid: Bools = np.asarray(seen.all(axis=1))
        if np.count_nonzero(valid) < _MIN_ROWS:
            return None
        distance = "known focal length" if self.focal_px is not None else "focal length taken as one picture width"
        return ActionTrack(
            episode_id=episode_id,
            kind=ActionKind.PSEUDO,
            provenance=f"{provenance}; wrist in picture widths, distance from hand size, {distance}",
            times_ns=np.array(self.times_ns, np.int64),
            valid=valid,
            state=tuple(self._arm(arm) for arm in arms),
            target=(),
            joint_names=tuple(f"{arm}.confidence" for arm in arms),
            joint_state=np.stack([self._rows(arm)[:, 4] for arm in arms], axis=1).reshape(-1),
            joint_target=None,
            frame=FRAME,
        )

    def _arm(self, arm: Arm) -> ArmTrack:
        rows = self._rows(arm)
        return ArmTrack(arm, rows[:, :3], None, rows[:, 3], None, 0)

    def _rows(self, arm: Arm) -> Floats:
        """Position, aperture and confidence of one hand, float32 [T, 5]; NaN where it is not seen."""
        nothing = (np.nan,) * 5
        rows = [
            nothing if (sight := row.get(arm)) is None else (*sight.position, sight.aperture, sight.confidence)
            for row in self.sights
        ]
        return np.array(rows, np.float32).reshape(-1, 5)


def _shrunk(picture: Picture) -> NDArray[np.uint8]:
    """The picture as RGB, its longer side at most `LONG_SIDE` pixels."""
    frame = picture.frame
    scale = min(1.0, LONG_SIDE / max(frame.width, frame.height))
    size = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", width=size[0], height=size[1], threads=1)
    return rgb
