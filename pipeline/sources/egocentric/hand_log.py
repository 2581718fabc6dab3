"""Logs of tracked hands (`.npz`): a headset's transforms of wrists and fingers, or the arm that hands drove.

Two layouts are read. VisionProTeleop streams hold 4x4 matrices: ``{left,right}_wrist`` and ``head`` in the headset's
world, ``{left,right}_fingers`` relative to the wrist (25 joints, thumb to little finger; more from newer headsets),
``{left,right}_pinch_distance`` in metres. Simulator logs hold ``qpos``, ``qvel``, ``ctrl``, ``mocap`` per step, of
which the recipe says what is an arm; all are kept as native columns. Neither has pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.arm_columns import Mapped, map_arms
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.storage.npz_file import Npz, opened
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack, CommandMode, CommandSemantics, CommandSpace
from schemas.finding import Finding, Verdict
from schemas.pose import RotationEncoding
from schemas.recipe_formats.hand_log import HandLogSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

LOG = "log"
FACTS = FormatFacts(
    title="Hand logs (VisionProTeleop, simulator steps)",
    kinds=(SourceKind.TELEOP, SourceKind.EGOCENTRIC),
    layout="any tree of `.npz` files; one file is one episode without pictures",
    clock="`timestamp`, `timestamps`, `time` or `t`; else the recipe's `fps`; else the step that `qvel` implies",
    pose="wrists, metres, in the headset's world or relative to the head; or the arrays the recipe names",
    rotation="4x4 matrices; arrays the recipe names in any of six encodings",
    gripper="pinch distance of thumb and index tip in metres, `pinch_open_m` is 1",
    commands="arrays the recipe names; `ctrl` natively",
    language="the recipe's `instruction`",
    spans="-",
    refused="pickles and arrays of Python objects",
    tested_on="real: visionpro_hands_log; fixture: VisionProTeleop layout from HOT3D's tracked hands",
)
_TIMES = ("timestamps", "timestamp", "time", "t")
_UNIT_NS = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}
_TIPS = [4, 9, 14, 19, 24]
"""Thumb, index, middle, ring, little finger among a hand's 25 joints."""
_HAND_JOINTS = 25
_RIGID = 1e-3
"""How far a matrix may be from a rotation and a translation before its row means nothing."""
_STATE, _COMMAND = ("qpos", "qvel", "mocap"), ("ctrl",)
"""Native arrays of simulator logs."""


def discover(spec: HandLogSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per archive, in order of path. Raises SourceError when there is none at all."""
    yield from declared_defects(spec)
    metadata = metadata_of(spec, {})
    found = False
    for stat in files.list():
        suffix = PurePosixPath(stat.path).suffix.lower()
        if suffix in (".pkl", ".pickle"):
            message = f"{spec.name}: {stat.path} is a pickle, which would run code; save its arrays with numpy.savez"
            yield about_source(spec.name, "pickle_refused", message, verdict=Verdict.DROP)
        if suffix != ".npz":
            continue
        found = True
        if stat.size == 0:
            message = f"{spec.name}: {stat.path} is empty; fetch it again or remove it"
            yield about_source(spec.name, "empty_file", message, verdict=Verdict.DROP)
            continue
        try:
            yield _reference(spec, files, stat, metadata, digests)
        except SourceError as error:
            yield about_source(spec.name, "log_unreadable", str(error), verdict=Verdict.DROP)
    if not found:
        raise SourceError(f"{files.root}: no .npz file below it; correct `path` of source {spec.name}")


def _reference(
    spec: HandLogSource, files: SourceFiles, stat: FileStat, metadata: str, digests: DigestCache
) -> EpisodeRef:
    return reference(
        spec,
        files.root,
        embodiment="human",
        locator=stat.path,
        files=source_files(files, digests, [(LOG, stat)]),
        metadata=metadata,
        inside="",
    )


@dataclass(eq=False)
class _Hands:
    """What of a log has become of hands or arms, over T rows."""

    state: tuple[ArmTrack, ...]
    target: tuple[ArmTrack, ...]
    valid: Bools
    frame: str
    provenance: str
    remarks: list[tuple[str, str, float | None]] = field(default_factory=list)


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One log. Raises SourceError when it holds neither hands nor what the recipe names, or no times are known."""
    spec = recipe_part(ref, HandLogSource)
    with opened(files, ref.file(LOG).path) as log:
        sides = [side for side in Arm if log.has(f"{side}_wrist")]
        natives = {key: log.numbers(key) for key in (*_STATE, *_COMMAND) if log.has(key)}
        n_rows = _n_rows(log, [f"{side}_wrist" for side in sides] + [*natives, *_named(spec)])
        hands = _from_hands(log, spec, sides, n_rows) if sides else _from_columns(log, spec, n_rows)
        times_ns, told = _times(log, spec, natives, n_rows)
    names, joint_state, joint_target = _native_columns(natives, n_rows)
    findings = [about_episode(ref, check, message, value) for check, message, value in [*told, *hands.remarks]]
    if not hands.valid.all():
        bad = int(np.count_nonzero(~hands.valid))
        findings.append(about_episode(ref, "rows_not_finite", f"{bad} of {n_rows} rows mean nothing", bad, 0))
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance=hands.provenance,
        times_ns=times_ns,
        valid=hands.valid,
        state=hands.state,
        target=hands.target,
        joint_names=names,
        joint_state=joint_state,
        joint_target=joint_target,
        frame=hands.frame,
        commands=CommandSemantics(CommandMode.ABSOLUTE, CommandSpace.END_EFFECTOR, hands.frame)
        if any(arm.position is not None for arm in hands.target)
        else None,
    )
    return RawEpisode("", (), track, rows_are_frames=False, annotations=(), findings=tuple(findings))


