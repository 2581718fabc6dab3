"""EgoDex recordings, re-packed from real hands (HOT3D's) and a real headset clip.

As the public loaders find them: ``transforms/<joint>`` float32 [N, 4, 4] world-from-joint for 68 joints and the
camera, ``confidences/<joint>`` float32 [N], ``camera/intrinsic`` float32 [3, 3], texts as attributes of the file. HOT3D
has wrists and no finger tips; tips are put where hands have them, thumb and index as far apart as real gripper jaws.
"""

import hashlib
import io
import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.video import TO_THE_END, Picture, frames
from schemas.episode import VideoWindow

CLIPS = "egocentric/headset_clips_4fps"
SHORT, LONG = f"{CLIPS}/assisted_task_next_action.mp4", f"{CLIPS}/situation_understanding.mp4"
"""10 pictures of 896x504, and 28 of 756x756."""
_SEQUENCE = "egocentric/hot3d_pose_fixture/Aria/P0003_c701bd11/"
FINGERS = ("Thumb", "IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger")
_BODY = ("hip", *(f"spine{i}" for i in range(1, 8)), *(f"neck{i}" for i in range(1, 5)))
SAID = {
    "task": "insert_toner",
    "session_name": "printer",
    "environment": "office",
    "annotated": 1,
    "llm_type": "neutral",
    "llm_description": "Insert the toner cartridge into the printer.",
    "llm_verbs": ["insert", "push"],
    "llm_objects": ["toner cartridge", "printer"],
}

Poses = NDArray[np.float64]


def restamped(clip: Path, fps: Fraction | int, first_s: Fraction = Fraction(0)) -> bytes:
    """A clip with other times and the very same pictures: its packets are copied, none is encoded again."""
    sink = io.BytesIO()
    with av.open(str(clip)) as source, av.open(sink, "w", format="mp4") as out:
        stream = source.streams.video[0]
        step = Fraction(1) / (stream.average_rate * stream.time_base)
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is None:
                continue
            for clock in ("pts", "dts"):
                number = round(getattr(packet, clock) / step)
                setattr(packet, clock, round((number / fps + first_s) * 90_000))
            packet.duration = round(90_000 / fps)
            packet.time_base, packet.stream = Fraction(1, 90_000), copy
            out.mux(packet)
    return sink.getvalue()


def hashes_of(shown: Path | Iterable[Picture]) -> list[str]:
    """A digest of every picture's pixels, of a clip or of decoded ones."""
    if isinstance(shown, Path):
        with shown.open("rb") as file:
            return hashes_of(list(frames(file, VideoWindow("video/ego", 0, 0, TO_THE_END), shown.name)))
    return [hashlib.sha256(picture.frame.to_ndarray().tobytes()).hexdigest() for picture in shown]


def real_poses(real: Path, n_rows: int) -> dict[str, Poses]:
    """World-from-joint [N, 4, 4] of both wrists, and of the headset as ``camera``, from HOT3D's colour time stamps."""
    lines = (real / _SEQUENCE / "mano_hand_pose_trajectory.jsonl").read_text().splitlines()[::2][:n_rows]
    wrists = [json.loads(line)["hand_poses"] for line in lines]
    found = {
        f"{side}Hand": _poses(
            [hands[index]["wrist_xform"]["t_xyz"] + hands[index]["wrist_xform"]["q_wxyz"] for hands in wrists]
        )
        for index, side in (("0", "left"), ("1", "right"))
    }
    table = (real / _SEQUENCE / "headset_trajectory.csv").read_text().splitlines()[1::2][:n_rows]
    return {**found, "camera": _poses([[float(value) for value in row.split(",")[2:]] for row in table])}


def _poses(rows: list[list[float]]) -> Poses:
    values = np.array(rows)
    poses = np.tile(np.eye(4), (len(values), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(values[:, [4, 5, 6, 3]]).as_matrix()
    poses[:, :3, 3] = values[:, :3]
    return poses


def jaws(real: Path, n_rows: int) -> Poses:
    """How far a real log's gripper jaws are apart, metres [N], over rows in which they close."""
    fingers = np.load(real / "teleop/visionpro_hands_log/ep2.npz")["qpos"][:, 7:9].sum(axis=1)
    start = int(np.argmax(fingers < 0.9 * fingers[0]))
    picked: Poses = fingers[max(0, start - 3) :: 4][:n_rows]
    return np.abs(picked)


def tips_of(wrist: Poses, apart_m: Poses) -> dict[str, Poses]:
    """World-from-tip of five fingers; thumb and index ``apart_m`` from each other along the wrist's y."""
    found = {}
    for number, finger in enumerate(FINGERS):
        inside = np.tile(np.eye(4), (len(wrist), 1, 1))
        inside[:, :3, 3] = (0.12, 0.02 * number, 0.01)
        if finger == "Thumb":
            inside[:, 1, 3] = 0.02 - apart_m
        found[finger] = wrist @ inside
    return found


def write_egodex(
    stem: Path,
    poses: dict[str, Poses],
    apart_m: Poses,
    *,
    said: dict[str, Any] | None = None,
    confidence: dict[str, NDArray[Any]] | None = None,
    video: bytes | None = None,
    lens: tuple[float, float, float] = (736.6339, 448.0, 252.0),
) -> None:
    """One recording. ``confidence`` is 1 where not said; ``confidence={}`` leaves the whole group out."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    joints = dict(poses)
    for side in ("left", "right"):
        wrist = poses[f"{side}Hand"]
        joints[f"{side}Forearm"] = joints[f"{side}Arm"] = joints[f"{side}Shoulder"] = wrist
        for finger, tip in tips_of(wrist, apart_m).items():
            joints[f"{side}{finger}Tip"] = tip
            parts = ("Knuckle", "IntermediateBase", "IntermediateTip") + (() if finger == "Thumb" else ("Metacarpal",))
            joints |= {f"{side}{finger}{part}": tip for part in parts}
    joints |= dict.fromkeys(_BODY, poses["camera"])
    n_rows = len(apart_m)
    with h5py.File(stem.with_suffix(".hdf5"), "w") as file:
        for joint, matrices in joints.items():
            file.create_dataset(f"transforms/{joint}", data=matrices.astype(np.float32))
            if joint != "camera" and confidence != {}:
                trust = (confidence or {}).get(joint, np.ones(n_rows))
                file.create_dataset(f"confidences/{joint}", data=trust.astype(np.float32))
        focal, x, y = lens
        matrix = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]], np.float32)
        file.create_dataset("camera/intrinsic", data=matrix)
        for key, value in (SAID if said is None else said).items():
            file.attrs[key] = value
    if video is not None:
        stem.with_suffix(".mp4").write_bytes(video)
