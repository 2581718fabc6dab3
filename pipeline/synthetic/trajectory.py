"""One made-up manipulation episode: what the sensors say, what really was, and every boundary exactly.

    trajectory = make_trajectory(7, {Arm.RIGHT: (Variant.PLAIN, Variant.SLIP)}, rate_hz=20)
    trajectory.boundaries            # typed truth, ns
    as_action_track(trajectory, "ep-…")   # the record the segment stage reads

The same arguments give the same episode to the bit. Arms work in regions of their own and may overlap in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.contact import HandHistory, live_through
from pipeline.synthetic.script import FINE_HZ, ArmScript, Choreographer, Variant, hand_path, opening_request, perform
from pipeline.synthetic.truth import Phase, TrueBoundary, TruePhase, boundaries_of, phases_of
from pipeline.synthetic.world import Item, Point, Region, Support, furnish, support_height
from schemas.array import Floats, Ints
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.time import NS_PER_S

__all__ = [
    "ArmMotion", "Noise", "Phase", "Reading", "Trajectory", "TrueBoundary", "TruePhase", "Variant", "as_action_track",
    "make_trajectory",
]  # fmt: skip

TARGET_LEAD_S = 0.1
"""How far a commanded position runs ahead of the measured one."""
REBOUND = 0.025
"""Height of the swing fingers make when they hit something, as a fraction of the opening."""
_ALONE = Region((0.34, 0.60), (-0.22, 0.22))
REGIONS = {Arm.LEFT: Region((0.32, 0.60), (0.07, 0.30)), Arm.RIGHT: Region((0.32, 0.60), (-0.30, -0.07))}
HOMES: dict[Arm, Point] = {Arm.LEFT: (0.30, 0.18, 0.26), Arm.RIGHT: (0.30, -0.18, 0.26)}
_HOME_ALONE: Point = (0.30, 0.0, 0.26)


@dataclass(frozen=True)
class Noise:
    """Standard deviations of white sensor noise, and of the slow tremor of a hand-held device."""

    position_m: float = 0.001
    rotation_rad: float = 0.004
    opening: float = 0.005
    tremor_m: float = 0.0


@dataclass(frozen=True, eq=False)
class Reading:
    """Poses and openings, one row per recorded frame."""

    position: Floats
    """float64 [T, 3], metres, robot base frame."""
    rotation: Floats
    """float64 [T, 3, 3], base from tool; the tool's z axis points out of the gripper, down at the table."""
    opening: Floats
    """float64 [T], 0 closed … 1 open."""


@dataclass(frozen=True, eq=False)
class ArmMotion:
    """One arm: as it was, as measured, as commanded."""

    arm: Arm
    true: Reading
    state: Reading
    target: Reading
    held: Ints
    """int64 [T] index of what is in the hand among the items of this arm, -1 for nothing."""


@dataclass(frozen=True, eq=False)
class ItemMotion:
    """Where an item was: centre float64 [T, 3] and yaw [T]."""

    item: Item
    position: Floats
    yaw: Floats
    arm: Arm
    """In whose region it is."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One episode; frame i is at ``times_ns[i]``, and everything in row i is of that instant."""

    rate_hz: int
    times_ns: Ints
    arms: tuple[ArmMotion, ...]
    items: tuple[ItemMotion, ...]
    supports: tuple[Support, ...]
    boundaries: tuple[TrueBoundary, ...]
    phases: tuple[TruePhase, ...]
    instruction: str
    success: bool

    @property
    def n_frames(self) -> int:
        return len(self.times_ns)

    @property
    def end_ns(self) -> int:
        """When the last frame ends."""
        return frame_time_ns(self.n_frames, self.rate_hz)

    def cuts_ns(self, arm: Arm) -> list[int]:
        """Inner edges of one arm's phases: the untyped truth, pushes included."""
        return [phase.start_ns for phase in self.phases if phase.arm is arm and phase.start_ns > 0]


def frame_time_ns(frame: int, rate_hz: int) -> int:
    """When a frame starts, to the nearest nanosecond."""
    return round(frame * NS_PER_S / rate_hz)


