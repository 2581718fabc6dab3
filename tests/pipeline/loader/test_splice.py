"""Windows over the edges of events: pictures, rows and words of exactly what they cover, as if it were one event."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.loader.audit import audit
from pipeline.loader.plan import LoadPlan
from pipeline.loader.plan_loader import PlanLoader
from pipeline.loader.sample import EventSample
from pipeline.loader.splice import spliced
from pipeline.loader.timeline import EVENTS
from pipeline.loader.window import Window
from schemas.arrow import to_table
from schemas.load_plan import WindowKind
from schemas.shard_tables import EventEntry
from tests.pipeline.loader.made_shards import FRAME_NS, ROW_NS, SPEC, MadeEvent, grey, write_load_plan, write_set
from tests.pipeline.loader.test_timeline import event_entry

NUMBERS = [16, 17, 18, 19, 36, 37, 38, 39]
"""Two episodes, all of whose events have actions."""
CHUNKS = {"event_share": 0.0, "suffix_share": 0.0, "chunk_share": 1.0, "chunk_frames": 33, "chunk_over": "episode"}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_set(tmp_path_factory.mktemp("laid") / "set", NUMBERS, per_shard=3, laid=True)
    events = [MadeEvent(number, laid=True) for number in NUMBERS]
    table = to_table(
        EventEntry,
        [
            replace(event_entry("segment", event.start_ns, event.end_ns, f"part of {event.number}"), episode_id=episode)
            for event in events
            for episode in (f"ep-{event.number // 4}",)
        ],
    )
    pq.write_table(table, folder / EVENTS)
    return folder


def read(recordings: Path, plan: Path, **changes: Any) -> list[Window]:
    write_load_plan(plan, recordings, 6, SPEC.model_copy(update=changes))
    with PlanLoader(str(plan), str(recordings)) as loader:
        return [window for step in loader for pack in step.packs for window in pack.windows]


def covered(window: Window) -> list[tuple[int, int]]:
    """(event, its frame) of every frame shown, from when it was."""
    found = []
    episode = [MadeEvent(n, laid=True) for n in NUMBERS if f"ep-{n // 4}" == window.event.episode_id]
    for t_ns in window.times_ns.tolist():
        event = next(event for event in episode if event.start_ns <= t_ns < event.end_ns)
        found.append((event.number, (t_ns - event.start_ns) // FRAME_NS))
    return found


@pytest.mark.parametrize("changes", [CHUNKS, {"jitter_frames": 5}], ids=["chunks", "jitter"])
def test_pictures_and_rows_are_those_of_the_stretch(recordings: Path, tmp_path: Path, changes: Any) -> None:
    windows = read(recordings, tmp_path / "plan", **changes)
    assert sum(len({event for event, _ in covered(window)}) > 1 for window in windows) > 3
    for window in windows:
        shown = covered(window)
        for view, camera in enumerate(("front", "wrist")):
            seen = [float(picture.mean()) for picture in window.pixels[camera]]
            assert np.abs(np.subtract(seen, [grey(event, view, frame) for event, frame in shown])).max() <= 2
        times, rows = window.event.action_times_ns, window.event.action_T20
        assert times is not None
        assert rows is not None
        begin, end = window.times_ns[0], window.times_ns[0] + window.n_frames * FRAME_NS
        expected = [
            event.start_ns + row * ROW_NS
            for event in (MadeEvent(n, laid=True) for n in NUMBERS)
            if f"ep-{event.number // 4}" == window.event.episode_id
            for row in range(event.n_rows)
            if begin <= event.start_ns + row * ROW_NS < end
        ]
        assert times.tolist() == sorted(expected)
        assert len(rows) == len(times) == len(window.event.state_T20 if window.event.state_T20 is not None else ())


def test_a_chunk_carries_the_words_of_the_event_with_most_of_it(recordings: Path, tmp_path: Path) -> None:
    for window in read(recordings, tmp_path / "plan", **CHUNKS):
        assert window.kind == WindowKind.CHUNK
        assert window.n_frames == 33
        begin = int(window.times_ns[0])
        shares = {
            event.number: min(event.end_ns, begin + 33 * FRAME_NS) - max(event.start_ns, begin)
            for event in (MadeEvent(n, laid=True) for n in NUMBERS)
            if f"ep-{event.number // 4}" == window.event.episode_id
        }
        assert window.event.caption == f"does {max(shares, key=lambda number: shares[number])}"


def test_words_of_another_level_are_found_by_time(recordings: Path, tmp_path: Path) -> None:
    own = read(recordings, tmp_path / "own", **CHUNKS)
    other = read(recordings, tmp_path / "other", **CHUNKS, caption="segment")
    assert [window.event.caption.replace("does", "part of") for window in own] == [w.event.caption for w in other]
    whole = read(recordings, tmp_path / "task", caption="segment")
    assert {window.event.caption for window in whole} <= {f"part of {number}" for number in NUMBERS}


def test_an_audit_knows_how_far_windows_may_reach(recordings: Path, tmp_path: Path) -> None:
    read(recordings, tmp_path / "plan", **CHUNKS)
    report = audit(LoadPlan.open(str(tmp_path / "plan")))
    assert [check.name for check in report.checks if not check.ok] == []


def sample(number: int, **changes: Any) -> EventSample:
    from pipeline.loader.sample import sample_from_members
    from tests.pipeline.loader.made_shards import members

    found = sample_from_members(str(number), dict(members(MadeEvent(number, laid=True), 0)))
    return replace(found, **changes)


def test_moving_cameras_keep_a_pose_for_every_frame() -> None:
    poses = [np.tile(np.eye(4), (MadeEvent(n).n_frames, 1, 1)) * (n + 1) for n in (16, 17)]
    still = np.eye(4).tolist()
    parts = [
        sample(
            n,
            calib_json=json.dumps(
                {"cameras": {"front": {"extrinsics": p.tolist()}, "wrist": {"extrinsics": still}}}
            ).encode(),
        )
        for n, p in zip((16, 17), poses, strict=True)
    ]
    joined = spliced(parts, [1, 2])
    assert joined.event_id == parts[1].event_id
    cameras = joined.calibration()["cameras"]
    np.testing.assert_array_equal(cameras["front"]["extrinsics"], np.concatenate(poses))
    assert cameras["wrist"]["extrinsics"] == still
    assert len(joined.view_times_ns["front"]) == len(cameras["front"]["extrinsics"])


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="embodiment: adjoining events have"):
        spliced([sample(16), sample(17, embodiment="other")], [1, 1])
    with pytest.raises(ValueError, match="action_kind"):
        spliced([sample(16), sample(17, action_kind="none")], [1, 1])
