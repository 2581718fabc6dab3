"""What can share a dataset, and what has no place in one."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.exporters.kinds import (
    Kind,
    KindView,
    folder_names,
    fps_of,
    kind_of,
    read_event,
    retiming_ns,
    sorted_by_kind,
)
from pipeline.loader.reader import ShardSet

MS = 1_000_000


@pytest.mark.parametrize(
    ("step_ns", "fps"), [(50 * MS, 20), (33_366_667, 30), (41_708_333, 24), (1000 * MS, 1), (66_666_667, 15)]
)
def test_a_rate_near_a_whole_number_is_that_number(step_ns: int, fps: int) -> None:
    assert fps_of(np.arange(10) * step_ns) == fps


def test_any_other_rate_has_no_place() -> None:
    assert fps_of(np.arange(10) * 80 * MS) == "12.5 frames/s is no whole number, and the format has no other rates"
    assert fps_of(np.arange(10) * 2000 * MS) == "0.5 frames/s is no whole number, and the format has no other rates"
    assert fps_of(np.array([5])) == "an event of a single frame has no rate"


def test_a_missing_picture_is_not_closed_up() -> None:
    times = np.delete(np.arange(10), 4) * 50 * MS
    assert fps_of(times) == "frames are not evenly spaced, and the format knows no others"


def test_retiming_is_the_largest_shift() -> None:
    assert retiming_ns(7 + np.arange(31) * 33_366_667, 30) == pytest.approx(30 * 33_366_667 - 1000 * MS, abs=2)


def test_every_event_has_a_kind(opened: ShardSet) -> None:
    kinds, losses = sorted_by_kind(opened, "train")
    assert sorted(t for draws in kinds.values() for t in draws) == list(range(opened.n_samples("train")))
    assert losses.events == {"view wrist: its frames are not those of the master view, one for one": 12}
    for kind, draws in kinds.items():
        for t in draws:
            sample = opened.read("train", t)
            assert kind.robot == sample.statistics_group
            assert kind.licence == sample.record["licence"]
            assert [view.camera for view in kind.views] == [camera for camera in sample.views if camera != "wrist"]
            has_actions = sample.action_T20 is not None
            assert kind.action == (tuple(np.flatnonzero(sample.known_20)) if has_actions else ())


def test_a_view_with_frames_of_its_own_is_left_behind_and_named(opened: ShardSet) -> None:
    event = read_event(opened, "train", 0)
    times = dict(event.sample.view_times_ns)
    other = next(camera for camera in times if camera != event.sample.master_view)
    for own in (times[other][:-1], times[other] + 30 * MS):
        placed = kind_of(replace(event.sample, view_times_ns={**times, other: own}), event.members)
        assert placed.lost == (f"view {other}: its frames are not those of the master view, one for one",)
        assert placed.kind is not None
        assert other not in [view.camera for view in placed.kind.views]


def test_folders_are_named_after_robot_and_rate() -> None:
    small, large = (Kind("Arm 7:pseudo", 20, (KindView("top", size, 48),), (), (), (), "MIT") for size in (64, 128))
    named = folder_names([large, small])
    assert list(named) == ["arm_7_pseudo_20fps_1", "arm_7_pseudo_20fps_2"]
    assert named["arm_7_pseudo_20fps_1"] == small
    assert list(folder_names([small])) == ["arm_7_pseudo_20fps"]