def _named(spec: HandLogSource) -> list[str]:
    """Arrays that the recipe names."""
    parts = [p for arm in (*spec.state, *spec.target) for p in (arm.position, arm.rotation, arm.opening, arm.fingers)]
    return list(dict.fromkeys(part.column for part in parts if part is not None))


def _n_rows(log: Npz, keys: list[str]) -> int:
    """How many rows the arrays have, which all have as many."""
    if not keys:
        raise SourceError(
            f"{log.name}: holds {', '.join(log.keys[:20]) or 'nothing'}; expected left_wrist or right_wrist [T, 4, 4], "
            "qpos [T, J], or arrays that `state` names"
        )
    rows = {key: (log.shape(key) or (0,))[0] for key in keys}
    n_rows = next(iter(rows.values()))
    if set(rows.values()) != {n_rows} or n_rows == 0:
        raise SourceError(f"{log.name}: has rows {rows}, expected as many of each and at least one; fetch it again")
    return n_rows


def _from_hands(log: Npz, spec: HandLogSource, sides: list[Arm], n_rows: int) -> _Hands:
    """Wrist poses, finger tips and pinches of the tracked hands."""
    valid = np.ones(n_rows, np.bool_)
    to_frame = _matrices(log, "head", n_rows) if spec.frame == "head" else None
    remarks: list[tuple[str, str, float | None]] = []
    arms, made_of = [], []
    for side in sides:
        wrist = _matrices(log, f"{side}_wrist", n_rows)
        if to_frame is not None:
            wrist = _inverse(to_frame) @ wrist
        fingers = _fingers(log, side, n_rows)
        pinch, source = _pinch(log, side, fingers, n_rows)
        position, rotation, ok = _pose(wrist)
        tips = None if fingers is None else fingers[:, :, :3, 3][:, _TIPS].reshape(n_rows, -1).astype(np.float32)
        for part in (tips, None if pinch is None else pinch[:, None]):
            if part is not None:
                ok &= np.isfinite(part).all(axis=1)
        valid &= ok
        if pinch is None:
            remarks.append(("pinch_missing", f"{side} hand: neither pinch distance nor fingers; no opening", None))
        arms.append(
            ArmTrack(
                arm=side,
                position=position,
                rotation=rotation,
                opening=None if pinch is None else (pinch / spec.pinch_open_m).astype(np.float32),
                fingers=None if tips is None else tips.reshape(-1),
                n_fingers=0 if tips is None else tips.shape[1],
            )
        )
        opened_by = f", opening {source} / {spec.pinch_open_m:g} m" if source else ""
        bent_by = f", fingers tips of {side}_fingers from the wrist in m" if tips is not None else ""
        made_of.append(f"{side}: {side}_wrist matrix{opened_by}{bent_by}")
    provenance = "a human's tracked hands, no robot's; " + "; ".join(made_of)
    return _Hands(tuple(arms), (), valid, spec.frame, provenance, remarks)


