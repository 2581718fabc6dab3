"""No infinite number leaves a reader: damaged and hostile files hold them, and so do doubles that float32 cannot hold.

One place for all formats, because every consumer knows NaN, which is how a missing number is told, and expects no more.
"""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import about_episode
from schemas.array import Bools
from schemas.episode import ActionTrack, ArmTrack
from schemas.source import EpisodeRef


def without_infinities(ref: EpisodeRef, raw: RawEpisode) -> RawEpisode:
    """The episode with NaN for infinite numbers of its rows, without camera models that hold any, and a finding."""
    counts: list[int] = []
    actions = None if raw.actions is None else _finite_track(raw.actions, counts)
    cameras = tuple(_finite_camera(camera, counts) for camera in raw.cameras)
    if not counts:
        return raw
    message = f"{sum(counts)} numbers are infinite or too large for float32; they count as missing"
    finding = about_episode(ref, "numbers_infinite", message, sum(counts), 0)
    return replace(raw, actions=actions, cameras=cameras, findings=(*raw.findings, finding))


def _finite_track(track: ActionTrack, counts: list[int]) -> ActionTrack:
    changed: dict[str, Any] = {
        side: tuple(_finite(arm, counts) for arm in getattr(track, side)) for side in ("state", "target")
    }
    changed |= {name: _or_nan(getattr(track, name), counts) for name in ("joint_state", "joint_target")}
    return replace(track, **changed)


def _finite(arm: ArmTrack, counts: list[int]) -> ArmTrack:
    return replace(arm, **{field.name: _or_nan(getattr(arm, field.name), counts) for field in fields(arm)})


def _finite_camera(camera: RawCamera, counts: list[int]) -> RawCamera:
    """A camera model is used whole or not at all."""
    changed: dict[str, Any] = {}
    for name in ("intrinsics", "distortion", "extrinsics"):
        value = getattr(camera, name)
        if value is not None and (bad := int(np.count_nonzero(_infinite(value)))):
            counts.append(bad)
            changed[name] = None
    return replace(camera, **changed)


def _or_nan(value: Any, counts: list[int]) -> Any:
    if not (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return value
    infinite = _infinite(value)
    if not infinite.any():
        return value
    counts.append(int(infinite.sum()))
    return np.where(infinite, np.asarray(np.nan, value.dtype), value)


def _infinite(value: Any) -> Bools:
    """Where a number is infinite as it will be stored."""
    with np.errstate(over="ignore"):
        return np.asarray(np.isinf(np.asarray(value, np.float32)))
