"""Where the robots of a group start and where they leave off: what a failed reset is measured against.

A structured task begins at a home pose. Groups have one, or one per scene, or none (hand-held grippers, randomised
starts), so homes are found, not assumed: the start with most others nearby is a home, its centre is their median and
its limit follows their spread (median distance); what it covers is set aside, and the next one is looked for. Where the
homes together leave too many starts uncovered the group has no home pose and nothing can be said.

Episode ids are hashes, so the first ones by id are a fair sample, and one that a new recording rarely enters: it bounds
memory and keeps the result, which is part of later work keys, the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pipeline.clean_actions import good_rows
from pipeline.motion import moves, recorded
from schemas.array import Bools, Floats
from schemas.calibration import HomePose
from schemas.episode import ActionKind, ActionTrack, Episode, Protocol
from schemas.recipe import CalibrateSpec
from schemas.time import NS_PER_S

JOINTS = "joints"
SAMPLE = 256
"""Episodes that are looked at; 256 starts place a median within a fifteenth of their spread."""
_EDGE_S = 0.25
"""How much of an episode counts as its start and as its end: long enough for a median, too short to get anywhere."""
_HOME_SHARE, _HOME_EPISODES = 0.1, 3
"""A home is where so large a share of the starts lies, and so many of them."""
_UNCOVERED_SHARE = 0.1
"""When more starts than that lie outside all homes, the group starts anywhere."""
_SPREADS = 4.0
"""A home reaches that many median distances: 6 σ in three dimensions, 2 in 10^8 by chance."""
_STEPS = 5.0
"""Homes are told in fifths of the smallest limit, so that one more episode rarely changes them."""
_USED_SHARE, _USED_BESIDE = 0.2, 0.05
"""A joint that usually moves over less of its own range, or of the busiest joint's, hangs where the day left it."""
_SAME_COLUMN = 0.999
"""Two columns that correlate like this are one quantity in two units."""


@dataclass(frozen=True, eq=False)
class EdgePose:
    """Where one signal of an episode starts and ends, and how far it goes; all float64 [D]."""

    signal: str
    """``left`` or ``right``: the tool's position in metres; ``joints``: in the source's units."""
    start: Floats
    end: Floats
    low: Floats
    high: Floats
    used: Bools
    """Joints that move in this episode."""


@dataclass
class EdgeSample:
    """The edge poses of a group's first episodes by id."""

    poses: dict[tuple[str, int], list[EdgePose]] = field(default_factory=dict)

    def add(self, poses: list[EdgePose]) -> None:
        """Remember an episode's; episodes must come in order of their ids."""
        for pose in poses:
            known = self.poses.setdefault((pose.signal, len(pose.start)), [])
            if len(known) < SAMPLE:
                known.append(pose)


def edge_poses(episode: Episode, actions: ActionTrack) -> list[EdgePose]:
    """Where an episode's measured arms start and end, or its joints where no arm has a pose; none if unstructured."""
    if episode.protocol is not Protocol.STRUCTURED or actions.kind is not ActionKind.MEASURED:
        return []
    good = good_rows(actions)
    rows = np.flatnonzero(good)
    if len(rows) < 2:
        return []
    times_s = actions.times_ns[rows] / NS_PER_S
    at_start, at_end = times_s <= times_s[0] + _EDGE_S, times_s >= times_s[-1] - _EDGE_S
    signals = [(arm.arm.value, arm.position) for arm in actions.state if arm.position is not None]
    if not signals and (joints := _arm_joints(actions, good)) is not None:
        signals = [(JOINTS, joints)]
    found = []
    for signal, whole in signals:
        values = whole[rows].astype(np.float64)
        used = moves(values) if signal == JOINTS else np.ones(values.shape[1], np.bool_)
        low, high = np.percentile(values, (1.0, 99.0), axis=0)
        start, end = np.median(values[at_start], axis=0), np.median(values[at_end], axis=0)
        found.append(EdgePose(signal, start, end, low, high, used))
    return found


def _arm_joints(actions: ActionTrack, good: Bools) -> Floats | None:
    """Measured joints without grippers and fingers, [T, J], NaN where nothing was recorded; None when there are none.

    A hand may start open or half closed; that says nothing about where its arm was driven.
    """
    if actions.joint_state is None:
        return None
    joints = actions.joint_state.reshape(actions.n_rows, -1).copy()
    hands = [arm.fingers.reshape(actions.n_rows, -1) for arm in actions.state if arm.fingers is not None]
    hands += [arm.opening.reshape(-1, 1) for arm in actions.state if arm.opening is not None]
    if hands:
        columns = np.concatenate(hands, axis=1)[good].astype(np.float64)
        is_hand = [any(_same(joint, hand) for hand in columns.T) for joint in joints[good].T.astype(np.float64)]
        joints[:, np.array(is_hand)] = np.nan
    known = recorded(joints)
    return np.where(known, joints, 0.0) if np.any(known) else None