def _matrices(log: Npz, key: str, n_rows: int) -> Floats:
    """Transforms float64 [T, 4, 4]; the stream's own arrays have a 1 in between."""
    values = log.numbers(key)
    if values.shape not in ((n_rows, 4, 4), (n_rows, 1, 4, 4)):
        raise SourceError(f"{log.name}: {key} has shape {list(values.shape)}, expected [{n_rows}, 4, 4]")
    return values.reshape(n_rows, 4, 4)


def _fingers(log: Npz, side: Arm, n_rows: int) -> Floats | None:
    key = f"{side}_fingers"
    if not log.has(key):
        return None
    values = log.numbers(key)
    if values.ndim != 4 or values.shape[0] != n_rows or values.shape[1] < _HAND_JOINTS or values.shape[2:] != (4, 4):
        raise SourceError(
            f"{log.name}: {key} has shape {list(values.shape)}, expected [{n_rows}, {_HAND_JOINTS} or more, 4, 4]"
        )
    return values


def _pinch(log: Npz, side: Arm, fingers: Floats | None, n_rows: int) -> tuple[Floats | None, str]:
    """Metres between thumb and index tip, and where they come from."""
    key = f"{side}_pinch_distance"
    if log.has(key):
        values = log.numbers(key)
        if values.size != n_rows:
            raise SourceError(f"{log.name}: {key} has {values.size} values, expected {n_rows}")
        return values.reshape(n_rows), key
    if fingers is None:
        return None, ""
    distance: Floats = np.linalg.norm(fingers[:, _TIPS[0], :3, 3] - fingers[:, _TIPS[1], :3, 3], axis=1)
    return distance, "distance of thumb and index tip"


def _inverse(transforms: Floats) -> Floats:
    """Of rigid transforms [T, 4, 4]; no solver that would stumble over a row of zeros."""
    inverse = np.zeros_like(transforms)
    turned = transforms[:, :3, :3].transpose(0, 2, 1)
    inverse[:, :3, :3] = turned
    inverse[:, :3, 3] = -(turned @ transforms[:, :3, 3:])[:, :, 0]
    inverse[:, 3, 3] = transforms[:, 3, 3]
    return inverse


