"""Counting what is listed against what is there, and saying it once per source."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.lerobot.lerobot_census import Census, Numbers
from pipeline.sources.lerobot.lerobot_meta import Info
from schemas.finding import Finding, Verdict


def info(features: dict[str, Any] | None = None, **stated: Any) -> Info:
    return Info("made/meta/info.json", "v2.1", 20.0, "arm", 1000, {}, features or {}, stated)


def listing(*lengths: int | None) -> Census:
    census = Census()
    for length in lengths:
        census.list(length)
    return census


def findings(census: Census, about: Info | None = None, n_tasks: int = 0) -> list[Finding]:
    return list(census.findings("made", about or info(), n_tasks))


def numbers(*members: int) -> Numbers:
    found = Numbers()
    for member in members:
        found.add(member)
    return found


@settings(deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 60)))
def test_ranges_hold_every_number_once_and_nothing_else(members: set[int]) -> None:
    found = numbers(*sorted(members))
    assert [n for first, last in found.ranges for n in range(first, last + 1)] == sorted(members)
    assert found.count == len(members)
    assert all(end + 1 < start for (_, end), (start, _) in zip(found.ranges, found.ranges[1:], strict=False))


def test_numbers_are_told_as_ranges() -> None:
    assert numbers(0, 1, 2, 7, 9, 10).text == "0-2, 7, 9-10"
    assert numbers().text == ""


def test_a_long_list_of_ranges_is_cut_short_and_says_so() -> None:
    assert numbers(*range(0, 24, 2)).text.endswith("20, 22")
    assert numbers(*range(0, 26, 2)).text.endswith("20, 22, …")


def test_a_complete_dataset_with_right_totals_says_nothing() -> None:
    totals = {"total_episodes": 2, "total_frames": 22, "total_tasks": 1, "total_videos": 2, "splits": {"train": "0:2"}}
    assert findings(listing(10, 12), info({"front": {"dtype": "video"}}, **totals), n_tasks=1) == []


def test_missing_episodes_are_dropped_and_name_one_file_to_look_for() -> None:
    census = listing(10, 10, 10)
    census.miss(1, "data/1.parquet")
    census.miss(2, "data/2.parquet")
    (finding,) = findings(census)
    assert (finding.check, finding.verdict, finding.value) == ("listed_episode_missing", Verdict.DROP, 2.0)
    assert finding.message == (
        "made: 2 of 3 listed episodes have no files (1-2), e.g. data/1.parquet; complete the download, or use what "
        "there is"
    )


def test_episodes_that_cannot_be_placed_in_a_shared_video_say_which_keys_to_add() -> None:
    census = listing(10, 10)
    census.unplaced.add(1)
    (finding,) = findings(census)
    assert (finding.check, finding.verdict) == ("video_window_missing", Verdict.DROP)
    assert "(1); add from_timestamp and to_timestamp to meta/episodes" in finding.message


def test_a_missing_camera_is_counted_among_the_episodes_that_are_there() -> None:
    census = listing(10, 10, 10)
    census.miss(0, "data/0.parquet")
    census.miss_video("wrist", 2)
    census.miss_video("front", 1)
    census.miss_video("front", 2)
    found = [finding for finding in findings(census) if finding.check == "camera_missing"]
    assert [finding.verdict for finding in found] == [Verdict.KEEP] * 2
    assert "camera front has no file for 2 of the 2 episodes there are (1-2)" in found[0].message
    assert "camera wrist has no file for 1 of the 2" in found[1].message


def test_every_total_that_is_wrong_is_told_in_a_fixed_order() -> None:
    stated = {"total_videos": 9, "total_episodes": 5, "total_frames": 1, "total_tasks": 4}
    found = findings(listing(10, 12), info({"front": {"dtype": "video"}}, **stated), n_tasks=1)
    assert [finding.check for finding in found] == ["listed_total_disagrees"] * 4
    assert [finding.value for finding in found] == [2.0, 22.0, 1.0, 2.0]
    assert found[0].message == (
        "made/meta/info.json: total_episodes says 5, the listed episodes make 2; correct the total"
    )


def test_frames_are_not_compared_when_a_length_is_unknown() -> None:
    assert findings(listing(10, None), info(total_frames=99)) == []


def test_a_split_beyond_the_last_episode_is_told() -> None:
    (finding,) = findings(listing(10, 10), info(splits={"test": "1:2", "train": "0:100"}))
    assert "split train says 0:100, found 2 episodes; splits are not read" in finding.message
