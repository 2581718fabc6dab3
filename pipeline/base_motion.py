"""How a mobile robot's base moves, out of the native columns of a track: no record of its own is needed.

Tool poses are relative to the base (`ActionTrack.frame` ``base``), so travel does not show in them; it shows only in
columns that readers keep under their source's names (AgiBot's ``base_x``, Mobile ALOHA's ``base.linear.vel``, LeKiwi's
``x.vel``). This is the one place that knows those names. What was measured comes before what was commanded, velocities
before positions that would have to be differentiated.
"""

import re
from dataclasses import dataclass

import numpy as np

from pipeline.motion import local_velocity, usable_rows
from schemas.array import Bools, Floats
from schemas.episode import ActionTrack

_BASE = re.compile(r"(?:^|[._])base(?:[._]|$)")
_LEKIWI = {"x.vel": 1.0, "y.vel": 1.0, "theta.vel": float(np.pi / 180)}
"""Factors to m/s and rad/s: LeKiwi turns in degrees."""
_VELOCITY = re.compile(r"vel(?:ocity)?|rate|twist|speed")
_TURN = re.compile(r"ang(?:ular)?|yaw|theta|rot|wz|omega")
_PLACE = re.compile(r"(?:^|[._])[xyz]$")
_HEADING = re.compile(r"(?:^|[._])(?:yaw|theta)$")
_QUATERNION = re.compile(r"(?:^|[._])q([xyzw])$")


@dataclass(frozen=True, eq=False)
class BaseMotion:
    """Speeds of a base, row by row, NaN where unknown."""

    speed: Floats
    """float64 [T] m/s, not negative."""
    turning: Floats
    """float64 [T] rad/s, not negative."""


def base_columns(names: tuple[str, ...]) -> Bools:
    """Which native columns tell of the base and of no joint, bool [J]; a joint called ``base`` is a joint."""
    return np.array([_lekiwi(name) is not None or _tells_base(name.lower()) for name in names], np.bool_)


def _tells_base(name: str) -> bool:
    quantities = (_VELOCITY, _PLACE, _HEADING, _QUATERNION)
    return bool(_BASE.search(name)) and any(quantity.search(name) for quantity in quantities)


def base_motion(track: ActionTrack) -> BaseMotion | None:
    """How fast the base moves; None when the track does not tell."""
    there = np.flatnonzero(base_columns(track.joint_names))
    for values in (track.joint_state, track.joint_target):
        if values is None or not len(there):
            continue
        columns = values.astype(np.float64).reshape(track.n_rows, -1)
        told: dict[str, Floats] = {
            track.joint_names[i]: columns[:, i] for i in there if np.any(np.isfinite(columns[:, i]))
        }
        motion = _from_velocities(told) or _from_poses(track, told)
        if motion is not None:
            return motion
    return None


def _lekiwi(name: str) -> float | None:
    return next((factor for end, factor in _LEKIWI.items() if name == end or name.endswith(f".{end}")), None)


def _from_velocities(told: dict[str, Floats]) -> BaseMotion | None:
    along, turning = list[Floats](), list[Floats]()
    for name, values in told.items():
        if not _VELOCITY.search(name.lower()):
            continue
        (turning if _TURN.search(name.lower()) else along).append(values * (_lekiwi(name) or 1.0))
    return _speeds(along, turning)


def _from_poses(track: ActionTrack, told: dict[str, Floats]) -> BaseMotion | None:
    usable = usable_rows(track)

    def rate(values: Floats) -> Floats:
        return local_velocity(track.times_ns, values[:, None], usable)[:, 0]

    places = [rate(values) for name, values in told.items() if _PLACE.search(name.lower())]
    headings = [np.unwrap(values) for name, values in told.items() if _HEADING.search(name.lower())]
    parts = {found[1]: values for name, values in told.items() if (found := _QUATERNION.search(name.lower()))}
    if len(parts) == 4:
        x, y, z, w = (parts[axis] for axis in "xyzw")
        headings.append(np.unwrap(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))))
    return _speeds(places, [rate(values) for values in headings])


def _speeds(along: list[Floats], turning: list[Floats]) -> BaseMotion | None:
    parts = [*along, *turning]
    if not parts:
        return None
    nothing = np.zeros_like(parts[0])
    speed = np.sqrt(np.sum(np.square(along), axis=0)) if along else nothing
    return BaseMotion(speed, np.sqrt(np.sum(np.square(turning), axis=0)) if turning else nothing)
