"""An Ego4D download in the layout its own tool makes: metadata, annotations of one release, videos by uid.

Keys are those of the published annotation schemas; pictures come from a real headset clip, re-stamped to Ego4D's
canonical 30 frames per second. The picture track starts 0.021 s into the file, as Goal-Step's real videos do.
"""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.pipeline.sources.written.egodex import restamped

UID, OTHER, CLIP = "c2d06df7-5d3a-4116-9edb-f1c81a4f669b", "0a0a0a0a-0000-4000-8000-000000000000", "clip-0001"
FPS = Fraction(30)
FIRST_S = Fraction(323, 15360)
"""0.0210286458, Goal-Step's most frequent ``start_time``."""


def metadata_of(uid: str, **more: Any) -> dict[str, Any]:
    return {
        "video_uid": uid,
        "duration_sec": 10 / 30,
        "scenarios": ["Office work"],
        "video_metadata": {
            "fps": 30.0,
            "num_frames": 10,
            "video_codec": "h264",
            "display_resolution_width": 896,
            "display_resolution_height": 504,
        },
        "split_fho": "train",
        "split_goalstep": None,
        "redacted_intervals": [],
        "has_imu": False,
        "has_gaze": False,
        "is_stereo": False,
        **more,
    }


def clip_of(uid: str, clip: str, start_s: float, end_s: float) -> dict[str, Any]:
    return {"clip_uid": clip, "video_uid": uid, "video_start_sec": start_s, "video_end_sec": end_s}


def narration(seconds: float, text: str) -> dict[str, Any]:
    return {
        "timestamp_sec": seconds,
        "timestamp_frame": round(seconds * 30),
        "narration_text": text,
        "annotation_uid": "a-1",
    }


def narrated_action(start_frame: int, frames: dict[str, int | None], **more: Any) -> dict[str, Any]:
    return {
        "uid": "n-1",
        "start_sec": start_frame / 30,
        "end_sec": (start_frame + 8) / 30,
        "start_frame": start_frame,
        "end_frame": start_frame + 8,
        "is_valid_action": True,
        "is_rejected": False,
        "narration_text": "#C C inserts the toner",
        "structured_verb": "insert",
        "critical_frames": frames,
        "clip_critical_frames": {},
        **more,
    }


def write_ego4d(
    root: Path,
    clip: Path,
    videos: list[dict[str, Any]],
    *,
    clips: list[dict[str, Any]] | None = None,
    narrations: dict[str, Any] | None = None,
    listed: bool = True,
    actions: dict[str, list[dict[str, Any]]] | None = None,
    goal_steps: list[dict[str, Any]] | None = None,
    filmed: tuple[str, ...] = (UID,),
) -> None:
    """``listed`` puts narrations below a ``videos`` key, as newer releases do."""
    folder = root / "v2/annotations"
    folder.mkdir(parents=True, exist_ok=True)
    _write(root / "ego4d.json", {"date": "230113", "version": "2.0", "videos": videos, "clips": clips or []})
    if narrations is not None:
        said = {"videos": narrations, "version": "2.0"} if listed else narrations
        _write(folder / "narration.json", said)
    if actions is not None:
        intervals = [
            {"video_uid": uid, "annotated_intervals": [{"clip_uid": CLIP, "narrated_actions": found}]}
            for uid, found in actions.items()
        ]
        _write(folder / "fho_main.json", {"version": "1", "videos": intervals})
    if goal_steps is not None:
        _write(folder / "goalstep_train.json", {"version": "1.0", "split": "train", "videos": goal_steps})
    for uid in filmed:
        path = root / f"v2/full_scale/{uid}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(restamped(clip, FPS, FIRST_S))


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
