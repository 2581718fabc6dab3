"""Logs as VisionProTeleop's streamer hands them out, re-packed from wrists that HOT3D tracked on a real person.

Finger joints are a fixed skeleton that opens and closes; HOT3D's fixture has none.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

HANDS = "egocentric/hot3d_pose_fixture/Quest3/P0002_273c2819/mano_hand_pose_trajectory.jsonl"
SIDES = {"left": "0", "right": "1"}


@dataclass(frozen=True, eq=False)
class Tracked:
    """What was tracked: T rows of both wrists."""

    times_ns: NDArray[np.int64]
    position: dict[str, NDArray[np.float64]]
    quaternion: dict[str, NDArray[np.float64]]
    """x, y, z, w."""


def tracked(real: Path, n_rows: int = 40) -> Tracked:
    """The first rows in which both hands were seen."""
    rows = []
    with (real / HANDS).open() as lines:
        for line in lines:
            row = json.loads(line)
            if set(SIDES.values()) <= row["hand_poses"].keys():
                rows.append(row)
            if len(rows) == n_rows:
                break
    wrists = {side: [row["hand_poses"][key]["wrist_xform"] for row in rows] for side, key in SIDES.items()}
    return Tracked(
        np.array([row["timestamp_ns"] for row in rows], np.int64),
        {side: np.array([wrist["t_xyz"] for wrist in found]) for side, found in wrists.items()},
        {side: np.array([wrist["q_wxyz"] for wrist in found])[:, [1, 2, 3, 0]] for side, found in wrists.items()},
    )


def transforms(position: NDArray[np.float64], quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T, 4, 4]."""
    made = np.tile(np.eye(4), (len(position), 1, 1))
    made[:, :3, :3] = Rotation.from_quat(quaternion).as_matrix()
    made[:, :3, 3] = position
    return made


def arrays(hands: Tracked, n_joints: int = 25) -> dict[str, Any]:
    """The streamer's arrays, row by row; each transform with the 1 in between that it has there."""
    n_rows = len(hands.times_ns)
    made: dict[str, Any] = {"head": np.tile(np.eye(4), (n_rows, 1, 1, 1)), "timestamps": hands.times_ns * 1e-9}
    made["head"][:, 0, :3, 3] = [0.0, 0.0, 1.6]
    for side in SIDES:
        made[f"{side}_wrist"] = transforms(hands.position[side], hands.quaternion[side])[:, None]
        made[f"{side}_fingers"] = _fingers(n_rows, n_joints)
        tips = made[f"{side}_fingers"][:, :, :3, 3][:, [4, 9]]
        made[f"{side}_pinch_distance"] = np.linalg.norm(tips[:, 0] - tips[:, 1], axis=1)
    return made


def _fingers(n_rows: int, n_joints: int) -> NDArray[np.float64]:
    """[T, F, 4, 4], relative to the wrist: five fingers side by side that bend and stretch."""
    made = np.tile(np.eye(4), (n_rows, n_joints, 1, 1))
    spread = 0.01 + 0.01 * np.cos(np.arange(n_rows) / 5)
    for joint in range(n_joints):
        finger = 0 if joint < 5 else (joint - 5) // 5 + 1
        made[:, joint, 0, 3] = spread * finger
        made[:, joint, 2, 3] = 0.03 * (joint % 5)
    return made


def write(path: Path, hands: Tracked, **changed: Any) -> None:
    """One log; ``changed`` replaces arrays, None leaves one out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in {**arrays(hands), **changed}.items() if value is not None}
    np.savez(path, **kept)
