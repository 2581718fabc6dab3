"""Our own CSV: one event a line, frames first, seconds beside them for people and for `pandas`.

``frame_start`` and ``frame_end`` are 0-based and half-open: the first five pictures are 0 and 5. Seconds have nine
digits, so a recording of any frame rate comes back to the nanosecond. Frames count; seconds that contradict them are
refused, because a spreadsheet in which somebody changed only one of the two would say two things.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

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
from schemas.time import NS_PER_S

SUFFIX = ".csv"
COLUMNS = (
    "episode_id", "level", "frame_start", "frame_end", "start_s", "end_s", "caption", "verb", "objects", "arm", "state",
)  # fmt: skip


def written(rows: Sequence[Row], recording: Recording) -> bytes:
    """The whole file."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        span = row.frame_start, row.frame_end
        table.writerow(
            [
                recording.episode_id, row.level, *span, *(_seconds(recording, frame) for frame in span), row.caption,
                row.verb or "", objects_out(row.objects), row.arm or "", row.state,
            ]
        )  # fmt: skip
    return text.getvalue().encode()


def read(raw: bytes, recording: Recording, file: str) -> list[Row]:
    """The events of this recording; lines of other episodes are passed over. Raises FormatError."""
    return checked(_rows(raw, recording, file), len(recording.clock), file)


def _rows(raw: bytes, recording: Recording, file: str) -> Iterator[tuple[str, Row]]:
    table = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")))
    missing = [name for name in ("level", "frame_start", "frame_end") if name not in (table.fieldnames or ())]
    if missing:
        raise FormatError(file, "line 1", table.fieldnames, f"columns {', '.join(missing)} too")
    for record in table:
        where = f"line {table.line_num}"
        if record.get("episode_id") not in (None, "", recording.episode_id):
            continue
        first, last = (whole_in(file, where, record[name]) for name in ("frame_start", "frame_end"))
        for name, frame in (("start_s", first), ("end_s", last)):
            said = record.get(name)
            if said and 0 <= frame <= len(recording.clock) and recording.frame_at(_ns(file, where, said)) != frame:
                at = _seconds(recording, frame)
                raise FormatError(file, f"{where}, {name}", said, f"{at}, where frame {frame} is; leave it empty")
        yield (
            where,
            Row(
                level_in(file, where, record["level"]),
                first,
                last,
                record.get("caption") or "",
                verb_in(file, where, record.get("verb") or ""),
                objects_in(record.get("objects") or ""),
                arm_in(file, where, record.get("arm") or ""),
                state_in(file, where, record.get("state") or ""),
            ),
        )


def _seconds(recording: Recording, frame: int) -> str:
    whole, rest = divmod(recording.clock.edge_ns(frame), NS_PER_S)
    return f"{whole}.{rest:09d}"


def _ns(file: str, where: str, text: str) -> float:
    try:
        return float(text) * NS_PER_S
    except ValueError:
        raise FormatError(file, where, text, "seconds") from None
