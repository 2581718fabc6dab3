"""What an arm does while its fingers hold nothing: rests, reaches, pushes, retreats (events.md K6).

The stretches between holds are divided by an exact dynamic programme over the proposals of K5. Its grammar: a push is
reached for, may pause and go on, and is left by a retreat; a grasp follows a reach or a rest, never a push. Holds need
no state of their own: their edges (B1, B5) always stand, so the programme decomposes there.

A push costs more than it gains unless something says contact: resistance while it lasts, or a fist that moves along the
bottom of its stretch. Without either a stroke is a reach, and its edges are plain MOTION.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from annotators.kinematic.contact import Contact
from annotators.kinematic.gripper import Hold
from annotators.kinematic.primitives import Candidate, candidates
from annotators.kinematic.proposals import RESISTANCE, VISUAL, Proposal, proposals_between
from annotators.kinematic.semi_markov import Lattice, Stretch, cheapest
from annotators.kinematic.signals import ArmSignals
from annotators.tree.claim import Cut
from pipeline.mask_runs import first_true
from schemas.array import Bools, Floats

LAMBDA = 2.5
"""The price of a stretch; a proposal of full weight gives it back. Higher: fewer cuts."""
WIDEST = 64
"""Proposals a stretch may skip: some ten seconds of unrest. Rests have none inside."""
APPROACH_M = 0.03
"""A stroke without a step of resistance meets what it pushes after this, the counterpart of B6's 3 cm."""
HAND_M = 0.10
"""A hand that leaves across its push slides along what it pushed until fingers of this length are past it. And a fist
that meets no resistance has to move at least as far to be pushing: one that stays low may be a grasp that failed."""
BACK_SHARE = 0.5
"""A retreat draws back when it starts within 60° of where the push came from."""
LEAST_S = 1.0
"""Shorter stretches have no room for a push."""
PULL_SHARE = 0.7
LEAST_PUSH_M = 0.02
LEAST_RETREAT_M = 0.03
CAME_S, LEAST_CAME_M, ONWARD = 0.3, 0.01, 0.5
"""A retreat turns by 60° or more from the way of the last 0.3 s, unless the tool had come to rest."""
BLOCKED = "resistance"
"""The detector of a push that a force shows, unlike a fist's."""
SURE = 0.5
"""Resistance below this share of a full one says nothing."""
FLOOR_M = 0.03
"""A fist pushes what stands: at most this far above the lowest point of its stretch."""


class State(IntEnum):
    """What a stretch may be."""

    REST = 0
    REACH = 1
    PUSH = 2
    PRESSED = 3
    """At rest, still in contact."""
    AGAIN = 4
    """The push goes on after a pause."""
    RETREAT = 5


_DURATIONS: Mapping[State, tuple[float, float]] = MappingProxyType(
    {  # median in seconds and spread of the logarithm
        State.REST: (0.6, 1.0),
        State.REACH: (1.0, 0.9),
        State.PUSH: (1.0, 0.7),
        State.PRESSED: (0.6, 1.0),
        State.AGAIN: (1.0, 0.7),
        State.RETREAT: (0.8, 0.8),
    }
)
FOLLOWS: Mapping[State, tuple[State, ...]] = MappingProxyType(
    {
        State.REST: (State.REACH, State.PUSH),
        State.REACH: (State.REST, State.REACH, State.PUSH),
        State.PUSH: (State.PRESSED, State.RETREAT),
        State.PRESSED: (State.AGAIN, State.RETREAT),
        State.AGAIN: (State.PRESSED, State.RETREAT),
        State.RETREAT: (State.REST, State.REACH),
    }
)
"""The grammar: what may come next."""
_IN_CONTACT = (State.PUSH, State.PRESSED, State.AGAIN)
_PUSH_PRICE = 3.0
_RESISTED_GAIN = 8.0
_FIST_GAIN = 6.0
_FREE_PUSH_PER_S = 1.0
_STILL_PER_S = 3.0
_BLOCKED_PER_S = 3.0
_BEND_OF_PUSH_M, _BEND_M = 0.01, 0.05
_CREEP_M = 0.01


