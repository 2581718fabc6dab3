"""Arms as evidence: the union of every arm's cuts, who acts in a span, and what to call it (events.md K7).

Directions follow the base frame every source reader converts to: x forward, y left, z up. A verb is only given when
the motion bears it out: a lift rises more than 1 cm, a move covers more than 3 cm, a hold less than 1 cm.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from annotators.kinematic.contact import contacts_of
from annotators.kinematic.empty_hand import is_fist, is_squeezed
from annotators.kinematic.hand_over import hand_overs, with_hand_overs
from annotators.kinematic.holds import holds_of
from annotators.kinematic.phases import ArmTimeline, PhaseSpan, arm_timeline
from annotators.kinematic.primitives import candidates
from annotators.kinematic.resistance import commanded_opening, resistance
from annotators.kinematic.signals import ArmSignals, arm_signals
from annotators.kinematic.strokes import free_motions
from annotators.tree.claim import Cut, make_cut, merged
from annotators.tree.evidence import HOLDING, Label, Phase
from schemas.array import Floats
from schemas.calibration import Calibration
from schemas.episode import ActionTrack, Arm
from schemas.event import Boundary, BoundaryKind, Motion, RecoveryKind, Verb
from schemas.recipe import SegmentSpec
from schemas.time import MIN_EVENT_FRAMES, NS_PER_S, FrameClock

VERB_OF: Mapping[Phase, Verb] = MappingProxyType(
    {
        Phase.REACH: Verb.REACH,
        Phase.MISS: Verb.GRASP,
        Phase.GRASP: Verb.GRASP,
        Phase.LIFT: Verb.LIFT,
        Phase.TRANSPORT: Verb.MOVE,
        Phase.PLACE: Verb.PLACE,
        Phase.RELEASE: Verb.RELEASE,
        Phase.DROP: Verb.RELEASE,
        Phase.RETREAT: Verb.RETREAT,
        Phase.PUSH: Verb.PUSH,
        Phase.PULL: Verb.PULL,
        Phase.TAKE: Verb.PICK_UP,
        Phase.BRING: Verb.MOVE,
        Phase.MOTION: Verb.MOVE,
        Phase.HAND_OVER: Verb.HAND_OVER,
        Phase.DRIVE: Verb.MOVE,
        Phase.UNSEEN: Verb.OTHER,
    }
)
_MOVE_M = 0.03
_HOLD_M = 0.01
_STILL_SHARE = 0.8
_AXIS_SHARE = 0.7
"""Share of a displacement along one axis from which on it is called a motion in that direction."""
_FINGER_TRAVEL = 0.2
_FINGERS_FIRST_M = 0.05
"""Up to this displacement a part in which the fingers move is named after them."""
_ROTATE_RAD = float(np.radians(25.0))
_DOMINANT_SHARE = 0.65
_APART_S = 1.0
"""Motion cuts at the action level, where nothing better is known."""
_DECIMALS = 4
"""Motion summaries are rounded to 0.1 mm: far below the noise, far above what platforms disagree about."""


@dataclass(frozen=True, eq=False)
class KinematicEvidence:
    """Every arm's timeline on one clock (`annotators.tree.evidence.Evidence`)."""

    clock: FrameClock
    timelines: tuple[ArmTimeline, ...]
    spec: SegmentSpec
    proposer: str = "kinematic"

    def cuts(self) -> list[Cut]:
        contacts = [cut for timeline in self.timelines for cut in timeline.cuts]
        if contacts:
            return merged(contacts, self.spec.merge_s)
        return merged([cut for timeline in self.timelines for cut in timeline.motions], _APART_S)

    def primitive_cuts(self) -> list[Cut]:
        found = []
        for timeline in self.timelines:
            grid, arm = timeline.signals.grid, timeline.signals.arm
            for candidate in candidates(timeline.signals):
                t_ns = grid.time_ns(candidate.sample)
                found.append(make_cut(t_ns, BoundaryKind.MOTION, candidate.detector, trust=candidate.strength, arm=arm))
        return sorted(found, key=lambda cut: (cut.t_ns, -cut.confidence, cut.detectors))

    def starts_goal(self, boundary: Boundary) -> bool:
        return boundary.kind is BoundaryKind.HARD_CUT

    def label(self, start: Boundary, end: Boundary) -> Label:
        timeline, arm = self._acting(start, end)
        span = _main_phase(timeline, start.t_ns, end.t_ns)
        motion = self.motion(timeline.signals.arm, start, end)
        verb = VERB_OF[span.phase]
        if span.phase is Phase.MOTION:
            verb = self._motion_verb(timeline.signals, motion, start, end, holding=False)
        elif motion is not None and motion.displacement_z_m is not None:
            if verb is Verb.LIFT and motion.displacement_z_m <= self.spec.lift_m:
                verb = Verb.MOVE
            if verb is Verb.MOVE and (motion.path_length_m or 0.0) <= _MOVE_M:
                verb = Verb.ADJUST
        slipped = end.kind is BoundaryKind.SLIP and end.arm in (None, timeline.signals.arm)
        return Label(verb, arm, span.phase, span.goal, RecoveryKind.SLIP if slipped else span.recovery)

    def segment_label(self, parent: Label, start: Boundary, end: Boundary) -> Label:
        timeline = self._of(parent.arm) or self._acting(start, end)[0]
        motion = self.motion(timeline.signals.arm, start, end)
        verb = self._motion_verb(timeline.signals, motion, start, end, holding=parent.phase in HOLDING)
        return Label(verb, parent.arm, parent.phase, parent.goal, parent.recovery)

    def unrest(self) -> tuple[Floats, str]:
        total = np.zeros(len(self.clock))
        for timeline in self.timelines:
            signals = timeline.signals
            if signals.speed is not None:
                times = (signals.grid.times_ns() - signals.grid.start_ns) / NS_PER_S
                at = (self.clock.times_ns - signals.grid.start_ns) / NS_PER_S
                total += np.interp(at, times, signals.speed) / signals.moving_above
        return total, "speed_minimum"

    def motion(self, arm: Arm | None, start: Boundary, end: Boundary) -> Motion | None:
        timeline = self._of(arm) or max(self.timelines, key=lambda line: _travel(line.signals, start, end))
        return motion_of(timeline.signals, start.t_ns, end.t_ns)

    def static_fraction(self, start: Boundary, end: Boundary) -> float:
        first, last = _samples(self.timelines[0].signals, start.t_ns, end.t_ns)
        still = np.all([timeline.signals.still[first:last] for timeline in self.timelines], axis=0)
        return round(float(np.mean(still)), _DECIMALS)

    def _of(self, arm: Arm | None) -> ArmTimeline | None:
        return next((line for line in self.timelines if line.signals.arm is arm), None)

    def _acting(self, start: Boundary, end: Boundary) -> tuple[ArmTimeline, Arm | None]:
        """The arm whose doing names the span, and whom to credit: the owner of its edges, else who moves most.

        Who hands over acts, though both rest. When both move alike, the owner of the end decides, then the only arm
        that grasps anything; else nobody.
        """
        if len(self.timelines) == 1:
            return self.timelines[0], self.timelines[0].signals.arm
        for line in self.timelines:
            if _main_phase(line, start.t_ns, end.t_ns).phase is Phase.HAND_OVER:
                return line, line.signals.arm
        owners = {edge.arm for edge in (start, end) if edge.arm is not None}
        if len(owners) == 1:
            owner = self._of(next(iter(owners)))
            if owner is not None:
                return owner, owner.signals.arm
        travels = [_travel(line.signals, start, end) for line in self.timelines]
        busiest = self.timelines[int(np.argmax(travels))]
        if max(travels) >= _DOMINANT_SHARE * sum(travels) and max(travels) > 0:
            return busiest, busiest.signals.arm
        ending = self._of(end.arm) if end.arm is not None else None
        grasping = [line for line in self.timelines if line.has_contacts]
        only = ending or (grasping[0] if len(grasping) == 1 else None)
        return (busiest, None) if only is None else (only, only.signals.arm)

    def _motion_verb(
        self, signals: ArmSignals, motion: Motion | None, start: Boundary, end: Boundary, *, holding: bool
    ) -> Verb:
        """The verb of a motion primitive, from its kinematics alone."""
        first, last = _samples(signals, start.t_ns, end.t_ns)
        opened = _opened(motion)
        if abs(opened) >= _FINGER_TRAVEL and _distance(motion) <= _FINGERS_FIRST_M:
            return Verb.OPEN if opened > 0 else Verb.CLOSE
        if float(np.mean(signals.still[first:last])) >= _STILL_SHARE:
            return Verb.HOLD_STILL
        if motion is None or motion.displacement_x_m is None:
            return Verb.MOVE
        turned = _turned(signals, first, last)
        return _translation_verb(motion, turned, holding=holding)


