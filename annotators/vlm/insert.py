"""Cuts that a model adds: it names a frame it was shown, and code moves it to where the pictures change (±0.4 s).

Thumbnails are a quarter to half a second apart, so the named frame is only a neighbourhood. The change score is the
one of the video-only detector (`annotators.visual.evidence`); without one the frame stays where it is.
"""

from collections.abc import Callable

from annotators.tree.claim import PRIORS
from annotators.tree.ranges import Fits
from schemas.array import Floats
from schemas.event import Boundary, BoundaryKind
from schemas.time import NS_PER_S, FrameClock

REACH_S = 0.4


def refiner(clock: FrameClock, fits: Fits, score: Floats | None) -> Callable[[int, int, int], int | None]:
    """A function from a frame and its neighbouring edges to the best frame near it, None when none leaves valid pieces.

    ``score`` is one value per frame, higher where pictures change more; ties go to the frame nearest to the named one.
    """

    def refine(frame: int, before: int, after: int) -> int | None:
        reach_ns = round(REACH_S * NS_PER_S)
        middle_ns = clock.edge_ns(frame)
        options = [
            near
            for near in range(before + 1, after)
            if abs(clock.edge_ns(near) - middle_ns) <= reach_ns and fits(before, near) and fits(near, after)
        ]
        if not options:
            return None
        if score is None:
            return min(options, key=lambda near: (abs(near - frame), near))
        return max(options, key=lambda near: (float(score[near]), -abs(near - frame), -near))

    return refine


def inserted_boundary(clock: FrameClock, frame: int) -> Boundary:
    """What a picture proposes, it proposes with the confidence of pictures."""
    prior = PRIORS[BoundaryKind.VISUAL_CHANGE]
    return Boundary(BoundaryKind.VISUAL_CHANGE, frame, clock.edge_ns(frame), prior.confidence, prior.sigma_s, ("vlm",))
