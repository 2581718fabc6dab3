"""What is wrong with an episode's actions: clock, coverage, invalid rows, grippers; `clean_motion` looks at motion.

All checks see the track on the video clock, after the offset is gone. A row counts as invalid when the source says
so or when a number of the measured arms is not finite; single ones are only marked (consumers read ``valid``), long
stretches are trimmed because an event there would have video and no control.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.clean_motion import check_motion
from pipeline.episode_finding import episode_finding
from pipeline.motion import moves, recorded, usable_rows
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionKind, ActionTrack, ArmTrack, Episode
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe_clean import CleanSpec
from schemas.time import NS_PER_S, FrameClock


def check_actions(
    episode: Episode, actions: ActionTrack | None, strips: Mapping[str, Filmstrip], spec: CleanSpec
) -> Iterator[Finding]:
    """Findings about an episode's actions, which are on the video clock; ``strips`` by camera name.

    Pseudo-actions pass: a hand out of sight is no fault of the recording, whose pictures stay what they are.
    """
    if actions is None or actions.n_rows == 0 or actions.kind is ActionKind.PSEUDO:
        return
    yield from _check_clock(episode, actions)
    good = good_rows(actions)
    yield from _check_validity(episode, good, spec)
    if np.all(np.diff(actions.times_ns) >= 0):
        yield from _check_coverage(episode, actions.times_ns[good], spec)
        yield from check_motion(episode, actions, good, strips, spec)
    for arm in _gripper_arms(actions):
        yield from _check_gripper(episode, arm, actions.times_ns, good, spec)


def good_rows(actions: ActionTrack) -> Bools:
    """Rows that are valid, later than all valid ones before and finite in every measured arm quantity, bool [T]."""
    good = usable_rows(actions)
    for arm in actions.state:
        for values in (arm.position, arm.rotation, arm.opening, arm.fingers):
            if values is not None:
                good = good & np.all(np.isfinite(values.reshape(actions.n_rows, -1)), axis=1)
    if not actions.state and actions.joint_state is not None:
        joints = actions.joint_state.reshape(actions.n_rows, -1)
        good = good & np.all(np.isfinite(joints[:, recorded(joints)]), axis=1)
    return good


def _check_clock(episode: Episode, actions: ActionTrack) -> Iterator[Finding]:
    """Action times must increase: spans find their rows by binary search."""
    step = np.diff(actions.times_ns)
    backward, repeated = int(np.count_nonzero(step < 0)), int(np.count_nonzero(step == 0))
    if backward:
        yield episode_finding(
            episode,
            "action_times_not_monotonic",
            Verdict.DROP,
            f"action times step back {backward} times, first after row {int(np.argmax(step < 0))}; repair the clock",
            value=backward,
            threshold=0.0,
        )
    if repeated:
        yield episode_finding(
            episode,
            "duplicated_action_times",
            Verdict.KEEP,
            f"{repeated} action rows repeat the time of the row before; the first row of each time is used",
            value=repeated,
            threshold=0.0,
        )


def _check_validity(episode: Episode, good: Bools, spec: CleanSpec) -> Iterator[Finding]:
    share = float(np.mean(~good))
    if share > 0.0:
        dropped = share > spec.max_invalid_share
        yield episode_finding(
            episode,
            "invalid_state",
            Verdict.DROP if dropped else Verdict.KEEP,
            f"{np.count_nonzero(~good)} of {len(good)} action rows are marked invalid, not finite or without own time",
            value=share,
            threshold=spec.max_invalid_share,
        )


def _check_coverage(episode: Episode, times_ns: Ints, spec: CleanSpec) -> Iterator[Finding]:
    """Video without actions, at the ends and in holes longer than ``max_action_gap_s``; ``times_ns`` of good rows."""
    if not episode.cameras or not episode.master.n_frames or len(times_ns) < 2:
        return
    clock = episode.master.clock
    start_ns, end_ns = clock.edge_ns(0), clock.edge_ns(len(clock))
    period = int(np.median(np.diff(times_ns)))
    tolerance = max(period, (end_ns - start_ns) // len(clock))
    mismatch = (int(times_ns[-1]) + period - int(times_ns[0]) - (end_ns - start_ns)) / NS_PER_S
    allowed_s = spec.max_mismatch_periods * tolerance / NS_PER_S
    if abs(mismatch) > allowed_s:
        yield episode_finding(
            episode,
            "duration_mismatch",
            Verdict.KEEP,
            f"actions last {abs(mismatch):.3f} s {'longer' if mismatch > 0 else 'shorter'} than the video",
            value=mismatch,
            threshold=round(allowed_s, 6),
        )
    if times_ns[0] >= end_ns or times_ns[-1] + period <= start_ns:
        yield episode_finding(
            episode,
            "no_common_time",
            Verdict.DROP,
            "actions and video do not overlap in time; check the source's clocks",
            value=(min(int(times_ns[-1]) + period, end_ns) - max(int(times_ns[0]), start_ns)) / NS_PER_S,
            threshold=0.0,
        )
        return
    yield from _uncovered_ends(episode, clock, int(times_ns[0]), int(times_ns[-1]) + period, tolerance)
    limit = max(spec.max_action_gap_s * NS_PER_S, 2.0 * period)
    for row in np.flatnonzero(np.diff(times_ns) > limit):
        hole = (clock.frame_at(int(times_ns[row]) + period - 1) + 1, clock.frame_at(int(times_ns[row + 1])))
        if hole[1] > hole[0]:
            yield episode_finding(
                episode,
                "action_gap",
                Verdict.TRIM,
                f"no valid actions for {(times_ns[row + 1] - times_ns[row]) / NS_PER_S:.2f} s",
                value=float(times_ns[row + 1] - times_ns[row]) / NS_PER_S,
                threshold=limit / NS_PER_S,
                span_ns=(clock.edge_ns(hole[0]), clock.edge_ns(hole[1])),
            )


def _uncovered_ends(
    episode: Episode, clock: FrameClock, first_ns: int, end_ns: int, tolerance: int
) -> Iterator[Finding]:
    """The frames before the first action and after the last one, when that is more than one frame or row."""
    before, after = first_ns - clock.edge_ns(0), clock.edge_ns(len(clock)) - end_ns
    frames = [(before, (0, clock.frame_at(first_ns))), (after, (clock.frame_at(end_ns - 1) + 1, len(clock)))]
    for missing, (start, stop) in frames:
        if missing > tolerance and stop > start:
            yield episode_finding(
                episode,
                "no_actions_at_end",
                Verdict.TRIM,
                f"the video {'starts before' if start == 0 else 'outlasts'} the actions by {missing / NS_PER_S:.3f} s",
                value=missing / NS_PER_S,
                threshold=tolerance / NS_PER_S,
                span_ns=(clock.edge_ns(start), clock.edge_ns(stop)),
            )


def _gripper_arms(actions: ActionTrack) -> list[ArmTrack]:
    """Each arm's measured gripper, or its command where none is measured."""
    measured = [arm for arm in actions.state if arm.opening is not None or arm.fingers is not None]
    names = {arm.arm for arm in measured}
    return measured + [arm for arm in actions.target if arm.arm not in names]