def _same(one: Floats, other: Floats) -> bool:
    """Whether two columns say the same in whatever units."""
    if np.array_equal(one, other):
        return True
    a, b = one - np.mean(one), other - np.mean(other)
    size = math.sqrt(float(np.sum(a * a)) * float(np.sum(b * b)))
    return size > 0.0 and abs(float(np.sum(a * b))) > _SAME_COLUMN * size


def home_poses(sample: EdgeSample, spec: CalibrateSpec) -> tuple[tuple[HomePose, ...], list[str]]:
    """The homes and usual end poses of a group, and why a signal has none."""
    homes: list[HomePose] = []
    reasons = []
    for (signal, _), poses in sorted(sample.poses.items()):
        is_joints = signal == JOINTS
        what = "joints" if is_joints else f"{signal} arm"
        if len(poses) < spec.min_reset_episodes:
            reasons.append(f"fewer than {spec.min_reset_episodes} episodes say where its {what} should start")
            continue
        radius = spec.reset_distance_ranges if is_joints else spec.reset_distance_m
        weights = _weights(poses) if is_joints else np.ones(len(poses[0].start))
        starts, covered = _homes(np.stack([pose.start for pose in poses]) * weights, radius)
        if not covered:
            reasons.append(f"its {what} {'start' if is_joints else 'starts'} anywhere")
            continue
        ends, _ = _homes(np.stack([pose.end for pose in poses]) * weights, radius)
        single = weights.astype(np.float32)
        for at_end, places in ((False, starts), (True, ends)):
            homes += [HomePose(signal, at_end, centre.astype(np.float32), single, limit) for centre, limit in places]
    return tuple(homes), reasons


def _weights(poses: list[EdgePose]) -> Floats:
    """One over each joint's range in the group, two digits; 0 for joints that hang where the day left them."""
    low, high = np.stack([pose.low for pose in poses]), np.stack([pose.high for pose in poses])
    reach = np.percentile(high, 90.0, axis=0) - np.percentile(low, 10.0, axis=0)
    used = np.median(np.where(np.stack([pose.used for pose in poses]), high - low, 0.0), axis=0)
    counts = (reach > 0.0) & (used >= np.maximum(_USED_SHARE * reach, _USED_BESIDE * np.max(used)))
    return np.array([float(f"{1.0 / r:.2g}") if c else 0.0 for r, c in zip(reach, counts, strict=True)])


def _homes(points: Floats, radius: float) -> tuple[list[tuple[Floats, float]], bool]:
    """Centre and limit of each home of ``points`` [N, D], and whether they cover nearly all of them."""
    apart = np.max(np.abs(points[:, None] - points[None]), axis=2)
    left = np.ones(len(points), np.bool_)
    needed = max(_HOME_EPISODES, math.ceil(_HOME_SHARE * len(points)))
    homes = []
    while True:
        neighbours = np.count_nonzero((apart <= radius) & left & left[:, None], axis=1)
        best = int(np.argmax(neighbours))
        if neighbours[best] < needed:
            break
        centre, limit = _settled(points, left, left & (apart[best] <= radius), radius)
        left &= distance(points, centre) > limit
        left[best] = False  # a median may lie apart from all points; every round must take one away
        homes.append((centre, limit))
    homes.sort(key=lambda home: home[0].tolist())
    return homes, bool(homes) and float(np.mean(left)) <= _UNCOVERED_SHARE


def _settled(points: Floats, left: Bools, members: Bools, radius: float) -> tuple[Floats, float]:
    """Rounded centre and limit of a home that has taken in all starts its own spread reaches."""
    step = radius / _STEPS
    for _ in range(len(points)):
        centre = np.median(points[members], axis=0)
        limit = max(radius, _SPREADS * float(np.median(distance(points[members], centre))))
        reached = members | (left & (distance(points, centre) <= limit))
        if np.array_equal(reached, members):
            break
        members = reached
    return np.round(np.round(centre / step) * step, 9), round(math.ceil(limit / step - 1e-6) * step, 9)


def distance(points: Floats, centre: Floats) -> Floats:
    """How far points [N, D] lie from a centre [D] in the coordinate that differs most."""
    furthest: Floats = np.max(np.abs(points - centre), axis=1)
    return furthest
