"""Everything that might end a motion where the gripper says nothing, as one list (events.md K5).

Seven detectors look at the same stretch: speed dips, turns, rests and finger motion (`primitives`), knots of the fewest
straight lines along the path (AWE), kernel change points, steps of the resistance, and changes in the pictures. What
they say within 0.1 s is one proposal; agreement makes it heavier. None is a cut yet: `strokes` decides which stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from annotators.kinematic.change_points import kernel_change_points, motion_features, steps
from annotators.kinematic.primitives import Candidate
from annotators.kinematic.signals import ArmSignals
from annotators.kinematic.waypoints import awe_waypoints
from schemas.array import Floats

MERGE_S = 0.1
_HZ = 10.0
"""Kernel change points are looked for at this rate: proposals are merged at its step anyway."""
_PENALTY = 3.0
_AWE_EVERY = 2
"""Knots at half that rate: their cost grows with its square."""
_AWE_M = 0.02
_LONGEST_CHORD_S = 3.0
_STEP_NOISE = 0.1
"""Of the resistance, in shares of a full one."""
_SETTLE_S = 0.2
RESISTANCE, VISUAL = "resistance_step", "visual_change"
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "rest_start": 0.9,
        "rest_end": 0.9,
        "speed_dip": 0.9,
        RESISTANCE: 0.6,
        "turn": 0.5,
        "kernel_change": 0.4,
        "awe_knot": 0.3,
        "fingers_start": 0.3,
        "fingers_end": 0.3,
        VISUAL: 0.2,
    }
)


@dataclass(frozen=True)
class Proposal:
    """A moment at which a motion may end; ``weight`` 0 … 1 grows with every detector that sees it."""

    sample: int
    weight: float
    detectors: tuple[str, ...]


def proposals_between(
    signals: ArmSignals,
    start: int,
    end: int,
    *,
    primitives: Sequence[Candidate],
    resisted: Floats | None,
    seen: Sequence[Candidate] = (),
) -> list[Proposal]:
    """Proposals strictly inside samples ``[start, end)``, in time order, at least `MERGE_S` apart.

    ``primitives`` and ``seen`` (what pictures say) are of the whole track.
    """
    found = [candidate for candidate in (*primitives, *seen) if start < candidate.sample < end]
    found += [
        Candidate(start + sample, 1.0, detector)
        for detector, samples in _more(signals, start, end, resisted).items()
        for sample in samples
    ]
    return merged([candidate for candidate in found if start < candidate.sample < end - 1], signals)


def merged(candidates: Sequence[Candidate], signals: ArmSignals) -> list[Proposal]:
    """The heaviest first; what lies within `MERGE_S` of one that stands adds its weight to the nearest such one."""
    reach = signals.grid.samples(MERGE_S)
    ranked = sorted(candidates, key=lambda c: (-_weight(c), c.sample, c.detector))
    groups: dict[int, list[Candidate]] = {}
    taken: dict[int, int] = {}
    for candidate in ranked:
        host = taken.get(candidate.sample)
        if host is not None:
            groups[host].append(candidate)
            continue
        groups[candidate.sample] = [candidate]
        for sample in range(candidate.sample - reach + 1, candidate.sample + reach):
            taken.setdefault(sample, candidate.sample)
    return [_proposal(sample, group) for sample, group in sorted(groups.items())]


def _proposal(sample: int, group: Sequence[Candidate]) -> Proposal:
    """Detectors as independent witnesses; each is heard once."""
    doubt = 1.0
    for detector in sorted({candidate.detector for candidate in group}):
        doubt *= 1.0 - max(_weight(candidate) for candidate in group if candidate.detector == detector)
    return Proposal(sample, 1.0 - doubt, tuple(sorted({candidate.detector for candidate in group})))


def _weight(candidate: Candidate) -> float:
    return WEIGHTS[candidate.detector] * candidate.strength


def _more(signals: ArmSignals, start: int, end: int, resisted: Floats | None) -> dict[str, list[int]]:
    """Samples after ``start`` at which the detectors that look at a stretch as a whole see something."""
    step = signals.grid.samples(1.0 / _HZ)
    rate = signals.grid.rate_hz / step
    thin = motion_features(signals)[start:end:step]
    found = {"kernel_change": [step * sample for sample in kernel_change_points(thin, rate, _PENALTY)]}
    if signals.position is not None:
        path, every = signals.position[start : end : _AWE_EVERY * step], _AWE_EVERY * step
        knots = awe_waypoints(path, rate / _AWE_EVERY, _AWE_M, _LONGEST_CHORD_S)
        found["awe_knot"] = [every * sample for sample in knots]
    if resisted is not None:
        settle = max(1, round(_SETTLE_S * rate))
        found[RESISTANCE] = [step * sample for sample in steps(resisted[start:end:step], _STEP_NOISE, settle)]
    return found