@dataclass(frozen=True)
class Push:
    """One contact without a hold, in samples."""

    start: int
    """Contact begins."""
    ended: int
    """The tool sets out to leave; the end of the track if it never does."""
    left: int | None
    """Contact is over and the tool well away (B6); None where the track or the next hold comes first."""
    pulled: bool
    """Towards the robot."""
    weight: float
    """How sure the evidence is, 0 … 1."""
    detector: str


@dataclass(frozen=True)
class FreeMotion:
    """What was found where the fingers hold nothing."""

    pushes: tuple[Push, ...] = ()
    stops: tuple[Proposal, ...] = ()
    """Every edge inside, pushes or not."""


@dataclass(frozen=True, eq=False)
class _Track:
    """One stretch between holds at its K candidates; the arrays are float64 [K, W], of the pairs of `Lattice`."""

    signals: ArmSignals
    at: tuple[int, ...]
    weights: Floats
    """[K], of the proposals; 0 at both ends."""
    known: Bools
    """[K, W], pairs that exist."""
    duration_s: Floats
    still_s: Floats
    path_m: Floats
    bend_m: Floats
    """How much longer the path is than its chord."""
    chord_m: Floats
    peak: Floats
    """Largest force, 0 … 1."""
    blocked_s: Floats
    fist: Floats
    """Share of the time with a fist, where both ends are low."""
    onward: Bools
    """Pairs that only go on the way the tool came."""


def free_motions(
    signals: ArmSignals,
    contacts: list[Contact],
    fists: list[Hold],
    resisted: Floats | None,
    seen: Sequence[Cut] = (),
) -> FreeMotion:
    """Every stretch between the holds, divided. ``fists`` are closed fingers with nothing in them."""
    fist = np.zeros(signals.grid.n, np.bool_)
    for hold in fists:
        fist[hold.closed : hold.opened] = True
    primitives = candidates(signals)
    hints = [Candidate(signals.grid.index(cut.t_ns), 1.0, VISUAL) for cut in seen]
    pushes: list[Push] = []
    stops: list[Proposal] = []
    for start, end in _stretches(signals, contacts):
        inside = proposals_between(signals, start, end, primitives=primitives, resisted=resisted, seen=hints)
        free = divided(signals, (start, end), inside, resisted, fist)
        pushes += free.pushes
        stops += free.stops
    return FreeMotion(tuple(pushes), tuple(stops))


def _stretches(signals: ArmSignals, contacts: list[Contact]) -> list[tuple[int, int]]:
    """What no hold covers; after a hold it begins where the tool is away from what it let go of."""
    found, start = [], 0
    for contact in contacts:
        found.append((start, contact.closed or 0))
        opened = signals.grid.n if contact.opened is None else contact.opened
        start = opened if contact.left is None else contact.left
    found.append((start, signals.grid.n))
    return [(a, b) for a, b in found if b - a >= LEAST_S * signals.grid.rate_hz]


def divided(
    signals: ArmSignals, span: tuple[int, int], proposals: list[Proposal], resisted: Floats | None, fist: Bools
) -> FreeMotion:
    """Divide a span of samples that no hold overlaps. ``resisted`` and ``fist`` are of the whole track."""
    force = np.zeros(signals.grid.n) if resisted is None else np.clip((resisted - SURE) / (1.0 - SURE), 0.0, 1.0)
    track = _track(signals, span, proposals, force, fist)
    found = cheapest(_lattice(track, before_a_hold=span[1] < signals.grid.n))
    return FreeMotion(tuple(_pushes(track, found, proposals)), tuple(proposals[part.end - 1] for part in found[:-1]))


