"""The numbers each tool means by the first five pictures, and by the sixth to the last of forty."""

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from annotators.review.formats import csv_table, cvat, elan, fiftyone, label_studio, lerobot
from annotators.review.formats.row import FormatError, Recording, Row
from schemas.event import Level, Verb
from schemas.time import FrameClock
from tests.annotators.review.formats.recordings import EVEN, FIRST_FIVE, REST

BOTH = [FIRST_FIVE, REST]


def test_csv_is_ours_0_based_and_half_open_with_seconds_to_the_nanosecond() -> None:
    lines = csv_table.written(BOTH, EVEN).decode().splitlines()
    assert lines[1] == "ep-1,action,0,5,0.000000000,0.200000000,Pour the tea,pour,tea; red cup,left,edited"
    assert lines[2] == "ep-1,action,5,40,0.200000000,1.600000000,Wipe,wipe,,,proposed"


def test_csv_seconds_are_the_pictures_own_whatever_the_frame_rate() -> None:
    """F6: a clock that dropped pictures; seconds equal the source's times."""
    clock = FrameClock(np.array([0, 33_333_333, 133_333_334, 166_666_667, 200_000_001, 700_000_003]), 733_333_336)
    line = csv_table.written([Row(Level.TASK, 0, 5)], Recording("ep-1", "f", clock)).decode().splitlines()[1]
    assert float(line.split(",")[5]) == pytest.approx(0.700000003, abs=1e-9)


def test_csv_seconds_that_contradict_the_frames_are_refused() -> None:
    raw = csv_table.written(BOTH, EVEN).replace(b"0.200000000,Pour", b"0.240000000,Pour")
    with pytest.raises(FormatError, match=r"e\.csv, line 2, end_s: found '0\.240000000', expected 0\.200000000"):
        csv_table.read(raw, EVEN, "e.csv")
    alone = b"level,frame_start,frame_end\naction,0,5\n"
    assert csv_table.read(alone, EVEN, "e.csv") == [Row(Level.ACTION, 0, 5)]
    with pytest.raises(FormatError, match="found 'actoin', expected a level: task, subtask, action, segment"):
        csv_table.read(alone.replace(b"action", b"actoin"), EVEN, "e.csv")
    with pytest.raises(FormatError, match="columns frame_end too"):
        csv_table.read(b"level,frame_start\naction,0\n", EVEN, "e.csv")


