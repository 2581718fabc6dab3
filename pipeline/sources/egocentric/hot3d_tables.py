"""HOT3D's tables: hand poses per camera time stamp, masks per time stamp and stream, counts of everything else.

Time stamps are nanoseconds of the headset's clock, one per picture of every stream: where the streams are not exposed
together (Aria's colour camera fires 0.09 ms before the others) every pose is there twice, and a "rate" of 10 kHz.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage.csv_file import rows
from pipeline.sources.storage.json_file import dict_of, lines, number_of
from schemas.array import Bools, Floats, Ints
from schemas.episode import Arm

ARMS = {"0": Arm.LEFT, "1": Arm.RIGHT}
"""HOT3D's hand indices."""
N_POSE = 15
"""MANO's principal components of the finger joints."""
MAX_ROWS = 200_000
"""An hour of two streams; sequences last two minutes."""
_STAMP = re.compile(r"[0-9]{1,18}")
_WIDTHS = {"t_xyz": 3, "q_wxyz": 4}
_NO_POSE = [float("nan")] * (3 + 4 + N_POSE)


@dataclass(frozen=True, eq=False)
class HandPoses:
    """Rows [T] of both hands; NaN where a hand has no pose."""

    times_ns: Ints
    """On the headset's clock, increasing strictly."""
    hands: Mapping[Arm, Floats]
    """Per hand float64 [T, 3 + 4 + 15]: translation, quaternion wxyz, finger components."""


@dataclass(frozen=True, eq=False)
class Mask:
    """One mask: which picture of which stream passes a check."""

    name: str
    by_stream: Mapping[str, Mapping[int, bool]]
    """Per stream and time stamp."""


def read_hands(files: SourceFiles, path: str) -> HandPoses:
    """All hand poses of a sequence. Raises SourceError for lines that are none and for times that do not increase."""
    name = files.url_of(path)
    times: list[int] = []
    found: dict[Arm, list[list[float]]] = {arm: [] for arm in ARMS.values()}
    for number, line in lines(files, path):
        stamp = line.get("timestamp_ns")
        if not isinstance(stamp, int) or not 0 <= stamp < 1 << 62 or (times and stamp <= times[-1]):
            raise SourceError(
                f"{name}: line {number} has the time stamp {str(stamp)[:40]}, expected nanoseconds after those of the "
                "line before"
            )
        if len(times) >= MAX_ROWS:
            raise SourceError(f"{name}: more than {MAX_ROWS} lines; no sequence is that long")
        times.append(stamp)
        poses = dict_of(line.get("hand_poses"))
        for index, arm in ARMS.items():
            found[arm].append(_pose(poses[index], f"{name}: line {number}") if index in poses else _NO_POSE)
    if not times:
        raise SourceError(f"{name}: no hand pose in it; fetch the file again")
    return HandPoses(np.array(times, np.int64), {arm: np.array(values) for arm, values in found.items()})


def _pose(stated: object, where: str) -> list[float]:
    """One hand in one line. Raises SourceError unless it has the parts MANO has; odd numbers become NaN."""
    hand = dict_of(stated)
    wrist = dict_of(hand.get("wrist_xform"))
    parts = [(wrist.get(key), width) for key, width in _WIDTHS.items()] + [(hand.get("pose"), N_POSE)]
    values: list[float] = []
    for part, width in parts:
        if not isinstance(part, list) or len(part) != width:
            raise SourceError(
                f"{where} has a hand without wrist_xform of t_xyz [3] and q_wxyz [4] and pose [{N_POSE}]; it is not "
                "mano_hand_pose_trajectory.jsonl as published"
            )
        values += [float("nan") if (number := number_of(value)) is None else number for value in part]
    return values


def read_mask(files: SourceFiles, path: str, name: str) -> Mask:
    """One mask. Raises SourceError when a row is no stamp, stream and True or False."""
    by_stream: dict[str, dict[int, bool]] = {}
    for row in rows(files, path, ("timestamp[ns]", "stream_id", "mask")):
        stamp, mask = row["timestamp[ns]"].strip(), row["mask"].strip().lower()
        if not _STAMP.fullmatch(stamp) or mask not in ("true", "false"):
            raise SourceError(
                f"{files.url_of(path)}: found the row {list(row.values())[:3]}, expected nanoseconds, a stream and "
                "True or False; fetch it again"
            )
        by_stream.setdefault(row["stream_id"].strip()[:32], {})[int(stamp)] = mask == "true"
    return Mask(name, by_stream)


def on_rows(mask: Mask, stream: str | None, times_ns: Ints) -> Bools:
    """A mask at the rows' time stamps, bool [T]; without a stream a picture of any stream will do. True if unsaid."""
    streams = [mask.by_stream.get(stream, {})] if stream is not None else list(mask.by_stream.values())
    said: list[list[bool]] = [[one[int(t)] for one in streams if int(t) in one] for t in times_ns]
    return np.array([any(values) if values else True for values in said], np.bool_)


def count_rows(files: SourceFiles, path: str) -> tuple[int, int]:
    """How many poses a trajectory table has, and of how many things. Raises SourceError when it is none."""
    n_rows, things = 0, set()
    for row in rows(files, path, ("object_uid", "timestamp[ns]")):
        n_rows += 1
        things.add(row["object_uid"])
    return n_rows, len(things)
