"""CVAT for video 1.1: an event is a track with the level's label, a box over the whole picture.

CVAT counts the source's pictures from 0 and ends a track with a box that is ``outside``, on the first picture it is no
longer in: the first five pictures are a box on 0 and an outside box on 5. A task that shows every ``frame_step``-th
picture from ``start_frame`` on can only begin and end tracks on those it shows, so other edges are refused, not
moved. A track without an end lasts until the last picture.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotators.review.formats.row import (
    FormatError,
    Recording,
    Row,
    arm_in,
    checked,
    level_in,
    objects_in,
    objects_out,
    state_in,
    verb_in,
    whole_in,
)
from annotators.review.formats.xml_document import root_of, text_of
from schemas.event import Level

SUFFIX = ".xml"
SLOTS = ("caption", "verb", "objects", "arm", "state")


@dataclass(frozen=True)
class Task:
    """Which pictures of a film a task shows."""

    start_frame: int = 0
    frame_step: int = 1


ALL = Task()


def written(rows: Sequence[Row], recording: Recording, *, task: Task = ALL) -> bytes:
    """The whole file. Raises FormatError for an edge on a picture that the task does not show."""
    start_frame, frame_step = task.start_frame, task.frame_step
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    meta = ET.SubElement(ET.SubElement(root, "meta"), "task")
    n = len(recording.clock)
    size = (n - start_frame + frame_step - 1) // frame_step
    about = {"name": recording.episode_id, "size": size, "mode": "interpolation",
             "start_frame": start_frame, "stop_frame": n - 1,
             "frame_filter": f"step={frame_step}" if frame_step > 1 else "", "source": recording.video}  # fmt: skip
    for name, value in about.items():
        ET.SubElement(meta, name).text = str(value)
    for number, row in enumerate(rows):
        for frame in (row.frame_start, row.frame_end):
            if frame < start_frame or ((frame - start_frame) % frame_step and frame != n):
                shown = f"{start_frame} and every {frame_step} after"
                raise FormatError(recording.video, f"{row.level} at {row.frame_start}", frame, f"a picture of {shown}")
        track = ET.SubElement(root, "track", {"id": str(number), "label": str(row.level), "source": "manual"})
        ends = [(row.frame_start, 0)] + [(row.frame_end, 1)] * (row.frame_end < n)
        for frame, outside in ends:
            box = ET.SubElement(track, "box", {
                "frame": str(frame), "outside": str(outside), "occluded": "0", "keyframe": "1", "xtl": "0.00",
                "ytl": "0.00", "xbr": f"{recording.width:.2f}", "ybr": f"{recording.height:.2f}", "z_order": "0",
            })  # fmt: skip
            texts = (row.caption, str(row.verb or ""), objects_out(row.objects), str(row.arm or ""), str(row.state))
            for name, text in zip(SLOTS, texts, strict=True):
                ET.SubElement(box, "attribute", {"name": name}).text = text
    return text_of(root)


def read(raw: bytes, recording: Recording, file: str) -> list[Row]:
    """The events of all tracks. Raises FormatError."""
    return checked(_rows(raw, recording, file), len(recording.clock), file)


def _rows(raw: bytes, recording: Recording, file: str) -> Iterator[tuple[str, Row]]:
    root = root_of(raw, file)
    if root.tag != "annotations":
        raise FormatError(file, "document", root.tag, "annotations (CVAT for video 1.1)")
    for track in root.iter("track"):
        where = f"track {track.get('id')}"
        level = level_in(file, where, track.get("label"))
        boxes = sorted(track.iter("box"), key=lambda box: whole_in(file, where, box.get("frame")))
        shown: ET.Element | None = None
        for box in boxes:
            if box.get("outside") == "1":
                if shown is not None:
                    yield where, _row(level, shown, whole_in(file, where, box.get("frame")), file, where)
                shown = None
            elif shown is None:
                shown = box
        if shown is not None:
            yield where, _row(level, shown, len(recording.clock), file, where)


def _row(level: Level, box: ET.Element, end: int, file: str, where: str) -> Row:
    said = {one.get("name", ""): one.text or "" for one in box.iter("attribute")}
    return Row(
        level,
        whole_in(file, where, box.get("frame")),
        end,
        said.get("caption", ""),
        verb_in(file, where, said.get("verb", "")),
        objects_in(said.get("objects", "")),
        arm_in(file, where, said.get("arm", "")),
        state_in(file, where, said.get("state", "")),
    )