def test_elan_counts_milliseconds() -> None:
    root = ET.fromstring(elan.written(BOTH, EVEN))
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    tier = next(tier for tier in root.iter("TIER") if tier.get("TIER_ID") == "action")
    spans = [
        (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")]) for a in tier.iter("ALIGNABLE_ANNOTATION")
    ]
    assert spans == [("0", "200"), ("200", "1600")]
    assert [value.text for value in tier.iter("ANNOTATION_VALUE")] == ["Pour the tea", "Wipe"]
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"  # type: ignore[union-attr]


def test_elan_rounds_to_the_nearest_millisecond_and_comes_back_to_the_frame() -> None:
    thirty = Recording("ep-1", "f", FrameClock(np.round(np.arange(30) * 1e9 / 30).astype(np.int64), 10**9))
    raw = elan.written([Row(Level.TASK, 1, 8)], thirty)
    assert b'TIME_VALUE="33"' in raw  # 33.3 ms
    assert b'TIME_VALUE="267"' in raw  # 266.7 ms
    assert elan.read(raw, thirty, "f")[0].frame_end == 8


def test_elan_of_other_people_is_read_by_the_names_of_its_tiers() -> None:
    raw = elan.written(BOTH, EVEN)
    assert elan.read(raw.replace(b'"action', b'"gesture'), EVEN, "f") == []
    with pytest.raises(FormatError, match="a tier named task or subtask or action or segment"):
        elan.read(b"<ANNOTATION_DOCUMENT><TIER TIER_ID='x'/></ANNOTATION_DOCUMENT>", EVEN, "f")
    with pytest.raises(FormatError, match="a document type"):
        elan.read(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", EVEN, "f")


def boxes(raw: bytes) -> list[list[tuple[str | None, str | None]]]:
    root = ET.fromstring(raw)
    return [[(box.get("frame"), box.get("outside")) for box in track.iter("box")] for track in root.iter("track")]


def test_cvat_counts_from_0_and_ends_on_the_first_picture_outside() -> None:
    assert boxes(cvat.written(BOTH, EVEN)) == [[("0", "0"), ("5", "1")], [("5", "0")]]


def test_cvat_of_a_task_with_a_step_takes_only_pictures_it_shows() -> None:
    assert boxes(cvat.written([Row(Level.TASK, 10, 16)], EVEN, task=cvat.Task(4, 3))) == [[("10", "0"), ("16", "1")]]
    raw = cvat.written([Row(Level.TASK, 10, 40)], EVEN, task=cvat.Task(4, 3))
    assert cvat.read(raw, EVEN, "f") == [Row(Level.TASK, 10, 40)]
    with pytest.raises(FormatError, match="found 11, expected a picture of 4 and every 3 after"):
        cvat.written([Row(Level.TASK, 11, 16)], EVEN, task=cvat.Task(4, 3))


def test_cvat_tracks_that_come_back_are_several_events() -> None:
    raw = (
        b"<annotations><track id='3' label='action'><box frame='0' outside='0'/><box frame='5' outside='1'/>"
        b"<box frame='9' outside='0'/></track></annotations>"
    )
    assert cvat.read(raw, EVEN, "f") == [Row(Level.ACTION, 0, 5), Row(Level.ACTION, 9, 40)]


def test_label_studio_counts_from_1_and_holds_the_last_picture() -> None:
    (task,) = json.loads(label_studio.written(BOTH, EVEN))
    results = task["annotations"][0]["result"]
    ranges = [r["value"]["ranges"] for r in results if r["type"] == "timelinelabels"]
    assert ranges == [[{"start": 1, "end": 5}], [{"start": 6, "end": 40}]]
    assert [r["value"]["timelinelabels"] for r in results if r["type"] == "timelinelabels"] == [["action"]] * 2
    assert len({r["id"] for r in results}) == 2
    raw = label_studio.written(BOTH, EVEN).replace(b'"start": 1,', b'"start": 0,')
    with pytest.raises(FormatError, match="found 0, expected 1 or more"):
        label_studio.read(raw, EVEN, "f")


def test_fiftyone_counts_from_1_and_holds_the_last_picture() -> None:
    (sample,) = json.loads(fiftyone.written(BOTH, EVEN))["samples"]
    assert [one["support"] for one in sample["events"]["detections"]] == [[1, 5], [6, 40]]
    with pytest.raises(FormatError, match="counted from 1"):
        fiftyone.read(fiftyone.written(BOTH, EVEN).replace(b"1,\n", b"0,\n"), EVEN, "f")


def test_lerobot_timestamps_are_the_tables_float32_to_the_bit() -> None:
    """F6: whatever the dataset's own table says, also where it is not frame ÷ rate."""
    own = np.cumsum(np.full(40, 1 / 30, np.float32)).astype(np.float32)
    recording = replace(EVEN, timestamps=own)
    table = pq.read_table(io.BytesIO(lerobot.written(BOTH, recording)))
    assert np.array_equal(table.column("timestamp").to_numpy(), own)
    for items in table.column("language_persistent").to_pylist():
        assert [(i["style"], i["content"], i["role"]) for i in items] == [
            ("motion", "Pour the tea", "assistant"), ("motion", "Wipe", "assistant"),
        ]  # fmt: skip
        assert [np.float32(i["timestamp"]) for i in items] == [own[0], own[5]]
    assert float(own[5]) != float(np.float32(5 / 30))


def test_lerobot_refuses_a_timestamp_that_is_no_frames() -> None:
    raw = lerobot.written(BOTH, EVEN)
    other = replace(EVEN, clock=FrameClock(EVEN.clock.times_ns[:39], 1_560_000_000))
    with pytest.raises(FormatError, match="found 40, expected 39 frames"):
        lerobot.read(raw, other, "f")
    assert [row.verb for row in lerobot.read(raw, EVEN, "f")] == [Verb.POUR, Verb.WIPE]