def _track(signals: ArmSignals, span: tuple[int, int], proposals: list[Proposal], force: Floats, fist: Bools) -> _Track:
    start, end = span
    rate, at = signals.grid.rate_hz, (start, *(proposal.sample for proposal in proposals), end)
    later = np.arange(len(at))[:, None]
    earlier = later - 1 - np.arange(min(WIDEST, len(at) - 1))[None, :]
    known = earlier >= 0
    earlier = np.maximum(earlier, 0)
    edges = np.asarray(at)

    def over(values: Floats | Bools) -> Floats:
        """Integral of ``values`` [N] over the seconds of each pair."""
        total = np.concatenate([[0.0], np.cumsum(values[start:end], dtype=np.float64)])[edges - start] / rate
        found: Floats = total[later] - total[earlier]
        return found

    duration = np.maximum((edges[later] - edges[earlier]) / rate, 1.0 / rate)
    path = np.zeros(duration.shape)
    if signals.speed is not None:
        path = over(np.where(signals.speed > signals.moving_above, signals.speed, 0.0))
    chord, low, onward = path, *np.zeros((2, *duration.shape), np.bool_)
    if signals.position is not None:
        places = signals.position[np.minimum(edges, signals.grid.n - 1)]
        step = places[later] - places[earlier]
        chord = np.linalg.norm(step, axis=2)
        came = places - signals.position[np.maximum(edges - signals.grid.samples(CAME_S), start)]
        along = np.sum(step * came[earlier], axis=2)
        onward = along > ONWARD * chord * np.maximum(np.linalg.norm(came, axis=1), LEAST_CAME_M)[earlier]
        near = places[:, 2] <= float(np.min(signals.position[start:end, 2])) + FLOOR_M
        low = near[later] & near[earlier]
    return _Track(
        signals=signals,
        at=at,
        weights=np.array([0.0, *(proposal.weight for proposal in proposals), 0.0]),
        known=known,
        duration_s=duration,
        still_s=over(signals.still),
        path_m=path,
        bend_m=np.maximum(path - chord, 0.0),
        chord_m=chord,
        peak=_peaks(force, at, known.shape[1]),
        blocked_s=over(force),
        fist=np.where(low, over(fist) / duration, 0.0),
        onward=onward,
    )


def _peaks(force: Floats, at: tuple[int, ...], width: int) -> Floats:
    """Largest ``force`` within each pair of candidates, float64 [K, W]."""
    steps = np.array([force[a:b].max(initial=0.0) for a, b in pairwise(at)])
    found = np.zeros((len(at), width))
    for w in range(width):
        found[w + 1 :, w] = steps[: len(steps) - w]
        if w:
            found[w + 1 :, w] = np.maximum(found[w + 1 :, w], found[w + 1 :, w - 1])
    return found


def _lattice(track: _Track, *, before_a_hold: bool) -> Lattice:
    """What every stretch costs in every state, and which may follow which."""
    costs = np.full((len(State), *track.known.shape), np.inf)
    costs[State.REST] = costs[State.PRESSED] = track.path_m / _CREEP_M
    strokes = track.bend_m / _BEND_M + _STILL_PER_S * track.still_s
    costs[State.REACH] = strokes + _BLOCKED_PER_S * track.blocked_s
    if track.signals.position is not None:
        costs[State.RETREAT] = np.where((track.chord_m >= LEAST_RETREAT_M) & ~track.onward, strokes, np.inf)
        struck = np.where(track.chord_m >= APPROACH_M + HAND_M, track.fist, 0.0)
        contact = np.maximum(_RESISTED_GAIN * track.peak, _FIST_GAIN * struck)
        free_s = np.maximum(track.duration_s * (1.0 - track.fist) - track.blocked_s, 0.0)
        push = track.bend_m / _BEND_OF_PUSH_M + _FREE_PUSH_PER_S * free_s
        costs[State.PUSH] = np.where(track.chord_m >= LEAST_PUSH_M, push + _PUSH_PRICE - contact, np.inf)
        costs[State.AGAIN] = np.where(track.chord_m >= LEAST_PUSH_M, push, np.inf)
    for state, (median_s, spread) in _DURATIONS.items():
        costs[state] += 0.5 * (np.log(track.duration_s / median_s) / spread) ** 2
    costs += LAMBDA * (1.0 - track.weights)[None, :, None]
    costs[:, ~track.known] = np.inf
    follows = np.full((len(State), len(State)), np.inf)
    for state, nexts in FOLLOWS.items():
        follows[state, list(nexts)] = 0.0
    first, last = np.zeros(len(State)), np.zeros(len(State))
    first[[State.PUSH, State.PRESSED, State.AGAIN, State.RETREAT]] = np.inf
    if before_a_hold:
        last[[State.PUSH, State.PRESSED, State.AGAIN, State.RETREAT]] = np.inf
    return Lattice(costs, follows, first, last)