def _pose(transforms: Floats) -> tuple[Floats, Floats, Bools]:
    """Position, 6-D rotation, and which rows are a pose; the others are NaN (a hand out of view is all zeros)."""
    turn = transforms[:, :3, :3]
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(turn @ turn.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        rigid: Bools = np.isfinite(transforms).all(axis=(1, 2)) & (off < 10 * _RIGID)
        rigid &= (np.abs(transforms[:, 3] - [0, 0, 0, 1]).max(axis=1) < _RIGID) & (np.linalg.det(turn) > 0)
    rows = np.where(rigid[:, None], turn[:, :2].reshape(-1, 6), np.nan)
    position = np.where(rigid[:, None], transforms[:, :3, 3], np.nan).astype(np.float32)
    return position, rotation_6d(rows, RotationEncoding.ROT6D_ROWS), rigid


def _from_columns(log: Npz, spec: HandLogSource, n_rows: int) -> _Hands:
    """Arms as the recipe maps arrays."""

    def numbers(column: str) -> Floats:
        return log.numbers(column).reshape(n_rows, -1)

    state, target = (map_arms(arms, n_rows, numbers, log.name) for arms in (spec.state, spec.target))
    remarks: list[tuple[str, str, float | None]] = [*dict.fromkeys([*state.remarks, *target.remarks])]
    remarks += _still_poses(state, "state") + _still_poses(target, "target")
    if not spec.state:
        message = f"the recipe names no `state`, so no arm is read; the log holds {', '.join(log.keys[:20])}"
        remarks.append(("no_state_named", message, None))
    parts = [*(f"state {text}" for text in state.provenance), *(f"target {text}" for text in target.provenance)]
    provenance = "an arm that a human's tracked hands drove; " + ("; ".join(parts) or "native columns only")
    return _Hands(state.arms, target.arms, state.valid & target.valid, spec.pose_frame, provenance, remarks)


def _still_poses(mapped: Mapped, side: str) -> list[tuple[str, str, float | None]]:
    return [
        ("pose_constant", f"the {side} of the {arm.arm} arm is the same pose in every row; nothing moved it", 0.0)
        for arm in mapped.arms
        if arm.position is not None and len(arm.position) > 1 and np.ptp(arm.position, axis=0).max() == 0
    ]


def _times(
    log: Npz, spec: HandLogSource, natives: dict[str, Floats], n_rows: int
) -> tuple[Ints, list[tuple[str, str, float | None]]]:
    """int64 [T] from the first row, and what is to be told about them."""
    key = next((key for key in _TIMES if log.has(key)), None)
    if key is not None:
        return _own_times(log, key, spec, n_rows), []
    step_s = _implied_step_s(natives)
    if spec.fps is not None:
        step_ns = NS_PER_S / spec.fps
        told: list[tuple[str, str, float | None]] = [
            (
                "rate_assumed",
                f"the log holds no times; its rows are taken at {spec.fps:g} Hz, as the recipe says",
                spec.fps,
            )
        ]
        if step_s is not None and abs(step_s * spec.fps - 1) > 0.01:
            message = f"qpos and qvel say {1 / step_s:g} rows per second, the recipe {spec.fps:g}; the recipe counts"
            told.append(("rate_disagrees", message, 1 / step_s))
    elif step_s is not None:
        step_ns = step_s * NS_PER_S
        message = f"the log holds no times; qvel takes qpos from row to row in {step_s:g} s, so that is the interval"
        told = [("rate_implied", message, 1 / step_s)]
    else:
        raise SourceError(f"{log.name}: holds no times (none of {', '.join(_TIMES)}); say `fps` in the recipe")
    times_ns: Ints = np.rint(np.arange(n_rows) * step_ns).astype(np.int64)
    return times_ns, told


def _own_times(log: Npz, key: str, spec: HandLogSource, n_rows: int) -> Ints:
    """The log's own times, exact for integers."""
    values = log.array(key).reshape(-1)
    if len(values) != n_rows or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise SourceError(f"{log.name}: {key} holds {len(values)} of {values.dtype}, expected {n_rows} finite numbers")
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)  # differences of unsigned numbers would not go below zero
    since = values - values[0]
    times_ns: Ints = np.rint(since.astype(np.float64) * _UNIT_NS[spec.time_unit]).astype(np.int64)
    if values.dtype.kind == "i":
        times_ns = since * _UNIT_NS[spec.time_unit]
    back = np.flatnonzero(np.diff(times_ns) <= 0)
    if back.size:
        raise SourceError(
            f"{log.name}: {key} does not increase after row {back[0]} in units of {spec.time_unit}; correct "
            "`time_unit`, or the log"
        )
    return times_ns


def _implied_step_s(natives: dict[str, Floats]) -> float | None:
    """The time step at which velocities integrate to positions, if they do exactly; a simulator's log says so.

    Only leading columns are compared: those are hinges, before quaternions make positions wider than velocities.
    """
    qpos, qvel = natives.get("qpos"), natives.get("qvel")
    if qpos is None or qvel is None or qpos.ndim != 2 or qvel.ndim != 2 or len(qpos) < 8:
        return None
    n = min(6, qvel.shape[1], qpos.shape[1])
    moved, speed = np.diff(qpos[:, :n], axis=0), qvel[1:, :n]
    if not (np.isfinite(moved).all() and np.isfinite(speed).all()) or not np.sum(speed**2) > 0:
        return None
    step_s = float(np.sum(moved * speed) / np.sum(speed**2))
    residual = float(np.abs(moved - speed * step_s).max())
    return round(step_s, 9) if 1e-5 < step_s < 1 and residual < 1e-6 * max(1.0, float(np.abs(moved).max())) else None


def _native_columns(natives: dict[str, Floats], n_rows: int) -> tuple[tuple[str, ...], Floats | None, Floats | None]:
    """Everything a simulator logged, side by side: names, states, commands. Actuators are no joints: neither has
    columns of the other's."""
    flat = {key: values.reshape(n_rows, -1) for key, values in natives.items()}
    names = tuple(f"{key}.{i}" for key, values in flat.items() for i in range(values.shape[1]))

    def columns(keys: tuple[str, ...]) -> Floats | None:
        if not flat.keys() & set(keys):
            return None
        parts = [values if key in keys else np.full_like(values, np.nan) for key, values in flat.items()]
        joined: Floats = np.concatenate(parts, axis=1).astype(np.float32).reshape(-1)
        return joined

    return names, columns(_STATE), columns(_COMMAND)
