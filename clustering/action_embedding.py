"""Which action embedding an event gets: end-effector poses where there are any, native joints otherwise.

The joint form is the same idea without geometry: displacement of every joint from its start, as DCT coefficients,
with the opening features. It is only comparable among recordings with the same joints, so the robot's
and the joints' names are part of the model's name, and such events are clustered among themselves.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from clustering.families import JOINTS, POSES, PSEUDO
from clustering.motion_shape import Vector, Window, length_of, opening_features, shape, window_of
from clustering.pose_embedding import pose_vector
from pipeline.action_layout import opening_of
from pipeline.motion import recorded
from schemas.array import Bools, Floats
from schemas.calibration import Calibration
from schemas.cluster import Embedding, Space
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.event import Event
from schemas.identity import digest
from schemas.recipe import EmbedSpec


def action_embeddings(
    track: ActionTrack, embodiment: str, events: list[Event], calibration: Calibration | None, spec: EmbedSpec
) -> list[Embedding]:
    """One embedding per event that has a usable action row; ``track`` is on the video clock (`aligned_actions`)."""
    arms = _arms(track)
    openings = _openings(track, calibration)
    has_poses = any(arm.position is not None for arm in arms)
    joints = _joints(track)
    used = [part for arm in arms for part in (arm.position, arm.rotation)] if has_poses else [joints]
    valid = track.valid & _finite([*used, *openings.values()], track.n_rows)
    apart = PSEUDO if track.kind is ActionKind.PSEUDO and spec.pseudo_actions == "apart" else ""
    found = []
    for event in events:
        window = window_of(event.span, track.times_ns, valid, spec.action_points)
        if window is None:
            continue
        seconds, k = event.span.duration_s, spec.action_coefficients
        if has_poses:
            model = f"{POSES}:{spec.action_points}x{k}{apart}"
            vector = pose_vector(arms, openings, window, seconds, k)
        else:
            model = f"{JOINTS}:{spec.action_points}x{k}:{digest(embodiment, *track.joint_names)[:12]}{apart}"
            vector = joint_vector(joints, openings, window, seconds, k)
        found.append(Embedding(event.event_id, event.episode_id, Space.ACTION, model, vector.astype(np.float32)))
    return found


def joint_vector(
    joints: Floats, openings: Mapping[Arm, Floats], window: Window, duration_s: float, coefficients: int
) -> Vector:
    """Float64 [J·coefficients + 16] of one event; ``joints`` [T, J] in the source's own units, known openings [T]."""
    path = window.resampled(joints)
    path = path - path[0]
    length = length_of(path)
    straightness = float(np.linalg.norm(path[-1])) / length if length > 0 else 0.0
    fingers = [opening_features(window.opening(openings.get(arm))) for arm in Arm]
    return np.concatenate([shape(path, coefficients), [math.log(duration_s), straightness], *fingers])


def _of(track: ActionTrack, arm: Arm) -> list[ArmTrack]:
    """What is known of one arm, measured before commanded."""
    return [part for part in (*track.state, *track.target) if part.arm is arm]


def _arms(track: ActionTrack) -> tuple[ArmTrack, ...]:
    """The arms there are with the poses to use: measured ones, or commanded ones where nothing was measured."""
    found = []
    for arm in Arm:
        parts = _of(track, arm)
        if not parts:
            continue
        posed = next((part for part in parts if _says_something(part.position)), None)
        position = None if posed is None else posed.position
        rotation = None if posed is None or not _says_something(posed.rotation) else posed.rotation
        found.append(dataclasses.replace(parts[0], position=position, rotation=rotation))
    return tuple(found)


def _openings(track: ActionTrack, calibration: Calibration | None) -> dict[Arm, Floats]:
    """Calibrated opening [T] of the arms that have one; like poses, measured before commanded."""
    found: dict[Arm, Floats] = {}
    for arm in Arm:
        scale = None if calibration is None else calibration.opening(arm)
        for part in _of(track, arm):
            opening = opening_of(part, scale)
            if opening is not None and _says_something(opening):
                found.setdefault(arm, opening)
    return found


def _joints(track: ActionTrack) -> Floats:
    """Native joint positions [T, J], commanded ones when no state was recorded; [T, 0] when there are neither.

    Columns that this side does not have stand still, so that vectors of one robot keep one length.
    """
    flat = track.joint_state if track.joint_state is not None else track.joint_target
    if flat is None:
        return np.zeros((track.n_rows, 0), np.float32)
    joints = flat.reshape(track.n_rows, len(track.joint_names))
    return np.where(recorded(joints), joints, np.float32(0.0))


def _says_something(values: Floats | None) -> bool:
    return values is not None and bool(np.isfinite(values).any())


def _finite(columns: Sequence[Floats | None], n_rows: int) -> Bools:
    """Bool [T]: rows in which every number that will be read is finite; none when there is nothing to read."""
    filled = [column.reshape(n_rows, -1) for column in columns if column is not None and column.size]
    return np.isfinite(np.concatenate(filled, axis=1)).all(axis=1) if filled else np.zeros(n_rows, np.bool_)