def _pushes(track: _Track, found: list[Stretch], proposals: list[Proposal]) -> list[Push]:
    """One push from its first stroke to its retreat, pauses included.

    One that is never left counts only against resistance: a hand may end its work as a fist.
    """
    pushes: list[Push] = []
    first: int | None = None
    for k, part in enumerate(found):
        if part.state not in _IN_CONTACT:
            continue
        first = k if first is None else first
        following = found[k + 1].state if k + 1 < len(found) else None
        if following in _IN_CONTACT:
            continue
        until = track.at[-1]
        if following is not None:
            later = [other for other in found[k + 2 :] if other.state is not State.RETREAT]
            until = track.at[later[0].start] if later else track.at[-1]
        push = _push(track, found[first : k + 1], until, proposals)
        first = None
        if push.left is not None or push.detector == BLOCKED:
            pushes.append(push)
    return pushes


def _push(track: _Track, strokes: list[Stretch], until: int, proposals: list[Proposal]) -> Push:
    start, ended = track.at[strokes[0].start], track.at[strokes[-1].end]
    evidence = [(track.peak[part.end, part.end - 1 - part.start], track.fist[part.end, part.end - 1 - part.start])
                for part in strokes if part.state == State.PUSH]  # fmt: skip
    resisted, fist = (max(each) for each in zip(*evidence, strict=True))
    onset = proposals[strokes[0].start - 1] if strokes[0].start else None
    stepped = onset is not None and RESISTANCE in onset.detectors
    way = track.signals.position
    assert way is not None
    met = None if stepped else first_true(_from(way, start, ended) > APPROACH_M, 0, ended - start)
    stroke = way[min(ended, len(way) - 1)] - way[start]
    return Push(
        start=start + (met or 0),
        ended=ended,
        left=_left(track.signals, start, min(ended, until - 1), until),
        pulled=bool(stroke[0] < -PULL_SHARE * np.linalg.norm(stroke)),
        weight=float(max(resisted, fist)),
        detector=BLOCKED if resisted >= fist else "fist",
    )


def _left(signals: ArmSignals, start: int, ended: int, until: int) -> int | None:
    """B6 of a push: 3 cm from where it ended when the tool draws back, a hand's length more when it leaves across."""
    way, speed = signals.position, signals.speed
    assert way is not None
    assert speed is not None
    sets_out = [first_true(_from(way, ended, until) > far, 0, until - ended) for far in (HAND_M, LEAST_RETREAT_M)]
    before = next((sample for sample in sets_out if sample is not None), None)
    if before is None:
        return None
    ended += int(np.argmin(speed[ended : ended + before]))
    stroke, distance = way[ended] - way[start], _from(way, ended, until)
    gone = first_true(distance > LEAST_RETREAT_M, 0, until - ended)
    if gone is None:
        return None
    back = -float((way[ended + gone] - way[ended]) @ stroke) / (float(np.linalg.norm(stroke)) or 1.0)
    if back < BACK_SHARE * float(distance[gone]):
        gone = first_true(distance > LEAST_RETREAT_M + HAND_M, 0, until - ended)
    return None if gone is None else ended + gone


def _from(way: Floats, start: int, end: int) -> Floats:
    """Distance of each sample in ``[start, end)`` from the first, float64 [end - start]."""
    found: Floats = np.linalg.norm(way[start:end] - way[min(start, len(way) - 1)], axis=1)
    return found
