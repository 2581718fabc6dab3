"""Label Studio's video timeline labels, as its JSON exports and imports them.

Ranges are counted from 1 and hold their last picture: the first five pictures are 1 to 5. A region's words, verb,
objects, arm and state are results with the region's id, as controls with ``perRegion`` write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from annotators.review.formats.row import (
    FormatError,
    Recording,
    Row,
    arm_in,
    checked,
    level_in,
    state_in,
    verb_in,
    whole_in,
)
from schemas.identity import make_id

SUFFIX = ".json"
_ONE_TEXT = ("caption", "verb", "arm", "state")
TIMELINE, VIDEO = "level", "video"
CONFIG = """<View>
  <TimelineLabels name="level" toName="video">
    <Label value="task"/><Label value="subtask"/><Label value="action"/><Label value="segment"/>
  </TimelineLabels>
  <Video name="video" value="$video"/>
  <TextArea name="caption" toName="video" perRegion="true"/>
  <TextArea name="objects" toName="video" perRegion="true"/>
  <TextArea name="verb" toName="video" perRegion="true"/>
  <TextArea name="arm" toName="video" perRegion="true"/>
  <TextArea name="state" toName="video" perRegion="true"/>
</View>
"""
"""The labelling interface such a file belongs to."""


def written(rows: Sequence[Row], recording: Recording) -> bytes:
    """The whole file: one task with one annotation."""
    results = [result for row in rows for result in _results(row, recording)]
    task = {
        "data": {"video": recording.video, "episode_id": recording.episode_id},
        "annotations": [{"result": results}],
    }
    return (json.dumps([task], indent=1, ensure_ascii=False) + "\n").encode()


def _results(row: Row, recording: Recording) -> Iterator[dict[str, Any]]:
    name = make_id("ls", recording.episode_id, row.level, f"{row.frame_start}:{row.frame_end}")
    ranges = [{"start": row.frame_start + 1, "end": row.frame_end}]
    about = {"id": name, "to_name": VIDEO, "origin": "manual"}
    value: dict[str, Any] = {"ranges": ranges, "timelinelabels": [str(row.level)]}
    yield {**about, "from_name": TIMELINE, "type": "timelinelabels", "value": value}
    said = {
        "caption": [row.caption],
        "verb": [str(row.verb or "")],
        "objects": list(row.objects),
        "arm": [str(row.arm or "")],
        "state": [str(row.state)],
    }
    for slot, texts in said.items():
        if any(texts):
            yield {**about, "from_name": slot, "type": "textarea", "value": {"ranges": ranges, "text": texts}}


def read(raw: bytes, recording: Recording, file: str) -> list[Row]:
    """The events of the tasks about this recording, or of the only task. Raises FormatError."""
    return checked(_rows(raw, recording, file), len(recording.clock), file)


def _rows(raw: bytes, recording: Recording, file: str) -> Iterator[tuple[str, Row]]:
    try:
        tasks = json.loads(raw)
    except json.JSONDecodeError as error:
        raise FormatError(file, "document", str(error), "JSON") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise FormatError(file, "document", type(tasks).__name__, "a list of tasks")
    for number, task in enumerate(tasks, 1):
        named = task.get("data", {}).get("episode_id")
        if named is not None and named != recording.episode_id:
            continue
        for annotation in task.get("annotations", [])[:1]:
            yield from _regions(annotation.get("result", []), f"task {number}", file)


def _regions(results: Sequence[dict[str, Any]], where: str, file: str) -> Iterator[tuple[str, Row]]:
    said: dict[str, dict[str, list[str]]] = {}
    for result in results:
        if result.get("type") == "textarea":
            said.setdefault(result.get("id", ""), {})[result.get("from_name", "")] = result["value"].get("text", [])
    for result in results:
        if result.get("type") != "timelinelabels":
            continue
        here, value = f"{where}, region {result.get('id')}", result.get("value", {})
        words = said.get(result.get("id", ""), {})
        caption, verb, arm, state = (
            next(iter(words.get(slot, [])), "") for slot in ("caption", "verb", "arm", "state")
        )
        level = level_in(file, here, next(iter(value.get("timelinelabels", [])), None))
        for one in value.get("ranges", []):
            first, last = (whole_in(file, here, one.get(end)) for end in ("start", "end"))
            if first < 1:
                raise FormatError(file, here, first, "1 or more: Label Studio counts pictures from 1")
            objects = tuple(words.get("objects", []))
            yield (
                here,
                Row(
                    level, first - 1, last, caption, verb_in(file, here, verb), objects, arm_in(file, here, arm),
                    state_in(file, here, state),
                ),
            )  # fmt: skip