def _opened(motion: Motion | None) -> float:
    if motion is None or motion.opening_start is None or motion.opening_end is None:
        return 0.0
    return motion.opening_end - motion.opening_start


def _distance(motion: Motion | None) -> float:
    """Length of the displacement in metres; 0 when it is unknown."""
    if motion is None or motion.displacement_x_m is None:
        return 0.0
    moved = np.array([motion.displacement_x_m, motion.displacement_y_m, motion.displacement_z_m], np.float64)
    return float(np.linalg.norm(moved))


def _translation_verb(motion: Motion, turned_rad: float, *, holding: bool) -> Verb:
    moved = np.array([motion.displacement_x_m, motion.displacement_y_m, motion.displacement_z_m], np.float64)
    distance = _distance(motion)
    if distance <= _MOVE_M and (turned_rad >= _ROTATE_RAD or distance <= _HOLD_M):
        return Verb.ROTATE if turned_rad >= _ROTATE_RAD else Verb.ADJUST
    x, y, z = (moved / distance).tolist()
    if z <= -_AXIS_SHARE or (z >= _AXIS_SHARE and holding):
        return Verb.LOWER if z < 0 else Verb.LIFT
    if distance <= _MOVE_M:
        return Verb.ADJUST
    if abs(x) >= _AXIS_SHARE:
        return Verb.MOVE_FORWARD if x > 0 else Verb.MOVE_BACKWARD
    return Verb.MOVE_LATERALLY if abs(y) >= _AXIS_SHARE else Verb.MOVE


