"""EPIC-KITCHENS-100's tables in their published columns, and videos re-stamped from a real headset clip."""

import csv
from fractions import Fraction
from pathlib import Path

from tests.pipeline.sources.written.egodex import restamped

COLUMNS = [
    "narration_id",
    "participant_id",
    "video_id",
    "narration_timestamp",
    "start_timestamp",
    "stop_timestamp",
    "start_frame",
    "stop_frame",
    "narration",
    "verb",
    "verb_class",
    "noun",
    "noun_class",
    "all_nouns",
    "all_noun_classes",
]
TEST_COLUMNS = [*COLUMNS[:8]]
FPS = Fraction(60000, 1001)


def clock(seconds: float, digits: int = 2) -> str:
    """``HH:MM:SS.ff``"""
    whole, rest = divmod(round(seconds * 10**digits), 10**digits)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:0{digits}d}"


def segment(number: int, start_s: float, stop_s: float, narration: str = "open door", **more: str) -> dict[str, str]:
    """One row; frame numbers as in the published tables, the time times the rate."""
    video = more.get("video_id", "P01_01")
    verb, _, noun = narration.partition(" ")
    stated = {
        "narration_id": f"{video}_{number}",
        "participant_id": video.partition("_")[0],
        "video_id": video,
        "narration_timestamp": clock(start_s + 0.02, 3),
        "start_timestamp": clock(start_s),
        "stop_timestamp": clock(stop_s),
        "start_frame": str(round(start_s * FPS)),
        "stop_frame": str(round(stop_s * FPS)),
        "narration": narration,
        "verb": verb,
        "verb_class": "3",
        "noun": noun,
        "noun_class": "3",
        "all_nouns": f"['{noun}']",
        "all_noun_classes": "[3]",
    }
    return {**stated, **more}


def write_epic(
    root: Path,
    clip: Path,
    tables: dict[str, list[dict[str, str]]],
    *,
    info: list[tuple[str, str, str, str]] | None = None,
    filmed: tuple[str, ...] = ("P01_01",),
) -> None:
    """``tables`` by name, ``EPIC_100_train.csv``; ``info`` gives video_id, duration, fps, resolution."""
    root.mkdir(parents=True, exist_ok=True)
    for name, found in tables.items():
        columns = TEST_COLUMNS if "test" in name else COLUMNS
        _write(root / name, [columns, *([row[column] for column in columns] for row in found)])
    rows = [("P01_01", "0.16683", "59.9400599400599", "896x504")] if info is None else info
    _write(root / "EPIC_100_video_info.csv", [["video_id", "duration", "fps", "resolution"], *map(list, rows)])
    for video in filmed:
        path = root / f"{video.partition('_')[0]}/videos/{video}.MP4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(restamped(clip, FPS))


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
