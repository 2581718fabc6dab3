"""A cut: one detector's claim that an event boundary lies at a time, and how competing claims are settled.

Confidence is the chance that a cut of this kind lies within 0.25 s of a true boundary of this kind, σ what 68 % of its
errors in time do not exceed; docs/segment.md says where each number comes from. Where two claims are too close to both
stand, the more confident one stays and remembers the detectors of the other.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS


@dataclass(frozen=True)
class Prior:
    """What is known about a kind of cut before looking at one."""

    confidence: float
    sigma_s: float


PRIORS: Mapping[BoundaryKind, Prior] = MappingProxyType(
    {
        BoundaryKind.GRASP: Prior(0.991, 0.05),
        BoundaryKind.RELEASE: Prior(0.966, 0.05),
        BoundaryKind.SLIP: Prior(0.955, 0.05),
        BoundaryKind.LIFT: Prior(0.980, 0.05),
        BoundaryKind.MISS: Prior(0.778, 0.04),
        BoundaryKind.RETREAT: Prior(0.937, 0.05),
        BoundaryKind.SUPPORT: Prior(0.869, 0.10),
        BoundaryKind.CONTACT: Prior(0.583, 0.19),
        BoundaryKind.TRANSPORT: Prior(0.969, 0.05),
        BoundaryKind.MOTION: Prior(0.30, 0.40),
        BoundaryKind.HARD_CUT: Prior(0.30, 0.05),
        BoundaryKind.VISUAL_CHANGE: Prior(0.30, 0.50),
        BoundaryKind.DURATION_CAP: Prior(0.10, 1.00),
        BoundaryKind.ANNOTATION: Prior(1.00, 0.50),
        BoundaryKind.RANGE_EDGE: Prior(1.00, 0.00),
    }
)
"""Of contacts: what `benchmarks.calibrate_cuts` prints. GRASP stands above LIFT and RELEASE above SUPPORT: where only
one fits, contact is what a policy must hit. Of candidates: judgement, and never above 0.3."""


@dataclass(frozen=True)
class Cut:
    """A proposed boundary at any time of the episode clock, not yet on a frame."""

    t_ns: int
    kind: BoundaryKind
    confidence: float
    sigma_s: float
    detectors: tuple[str, ...]
    arm: Arm | None = None


C = TypeVar("C", Cut, Boundary)


def make_cut(
    t_ns: int,
    kind: BoundaryKind,
    detector: str,
    *,
    trust: float = 1.0,
    arm: Arm | None = None,
    sigma_s: float | None = None,
) -> Cut:
    """A cut with its kind's prior; ``trust`` in 0 … 1 scales the confidence for weaker evidence, σ can be its own."""
    prior = PRIORS[kind]
    sigma_s = prior.sigma_s if sigma_s is None else sigma_s
    return Cut(t_ns, kind, round(prior.confidence * trust, 4), sigma_s, (detector,), arm)


def survivors(cuts: Iterable[C], clash: Callable[[C, C], bool]) -> list[C]:
    """Cuts in time order of which no neighbours clash; of two that do, the more confident stays (ties: the earlier).

    ``clash(earlier, later)`` must not become true by moving the two further apart. One pass over a stack: linear.
    """
    kept: list[C] = []
    for cut in sorted(cuts, key=lambda cut: (cut.t_ns, -cut.confidence, cut.kind, cut.detectors)):
        challenger = cut
        while kept and clash(kept[-1], challenger):
            if kept[-1].confidence >= challenger.confidence:
                kept[-1] = remember(kept[-1], challenger)
                break
            challenger = remember(challenger, kept.pop())
        else:
            kept.append(challenger)
    return kept


def remember(winner: C, loser: C) -> C:
    """``winner``, with the detectors of both."""
    return replace(winner, detectors=tuple(sorted({*winner.detectors, *loser.detectors})))


def merged(cuts: Iterable[Cut], gap_s: float) -> list[Cut]:
    """The union of several arms' cuts, of which those closer than ``gap_s`` are one (events.md K7).

    Contacts of different kinds stay two: a grasp says nothing about a lift. Whether each has room for an event of its
    own is settled on frames (`annotators.tree.place`).
    """
    gap_ns = int(gap_s * NS_PER_S)
    by_kind: dict[BoundaryKind, list[Cut]] = {}
    for cut in cuts:
        by_kind.setdefault(cut.kind, []).append(cut)
    alike = [cut for group in by_kind.values() for cut in survivors(group, lambda a, b: b.t_ns - a.t_ns < gap_ns)]

    def clash(a: Cut, b: Cut) -> bool:
        return b.t_ns - a.t_ns < gap_ns and not (a.kind in PHYSICAL_KINDS and b.kind in PHYSICAL_KINDS)

    return survivors(alike, clash)