def frame_step_s(clock: FrameClock) -> float:
    """Median time between frames."""
    return float(np.median(np.diff([*clock.times_ns, clock.end_ns]))) / NS_PER_S


def kinematic_evidence(
    actions: ActionTrack,
    calibration: Calibration | None,
    clock: FrameClock,
    spec: SegmentSpec,
    seen: Callable[[], Sequence[Cut]] = tuple,
) -> KinematicEvidence | None:
    """What the arms say; None when no arm has a usable signal. ``actions`` are on the video clock.

    ``seen`` tells changes in the pictures: hints for arms that have no fingers to read, asked for only then.
    """
    shortest_s = MIN_EVENT_FRAMES * frame_step_s(clock)
    arms = arm_signals(actions, calibration, spec)
    hints = seen() if any(signals.opening is None for signals in arms) else ()
    alone, fists = [], {}
    for signals in arms:
        told = commanded_opening(actions, signals, calibration)
        holds = [hold for hold in holds_of(signals, spec, shortest_s) if not is_squeezed(signals, hold, told)]
        fists[signals.arm] = [hold for hold in holds if is_fist(signals, hold)]
        holding = [hold for hold in holds if hold not in fists[signals.arm]]
        alone.append((signals, contacts_of(signals, holding, spec)))
    timelines = []
    for signals, settled, given in hand_overs(alone, spec):
        pushed_back = resistance(actions, signals, spec.resistance_m)
        free = free_motions(signals, settled, fists[signals.arm], pushed_back, hints)
        timelines.append(with_hand_overs(arm_timeline(signals, settled, free), given))
    return KinematicEvidence(clock, tuple(timelines), spec) if timelines else None


def motion_of(signals: ArmSignals, start_ns: int, end_ns: int) -> Motion:
    """What one arm did in a span, rounded to `_DECIMALS`."""
    first, last = _samples(signals, start_ns, end_ns)
    x = y = z = path = opening_start = opening_end = peak = None
    if signals.position is not None:
        way = signals.position[first:last]
        x, y, z = (round(float(step), _DECIMALS) for step in way[-1] - way[0])
        path = round(float(np.sum(np.linalg.norm(np.diff(way, axis=0), axis=1))), _DECIMALS)
    if signals.opening is not None:
        opening_start = round(float(signals.opening[first]), _DECIMALS)
        opening_end = round(float(signals.opening[last - 1]), _DECIMALS)
    if signals.speed is not None:
        peak = round(float(signals.speed[first:last].max()), _DECIMALS)
    return Motion(x, y, z, path, opening_start, opening_end, peak)


def _samples(signals: ArmSignals, start_ns: int, end_ns: int) -> tuple[int, int]:
    """Half-open sample range of a span, never empty: outside the track it is the nearest sample."""
    first = signals.grid.index(start_ns)
    return first, max(first + 1, min(signals.grid.n, signals.grid.index(end_ns) + 1))


def _travel(signals: ArmSignals, start: Boundary, end: Boundary) -> float:
    """How far an arm travels in a span, in multiples of its noise threshold, rests left out."""
    if signals.speed is None:
        return 0.0
    first, last = _samples(signals, start.t_ns, end.t_ns)
    speed = signals.speed[first:last]
    return float(np.sum(np.where(signals.still[first:last], 0.0, speed))) / signals.grid.rate_hz


def _turned(signals: ArmSignals, first: int, last: int) -> float:
    """Angle between the orientations at both ends of a span, radians."""
    if signals.rotation is None:
        return 0.0
    cosine = (float(np.sum(signals.rotation[first] * signals.rotation[last - 1])) - 1.0) / 2.0
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _main_phase(timeline: ArmTimeline, start_ns: int, end_ns: int) -> PhaseSpan:
    """The phase that fills most of a span; the first and last phases extend beyond the track."""
    grid, starts = timeline.signals.grid, timeline.starts
    first, last = grid.index(start_ns), grid.index(end_ns)
    found = range(max(0, bisect_right(starts, first) - 1), max(1, bisect_right(starts, max(first, last - 1))))
    ends = (*starts[1:], grid.n)
    return timeline.phases[max(found, key=lambda i: (min(ends[i], last) - max(starts[i], first), -i))]