def _check_gripper(episode: Episode, arm: ArmTrack, times_ns: Ints, good: Bools, spec: CleanSpec) -> Iterator[Finding]:
    if arm.opening is not None:
        opening = arm.opening[good & np.isfinite(arm.opening)].astype(np.float64)
        yield from _check_opening(episode, arm, opening, times_ns, spec)
    elif arm.fingers is not None and np.any(good):
        fingers = arm.fingers.reshape(len(good), arm.n_fingers)[good]
        if not np.any(moves(fingers)):
            yield _constant(episode, arm, "fingers", 0.0, 1.0)  # so many joints move, of the one that must


def _check_opening(
    episode: Episode, arm: ArmTrack, opening: Floats, times_ns: Ints, spec: CleanSpec
) -> Iterator[Finding]:
    if len(opening) < 2:
        return
    spread = float(np.ptp(opening))
    if spread < spec.min_gripper_travel:
        yield _constant(episode, arm, "opening", spread, spec.min_gripper_travel)
    outside = float(np.max(np.maximum(-opening, opening - 1.0)))
    if outside > spec.max_gripper_overshoot:
        yield episode_finding(
            episode,
            "gripper_out_of_range",
            Verdict.KEEP,
            f"the {arm.arm.value} gripper leaves 0 … 1 by {outside:.3g}; set `closed` and `open` of its column",
            value=outside,
            threshold=spec.max_gripper_overshoot,
        )
    duration_s = max(float(times_ns[-1] - times_ns[0]) / NS_PER_S, 1.0)
    flips = int(np.count_nonzero(np.abs(np.diff(opening)) > 0.5 * spread)) if spread >= spec.min_gripper_travel else 0
    if flips / duration_s > spec.max_gripper_jumps_s:
        yield episode_finding(
            episode,
            "gripper_chatter",
            Verdict.KEEP,
            f"the {arm.arm.value} gripper jumps over half its range {flips} times in {duration_s:.1f} s: corrupted",
            value=flips / duration_s,
            threshold=spec.max_gripper_jumps_s,
        )


def _constant(episode: Episode, arm: ArmTrack, signal: str, value: float, threshold: float) -> Finding:
    return episode_finding(
        episode,
        "constant_gripper",
        Verdict.KEEP,
        f"the {arm.arm.value} gripper's {signal} never moves; it says nothing about grasps in this episode",
        value=value,
        threshold=threshold,
    )