def make_trajectory(
    seed: int | Sequence[int],
    tasks: Mapping[Arm, Sequence[Variant]],
    *,
    rate_hz: int = 30,
    noise: Noise | None = None,
    pace: float = 1.0,
    stagger_s: float = 0.6,
    idle_s: tuple[float, float] = (0.0, 0.2),
) -> Trajectory:
    """Simulate an episode.

    ``tasks`` says per arm which tasks it does and how each goes; with two arms the second sets out ``stagger_s``
    after the first, in a region of its own. ``rate_hz`` must divide `FINE_HZ`; ``idle_s`` bounds the rest between
    an arm's tasks. Raises ValueError for no tasks or a rate that does not divide `FINE_HZ`.
    """
    if not tasks or not all(tasks.values()):
        raise ValueError("tasks: every arm that takes part needs at least one task")
    if FINE_HZ % rate_hz:
        raise ValueError(f"rate_hz: found {rate_hz}, expected a divisor of {FINE_HZ}")
    noise = Noise() if noise is None else noise
    rng = np.random.default_rng(seed)
    plans = [
        _plan(
            rng,
            arm,
            tuple(tasks[arm]),
            alone=len(tasks) == 1,
            start_s=0.1 + order * stagger_s,
            pace=pace,
            idle_s=idle_s,
        )
        for order, arm in enumerate(sorted(tasks))
    ]
    n_frames = frames_of(plans, rate_hz)
    n_samples = n_frames * (FINE_HZ // rate_hz)
    hands = [live_through(plan.script, plan.items, plan.supports, n_samples) for plan in plans]
    words = " and ".join(words for plan in plans for words in _words(plan, both=len(plans) > 1))
    reached = [reached for plan, hand in zip(plans, hands, strict=True) for reached in _goals_reached(plan, hand)]
    return recorded(rng, plans, hands, rate_hz=rate_hz, noise=noise, instruction=words, success=all(reached))


@dataclass(frozen=True, eq=False)
class Plan:
    """What one arm is to do, and with what."""

    arm: Arm
    variants: tuple[Variant, ...]
    items: tuple[Item, ...]
    supports: tuple[Support, ...]
    script: ArmScript


def frames_of(plans: Sequence[Plan], rate_hz: int) -> int:
    """How many frames the longest script takes."""
    return int(np.floor(max(plan.script.end_s for plan in plans) * rate_hz))


def recorded(
    rng: np.random.Generator,
    plans: Sequence[Plan],
    hands: Sequence[HandHistory],
    *,
    rate_hz: int,
    noise: Noise,
    instruction: str,
    success: bool,
) -> Trajectory:
    """The episode that ``hands``, one per plan, have lived through: truth, and what sensors say of it."""
    n_frames = frames_of(plans, rate_hz)
    rows = np.arange(n_frames) * (FINE_HZ // rate_hz)
    arms, items, boundaries, phases = [], [], list[TrueBoundary](), list[TruePhase]()
    for plan, hand in zip(plans, hands, strict=True):
        found = boundaries_of(hand, plan.items, plan.arm)
        boundaries += found
        phases += phases_of(hand, plan.script, found, plan.arm)
        arms.append(_record(rng, plan, hand, rows, noise))
        items += [
            ItemMotion(item, hand.item_position[i][rows], hand.item_yaw[i][rows], plan.arm)
            for i, item in enumerate(plan.items)
        ]
    return Trajectory(
        rate_hz=rate_hz,
        times_ns=np.array([frame_time_ns(frame, rate_hz) for frame in range(n_frames)], np.int64),
        arms=tuple(arms),
        items=tuple(items),
        supports=tuple(dict.fromkeys(support for plan in plans for support in plan.supports)),
        boundaries=tuple(sorted(boundaries)),
        phases=tuple(sorted(phases)),
        instruction=instruction,
        success=success,
    )


def _plan(
    rng: np.random.Generator,
    arm: Arm,
    variants: tuple[Variant, ...],
    *,
    alone: bool,
    start_s: float,
    pace: float,
    idle_s: tuple[float, float],
) -> Plan:
    """Furnish an arm's region and write its script."""
    items, supports = furnish(rng, _ALONE if alone else REGIONS[arm], len(variants))
    for task, variant in enumerate(variants):
        if variant is Variant.PUSH:  # a thing that is slid must not meet an edge
            goal = supports[task]
            supports[task] = Support("mat", goal.colour, goal.centre, goal.half_m, 0.0)
    hand = Choreographer(rng, _HOME_ALONE if alone else HOMES[arm], start_s, pace)
    for item, goal, variant in zip(items, supports, variants, strict=True):
        perform(hand, item, goal, variant)
        hand.wait(*idle_s)
    return Plan(arm, variants, tuple(items), tuple(supports), hand.script())


def _words(plan: Plan, *, both: bool) -> list[str]:
    suffix = f" with the {plan.arm} arm" if both else ""
    tasks = zip(plan.items, plan.supports, plan.variants, strict=True)
    return [
        (f"push the {item.label} towards the {goal.label}" if variant is Variant.PUSH
         else f"put the {item.label} on the {goal.label}") + suffix
        for item, goal, variant in tasks
    ]  # fmt: skip


def _goals_reached(plan: Plan, hand: HandHistory) -> list[bool]:
    """Per task whether the item ended on its support (a pushed one: nearer to it by 5 cm)."""
    reached = []
    for index, (item, goal, variant) in enumerate(zip(plan.items, plan.supports, plan.variants, strict=True)):
        x, y, _ = hand.item_position[index, -1]
        if variant is Variant.PUSH:
            centre = np.asarray(goal.centre)
            before = np.linalg.norm(centre - np.asarray(item.start[:2]))
            reached.append(bool(before - np.linalg.norm(centre - (x, y)) > 0.05))
        else:
            reached.append(goal.height_m > 0 and support_height((goal,), x, y) == goal.height_m)
    return reached


def _record(rng: np.random.Generator, plan: Plan, hand: HandHistory, rows: Ints, noise: Noise) -> ArmMotion:
    """What is true, measured and commanded at the recorded rows."""
    n = len(rows)
    opening = (hand.opening + _rebound(hand.opening))[rows]
    true = Reading(hand.position[rows], tool_down(hand.yaw[rows], np.zeros(n)), hand.opening[rows])
    tremor = noise.tremor_m * _slow(rng, n)
    state = Reading(
        true.position + tremor + rng.normal(0.0, noise.position_m, (n, 3)),
        tool_down(hand.yaw[rows] + rng.normal(0.0, noise.rotation_rad, n), rng.normal(0.0, noise.rotation_rad, n)),
        np.clip(opening + rng.normal(0.0, noise.opening, n), 0.0, 1.0),
    )
    ahead_s = rows / FINE_HZ + TARGET_LEAD_S
    position, yaw = hand_path(plan.script, ahead_s)
    target = Reading(position, tool_down(yaw, np.zeros(n)), opening_request(plan.script, rows / FINE_HZ))
    return ArmMotion(plan.arm, true, state, target, hand.held[rows])


def _rebound(opening: Floats) -> Floats:
    """The damped swing of fingers that were stopped: 7 Hz, gone after 0.2 s, started by every abrupt stop."""
    speed = np.diff(opening, prepend=opening[0]) * FINE_HZ
    stop = np.diff(speed, prepend=speed[0])
    kicks = np.where(np.abs(stop) > 0.2, -stop, 0.0)
    tau = np.arange(int(0.25 * FINE_HZ)) / FINE_HZ
    swing = np.exp(-tau / 0.06) * np.sin(2 * np.pi * 7.0 * tau)
    out: Floats = -REBOUND * np.convolve(kicks, swing)[: len(opening)]
    return out


def _slow(rng: np.random.Generator, n: int) -> Floats:
    """Unit-variance noise [n, 3] smoothed over 9 rows: a hand's tremor as a recording at 20–30 Hz shows it."""
    kernel = np.hanning(11)[1:-1]
    kernel /= np.sqrt(np.sum(kernel**2))
    white = rng.normal(size=(n + 8, 3))
    return np.stack([np.convolve(white[:, axis], kernel, mode="valid") for axis in range(3)], axis=1)


def tool_down(yaw: Floats, tilt: Floats) -> Floats:
    """Base-from-tool rotations [T, 3, 3]: z down, turned by ``yaw``, the pad-to-pad axis x dipped by ``tilt``."""
    c, s, ct, st = np.cos(yaw), np.sin(yaw), np.cos(tilt), np.sin(tilt)
    x = np.stack([c * ct, s * ct, -st], axis=-1)
    y = np.stack([s, -c, np.zeros_like(c)], axis=-1)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def as_action_track(trajectory: Trajectory, episode_id: str) -> ActionTrack:
    """The episode's measured state and targets as the record readers produce."""
    return ActionTrack(
        episode_id=episode_id,
        kind=ActionKind.MEASURED,
        provenance="pipeline.synthetic.trajectory",
        times_ns=trajectory.times_ns,
        valid=np.ones(trajectory.n_frames, np.bool_),
        state=tuple(_arm_track(motion.arm, motion.state) for motion in trajectory.arms),
        target=tuple(_arm_track(motion.arm, motion.target) for motion in trajectory.arms),
        joint_names=(),
        joint_state=None,
        joint_target=None,
    )


def _arm_track(arm: Arm, reading: Reading) -> ArmTrack:
    return ArmTrack(
        arm=arm,
        position=reading.position.astype(np.float32),
        rotation=reading.rotation[:, :2].reshape(-1, 6).astype(np.float32),
        opening=reading.opening.astype(np.float32),
        fingers=None,
        n_fingers=0,
    )
