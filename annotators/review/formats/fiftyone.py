"""FiftyOne's temporal detections, as a sample's field in its JSON.

``support`` is counted from 1 and holds its last picture: the first five pictures are [1, 5]. The label is the level;
everything else are attributes of the detection, which FiftyOne takes by any name.
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

SUFFIX = ".json"
FIELD = "events"


def written(rows: Sequence[Row], recording: Recording) -> bytes:
    """The whole file: one sample."""
    detections = [
        {
            "_cls": "TemporalDetection", "label": str(row.level), "support": [row.frame_start + 1, row.frame_end],
            "caption": row.caption, "verb": str(row.verb or ""), "objects": list(row.objects),
            "arm": str(row.arm or ""), "state": str(row.state),
        }
        for row in rows
    ]  # fmt: skip
    sample = {
        "filepath": recording.video,
        "episode_id": recording.episode_id,
        FIELD: {"_cls": "TemporalDetections", "detections": detections},
    }
    return (json.dumps({"samples": [sample]}, indent=1, ensure_ascii=False) + "\n").encode()


def read(raw: bytes, recording: Recording, file: str) -> list[Row]:
    """The events of the sample of this recording, or of a sample that names none. Raises FormatError."""
    return checked(_rows(raw, recording, file), len(recording.clock), file)


def _rows(raw: bytes, recording: Recording, file: str) -> Iterator[tuple[str, Row]]:
    try:
        samples = json.loads(raw)["samples"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise FormatError(file, "document", str(error), "JSON with samples") from error
    for number, sample in enumerate(samples, 1):
        if sample.get("episode_id") not in (None, recording.episode_id):
            continue
        for at, one in enumerate(sample.get(FIELD, {}).get("detections", []), 1):
            yield f"sample {number}, detection {at}", _row(one, file, f"sample {number}, detection {at}")


def _row(one: dict[str, Any], file: str, where: str) -> Row:
    support = one.get("support")
    if not isinstance(support, list) or len(support) != 2 or whole_in(file, where, support[0]) < 1:
        raise FormatError(file, where, support, "a support [first, last], counted from 1")
    return Row(
        level_in(file, where, one.get("label")),
        whole_in(file, where, support[0]) - 1,
        whole_in(file, where, support[1]),
        one.get("caption", ""),
        verb_in(file, where, one.get("verb", "")),
        tuple(one.get("objects", [])),
        arm_in(file, where, one.get("arm", "")),
        state_in(file, where, one.get("state", "")),
    )
