"""What is wrong with how an arm moves: jumps in position, rotation and joints, stuck readings, idling, cut-off starts.

Nothing here compares with pictures, except that a reading which stands still to the last bit while the pictures move is
a reading nobody took.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.base_motion import base_motion
from pipeline.episode_finding import episode_finding
from pipeline.mask_runs import runs_of
from pipeline.motion import arm_speed, joint_speed, moves, recorded
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionTrack, ArmTrack, Episode, Protocol
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe_clean import CleanSpec
from schemas.time import NS_PER_S

_TURN = 1.5
"""Two rows from the top of a smooth turn a joint is 4 times as far away as one row from it, at a kink 2 times."""
_RATE_OR_FORCE = re.compile(r"vel|acc|effort|torque|force|current", re.IGNORECASE)
"""Columns that stand beside joints in some formats and may well leap: a contact is a peak of one row."""
_STUCK_FLOW = 0.002
"""Mean flow, in picture widths per frame, above which something in view moves."""
_IDLE_M_S, _IDLE_RANGES_S, _IDLE_OPENING_S, _IDLE_RAD_S = 0.01, 0.02, 0.05, 0.02
"""Below these speeds an arm, joints (in their own ranges) and a gripper rest."""
_IDLE_MARGIN_NS = NS_PER_S // 2
"""What is left of an idle stretch at each side: an event begins and ends at rest."""
_EDGE_S, _EDGE_SHARE = 0.25, 0.5
"""How long an edge is, and the share of its usual fast speed that an arm may have there even if that is fast."""


def check_motion(
    episode: Episode, actions: ActionTrack, good: Bools, strips: Mapping[str, Filmstrip], spec: CleanSpec
) -> Iterator[Finding]:
    """Findings about the measured motion; ``actions`` on the video clock with times that do not step back."""
    for arm in actions.state:
        yield from _check_jumps(episode, arm, actions.times_ns, good, spec)
        yield from _check_turns(episode, arm, actions.times_ns, good, spec)
    yield from _check_joints(episode, actions, good, spec)
    yield from _check_stuck(episode, actions, good, strips, spec)
    yield from _check_idle(episode, actions, spec)
    if episode.protocol is Protocol.STRUCTURED:
        yield from _check_edges(episode, actions, spec)


def _check_jumps(episode: Episode, arm: ArmTrack, times_ns: Ints, good: Bools, spec: CleanSpec) -> Iterator[Finding]:
    """Position steps no arm makes. Too many of them mean that the positions are not metres."""
    if arm.position is None or np.count_nonzero(good) < 2:
        return
    t, position = times_ns[good], arm.position[good].astype(np.float64)
    speed = np.sqrt(np.sum(np.square(np.diff(position, axis=0)), axis=1)) / _steps_s(t)
    advice = "; set position_scale_m, these are not metres"
    text = f"the {arm.arm.value} arm jumps {{count}} times, at most {{worst:.3g}} m/s"
    yield from _discontinuity(
        episode, t, speed, spec, check="kinematic_discontinuity", limit=spec.max_speed_m_s, text=text, advice=advice
    )


def _check_turns(episode: Episode, arm: ArmTrack, times_ns: Ints, good: Bools, spec: CleanSpec) -> Iterator[Finding]:
    """Rotation steps no wrist makes. Too many of them mean another rotation encoding than the one stated."""
    if arm.rotation is None or np.count_nonzero(good) < 2:
        return
    t, matrices = times_ns[good], matrix_of(arm.rotation[good])
    cosine = (np.einsum("tij,tij->t", matrices[1:], matrices[:-1]) - 1.0) / 2.0
    speed = np.arccos(np.clip(cosine, -1.0, 1.0)) / _steps_s(t)
    advice = "; check the rotation's encoding, wrists do not turn like this"
    text = f"the {arm.arm.value} wrist jumps {{count}} times, at most {{worst:.3g}} rad/s"
    yield from _discontinuity(
        episode, t, speed, spec, check="rotation_discontinuity", limit=spec.max_turn_rad_s, text=text, advice=advice
    )


def _discontinuity(
    episode: Episode, t: Ints, speed: Floats, spec: CleanSpec, *, check: str, limit: float, text: str, advice: str
) -> Iterator[Finding]:
    """The worst of the steps that are faster than ``limit``; too many of them and the episode goes."""
    jumps = speed > limit
    if not np.any(jumps):
        return
    worst, share = int(np.argmax(speed)), float(np.mean(jumps))
    dropped = share > spec.max_invalid_share
    said = text.format(count=int(np.count_nonzero(jumps)), worst=speed[worst])
    yield episode_finding(
        episode,
        check,
        Verdict.DROP if dropped else Verdict.KEEP,
        said + (advice if dropped else ""),
        value=float(speed[worst]),
        threshold=limit,
        span_ns=(int(t[worst]), int(t[worst + 1])),
    )


def _steps_s(t: Ints) -> Floats:
    """Seconds between rows. Two rows a moment apart are jitter of the clock: none is less than half the usual."""
    period_s: Floats = np.diff(t) / NS_PER_S
    shortest: Floats = np.maximum(period_s, np.median(period_s) / 2)
    return shortest


def _check_joints(episode: Episode, actions: ActionTrack, good: Bools, spec: CleanSpec) -> Iterator[Finding]:
    """Joints that leap away and back within a row, where there is no pose to judge by.

    A gripper that snaps shut crosses its range in a row too, but stays there.
    """
    if any(arm.position is not None for arm in actions.state):
        return
    rows, values, names = _moving_joints(actions, good)
    if not names:
        return
    leaps = _leaps(values)
    spikes = np.argwhere(leaps > spec.max_joint_leap)
    if not len(spikes):
        return
    row, column = (int(place) for place in spikes[0])
    share = len(np.unique(spikes[:, 0])) / len(rows)
    yield episode_finding(
        episode,
        "joint_spikes",
        Verdict.DROP if share > spec.max_invalid_share else Verdict.KEEP,
        f"{len(spikes)} readings of joints leap away and back within a row, the first of {names[column]}",
        value=float(leaps.max()),
        threshold=spec.max_joint_leap,
        span_ns=(int(actions.times_ns[rows[row]]), int(actions.times_ns[rows[row + 2]])),
    )


def _leaps(values: Floats) -> Floats:
    """How far each joint goes and comes back at rows 1 … T-2 of ``values`` [T, J], in its own ranges, [T-2, J].

    A turning point of a motion is no leap: two rows from it the joint is much farther away than one row from it, from
    a single bad reading it is equally far.
    """
    steps = np.diff(values, axis=0) / np.maximum(np.ptp(values, axis=0), 1e-9)
    returns = np.sign(steps[:-1]) != np.sign(steps[1:])
    leaps: Floats = np.minimum(np.abs(steps[:-1]), np.abs(steps[1:])) * returns
    one_away = np.abs(values[2:-2] - (values[1:-3] + values[3:-1]) / 2)
    two_away = np.abs(values[2:-2] - (values[:-4] + values[4:]) / 2)
    leaps[1:-1] *= two_away < _TURN * one_away
    return leaps


def _moving_joints(actions: ActionTrack, good: Bools) -> tuple[Ints, Floats, list[str]]:
    """Good rows, the values [rows, J] of the joints that move in them, and their names; no names when none does."""
    nothing = np.zeros(0, np.int64), np.zeros((0, 0)), list[str]()
    if actions.joint_state is None:
        return nothing
    joints = actions.joint_state.astype(np.float64).reshape(actions.n_rows, -1)
    is_place = np.array([not _RATE_OR_FORCE.search(name) for name in actions.joint_names])
    columns = np.flatnonzero(recorded(joints) & is_place)
    rows = np.flatnonzero(good & np.isfinite(joints[:, columns]).all(axis=1))
    if len(rows) < 5 or not len(columns):
        return nothing
    columns = columns[moves(joints[np.ix_(rows, columns)])]
    return rows, joints[np.ix_(rows, columns)], [actions.joint_names[column] for column in columns]


def _check_stuck(
    episode: Episode, actions: ActionTrack, good: Bools, strips: Mapping[str, Filmstrip], spec: CleanSpec
) -> Iterator[Finding]:
    """Readings that repeat to the last bit while the pictures move: the control stream stood still, not the robot."""
    numbers = _measured(actions)
    strip = strips.get(episode.master.name) if episode.cameras else None
    if numbers is None or strip is None or len(strip.luma) != episode.master.n_frames:
        return
    same = np.append(False, np.all(numbers[1:] == numbers[:-1], axis=1) & good[1:] & good[:-1])
    if not np.any(same) or np.all(same[1:]):
        return
    clock = episode.master.clock
    flow = np.mean(np.sqrt(np.sum(np.square(strip.flow, dtype=np.float64), axis=3)), axis=(1, 2))
    for first, stop in runs_of(same):
        start_ns, end_ns = int(actions.times_ns[first - 1]), int(actions.times_ns[stop - 1])
        frames = clock.frames_within(max(0, start_ns), max(0, min(end_ns, clock.end_ns)))
        seen = float(np.median(flow[slice(*frames)])) if frames[1] > frames[0] else 0.0
        if (end_ns - start_ns) / NS_PER_S >= spec.stuck_s and seen > _STUCK_FLOW:
            yield episode_finding(
                episode,
                "actions_stuck",
                Verdict.TRIM,
                f"every reading repeats for {(end_ns - start_ns) / NS_PER_S:.2f} s while the pictures move",
                value=(end_ns - start_ns) / NS_PER_S,
                threshold=spec.stuck_s,
                span_ns=(start_ns, end_ns),
            )


def _measured(actions: ActionTrack) -> Floats | None:
    """Every measured number side by side, [T, W]; None when there is none."""
    parts = [
        values.reshape(actions.n_rows, -1)
        for arm in actions.state
        for values in (arm.position, arm.rotation, arm.opening, arm.fingers)
        if values is not None
    ]
    if actions.joint_state is not None:
        joints = actions.joint_state.reshape(actions.n_rows, -1)
        parts.append(joints[:, recorded(joints)])
    return np.concatenate(parts, axis=1) if parts and sum(part.shape[1] for part in parts) else None


def _check_idle(episode: Episode, actions: ActionTrack, spec: CleanSpec) -> Iterator[Finding]:
    """Long stretches in which nothing measured moves; what is trimmed leaves a margin at both sides."""
    idle = _resting(actions)
    if idle is None or not episode.cameras:
        return
    for first, stop in runs_of(idle):
        start_ns, end_ns = int(actions.times_ns[first]), int(actions.times_ns[stop - 1])
        if (end_ns - start_ns) / NS_PER_S <= spec.max_idle_s:
            continue
        start_ns += _IDLE_MARGIN_NS if first > 0 else 0
        end_ns -= _IDLE_MARGIN_NS if stop < len(idle) else 0
        yield episode_finding(
            episode,
            "idle",
            Verdict.TRIM,
            f"nothing moves for {(end_ns - start_ns) / NS_PER_S:.1f} s",
            value=(end_ns - start_ns) / NS_PER_S,
            threshold=spec.max_idle_s,
            span_ns=(start_ns, end_ns),
        )


def _resting(actions: ActionTrack) -> Bools | None:
    """Rows in which arms, grippers and joints rest, bool [T]; None when neither arms nor joints are known."""
    speeds: list[tuple[Floats, float]] = []
    for arm in actions.state:
        speed = arm_speed(actions, arm)
        speeds += [] if speed is None else [(speed, _IDLE_M_S)]
        if arm.opening is not None:
            rate = np.abs(np.gradient(arm.opening.astype(np.float64), _seconds(actions.times_ns)))
            speeds.append((rate, _IDLE_OPENING_S))
    joints = joint_speed(actions, actions.joint_state)
    speeds += [] if joints is None else [(joints, _IDLE_RANGES_S)]
    if not any(limit != _IDLE_OPENING_S for _, limit in speeds):
        return None
    if (base := base_motion(actions)) is not None:  # a robot that drives with its arms still is not idle
        speeds += [(np.nan_to_num(base.speed), _IDLE_M_S), (np.nan_to_num(base.turning), _IDLE_RAD_S)]
    resting = np.ones(actions.n_rows, np.bool_)
    for speed, limit in speeds:
        resting &= np.nan_to_num(speed, nan=np.inf) < limit
    return resting


def _seconds(times_ns: Ints) -> Floats:
    """Strictly increasing seconds for a gradient; rows of one time are held apart by a nanosecond."""
    seconds: Floats = (np.maximum.accumulate(times_ns) + np.arange(len(times_ns))) / NS_PER_S
    return seconds


def _check_edges(episode: Episode, actions: ActionTrack, spec: CleanSpec) -> Iterator[Finding]:
    """A structured episode starts and ends at rest; one that does not was cut off, or reset while recording."""
    for arm in actions.state:
        speed = arm_speed(actions, arm)
        if speed is None or not np.any(np.isfinite(speed)):
            continue
        limit = max(spec.max_edge_speed_m_s, _EDGE_SHARE * float(np.nanpercentile(speed, 90)))
        since_start = actions.times_ns - actions.times_ns[0]
        until_end = actions.times_ns[-1] - actions.times_ns
        for check, distance, what in (
            ("truncated_start", since_start, "already moves when the episode starts ({:.2f} m/s); its beginning"),
            ("truncated_goal", until_end, "still moves when the episode ends ({:.2f} m/s); its goal"),
        ):
            edge = speed[(distance <= _EDGE_S * NS_PER_S) & np.isfinite(speed)]
            if len(edge) and float(np.median(edge)) > limit:
                message = f"the {arm.arm.value} arm {what.format(np.median(edge))} may be missing"
                yield episode_finding(
                    episode, check, Verdict.KEEP, message, value=float(np.median(edge)), threshold=round(limit, 6)
                )
