"""Every format gives back what it was given, on clocks of any kind, and refuses what is none of it."""

from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given, settings

from annotators.review.formats import csv_table, cvat, elan, fiftyone, label_studio, lerobot
from annotators.review.formats.row import FormatError, Recording, Row, checked, rows_of
from schemas.event import Level
from tests.annotators.review.formats.recordings import EVEN, FIRST_FIVE, REST, annotated
from tests.annotators.review.made import made

WHOLE = (csv_table, cvat, elan, fiftyone, label_studio)
"""All that carry everything."""


@pytest.mark.parametrize("module", WHOLE, ids=lambda module: module.__name__.rpartition(".")[2])
@settings(deadline=None, max_examples=40)
@given(annotated())
def test_everything_comes_back(module: ModuleType, given_: tuple[Recording, list[Row]]) -> None:
    recording, rows = given_
    assert module.read(module.written(rows, recording), recording, "file") == rows


@settings(deadline=None, max_examples=40)
@given(annotated())
def test_lerobot_gives_back_what_it_can_carry(given_: tuple[Recording, list[Row]]) -> None:
    recording, rows = given_
    carried = [(r.level, r.frame_start, r.frame_end, r.caption) for r in rows if r.level in lerobot.STYLES]
    back = lerobot.read(lerobot.written(rows, recording), recording, "file")
    assert [(r.level, r.frame_start, r.frame_end, r.caption) for r in back] == carried


@pytest.mark.parametrize("module", [*WHOLE, lerobot], ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_same_events_are_the_same_bytes_and_garbage_is_refused_by_name(module: ModuleType) -> None:
    assert module.written([FIRST_FIVE, REST], EVEN) == module.written([FIRST_FIVE, REST], EVEN)
    with pytest.raises(FormatError, match=r"^bad\.file, "):
        module.read(b"\x00garbage", EVEN, "bad.file")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (replace(FIRST_FIVE, frame_end=41), r"line 2: found 'frames \[0, 41\)', expected a span within \[0, 40\)"),
        (replace(FIRST_FIVE, frame_end=4), "expected at least 5 frames"),
        (
            replace(FIRST_FIVE, frame_end=8),
            r"line 3: found 'frames \[5, 40\)', expected no overlap with action \[0, 8\)",
        ),
    ],
)
def test_a_row_that_is_no_event_is_refused_by_file_row_found_and_expected(row: Row, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        checked([("line 2", row), ("line 3", REST)], 40, "events.csv")


def test_a_documents_events_come_by_level_and_time() -> None:
    rows = rows_of(made())
    assert [(r.level, r.frame_start, r.frame_end) for r in rows][:3] == [
        (Level.TASK, 0, 300), (Level.SUBTASK, 0, 200), (Level.SUBTASK, 200, 300),
    ]  # fmt: skip
    assert rows[0].caption == "task from 0"
    assert rows_of(made(), [Level.TASK]) == rows[:1]
