"""``meta/`` of every version in one shape, lenient where datasets are, and clear where nothing can be read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_meta import (
    Info,
    Listed,
    Piece,
    json_lines,
    listed_episodes,
    load_info,
    load_texts,
    path_of,
)
from tests.pipeline.sources.datasets import discovered, spec_for, write_v2, write_v3

V2: dict[str, Any] = {"codebase_version": "v2.1", "fps": 20, "features": {}}
V3: dict[str, Any] = {"codebase_version": "v3.0", "fps": 20, "features": {"front": {"dtype": "video"}}}


def put(root: Path, path: str, contents: object) -> SourceFiles:
    """One file below ``root``: bytes as they are, a table as parquet, a list as JSON lines, anything else as JSON."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(contents, pa.Table):
        pq.write_table(contents, target)
    elif isinstance(contents, bytes):
        target.write_bytes(contents)
    elif isinstance(contents, list):
        target.write_text("".join(json.dumps(line) + "\n" for line in contents))
    else:
        target.write_text(json.dumps(contents))
    return SourceFiles(str(root))


def info_of(root: Path, stated: dict[str, Any]) -> Info:
    return load_info(put(root, "meta/info.json", stated))


def listed(root: Path, stated: dict[str, Any]) -> list[Listed]:
    return list(listed_episodes(SourceFiles(str(root)), info_of(root, stated)))


# -- info.json -------------------------------------------------------------------------------------------------


def test_what_info_leaves_out_is_the_formats_default(tmp_path: Path) -> None:
    info = info_of(tmp_path, V2)
    assert (info.robot_type, info.chunks_size, info.major) == ("unknown", 1000, 2)
    episode = Listed(7, None, (), Piece(1, 7), {})
    assert path_of(info, "data_path", episode, episode.data) == "data/chunk-001/episode_000007.parquet"
    assert path_of(info, "video_path", episode, Piece(1, 7), "front") == "videos/chunk-001/front/episode_000007.mp4"


def test_version_3_places_files_by_chunk_and_file(tmp_path: Path) -> None:
    info = info_of(tmp_path, V3)
    episode = Listed(7, None, (), Piece(2, 5), {})
    assert path_of(info, "data_path", episode, episode.data) == "data/chunk-002/file-005.parquet"
    assert path_of(info, "video_path", episode, Piece(0, 3), "front") == "videos/front/chunk-000/file-003.mp4"


def test_placeholders_of_another_version_are_read_as_what_they_stand_for_and_can_be_told(tmp_path: Path) -> None:
    info = info_of(tmp_path, {**V3, "data_path": "data/{episode_chunk:02d}/{episode_file}.parquet"})
    assert path_of(info, "data_path", Listed(7, None, (), Piece(2, 5), {}), Piece(2, 5)) == "data/02/5.parquet"
    assert info.odd_placeholders("data_path") == {"episode_chunk", "episode_file"}
    assert info.odd_placeholders("video_path") == set()


def test_only_colour_videos_are_views(tmp_path: Path) -> None:
    depth = {"dtype": "video", "info": {"video.is_depth_map": True}}
    older = {"dtype": "video", "video_info": {"is_depth_map": True}}
    features = {"wrist": {"dtype": "video"}, "depth": depth, "old": older, "front": {"dtype": "video", "info": None}}
    assert info_of(tmp_path, {**V2, "features": {**features, "still": {"dtype": "image"}}}).video_keys == [
        "front", "wrist",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"{", r"info\.json: not JSON \(.*\); the metadata is damaged: fetch it again"),
        (b'{"robot_type": "\xff"}', r"info\.json: not JSON \(.*\); the metadata is damaged"),
        ("{}".encode("utf-16"), r"info\.json: not JSON \(.*\); the metadata is damaged"),
        ([[1]], r"info\.json: found list, expected a JSON object"),
        ({**V2, "codebase_version": "v1.6"}, r"codebase_version is v1\.6, expected v2\.0, .*; convert it with LeRobot"),
        ({"fps": 20}, r"codebase_version is None, expected v2\.0"),
        ({**V2, "fps": "20"}, r"fps is '20', expected a number above 0; correct it"),
        ({**V2, "fps": -1}, r"fps is -1, expected a number above 0"),
        ({**V2, "features": []}, r"features is \[\], expected an object by feature"),
        ({**V2, "video_path": "v/{camera}.mp4"}, r"video_path has the placeholder 'camera', expected some of \['chunk"),
    ],
)
def test_an_unusable_info_says_what_was_found_and_expected(tmp_path: Path, contents: Any, message: str) -> None:
    files = put(tmp_path, "meta/info.json", contents)
    with pytest.raises(SourceError, match=message):
        load_info(files)


def test_a_folder_that_is_no_dataset_sends_one_to_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"meta/info\.json: no such file, .*; correct `path` of the source"):
        load_info(SourceFiles(str(tmp_path)))


# -- the list of episodes --------------------------------------------------------------------------------------


def test_version_2_lists_one_episode_per_line_in_its_own_chunk(tmp_path: Path) -> None:
    lines = [
        {"episode_index": 5, "tasks": ["fold"], "length": 9},
        {"episode_index": 11, "tasks": {"main": "open", "other": "shut"}},
        {"episode_index": 2, "tasks": "wipe", "length": None},
        {"episode_index": 3},
    ]
    put(tmp_path, "meta/episodes.jsonl", lines)
    found = listed(tmp_path, {**V2, "chunks_size": 5, "features": {"front": {"dtype": "video"}}})
    assert [episode.index for episode in found] == [5, 11, 2, 3]
    assert [episode.length for episode in found] == [9, None, None, None]
    assert [episode.tasks for episode in found] == [("fold",), ("open", "shut"), ("wipe",), ()]
    assert [episode.data.chunk for episode in found] == [1, 2, 0, 0]
    assert found[0].videos == {"front": Piece(1, 5)}


def test_version_3_says_where_in_which_file_an_episode_is(tmp_path: Path) -> None:
    row = {
        "episode_index": 4, "length": 9, "tasks": ["fold"], "data/chunk_index": 1, "data/file_index": 2,
        "videos/front/chunk_index": 3, "videos/front/file_index": 4,
        "videos/front/from_timestamp": 1.5, "videos/front/to_timestamp": 2.0, "stats/action/mean": [0.0],
    }  # fmt: skip
    put(tmp_path, "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist([row]))
    put(tmp_path, "meta/episodes/chunk-000/file-001.parquet", pa.table({"episode_index": [5]}))
    assert listed(tmp_path, V3) == [
        Listed(4, 9, ("fold",), Piece(1, 2), {"front": Piece(3, 4, (1.5, 2.0))}),
        Listed(5, None, (), Piece(0, 0), {"front": Piece(0, 0, None)}),
    ]


def test_a_list_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"meta/episodes: no parquet file below it, expected the list of episodes"):
        listed(tmp_path, V3)


@pytest.mark.parametrize("index", ["5", None, True, 1.0, 2**63])
def test_an_episode_without_a_whole_number_is_an_error_that_names_the_line(tmp_path: Path, index: object) -> None:
    put(tmp_path, "meta/episodes.jsonl", [{"episode_index": 0}, {"episode_index": index}])
    with pytest.raises(SourceError, match=rf"episodes\.jsonl:2: episode_index is {index!r}, expected an integer; .*"):
        listed(tmp_path, V2)


@pytest.mark.parametrize("at", [0, 20], ids=["no parquet file", "damaged pages under a whole footer"])
def test_a_damaged_list_is_an_error_that_names_the_file(tmp_path: Path, at: int) -> None:
    path = "meta/episodes/file-000.parquet"
    put(tmp_path, path, pa.table({"episode_index": range(1000)}))
    whole = (tmp_path / path).read_bytes()
    put(tmp_path, path, b"" if at == 0 else whole[:at] + b"\xff" * 30 + whole[at + 30 :])
    with pytest.raises(SourceError, match=r"(?s)file-000\.parquet: not a readable parquet file .*; fetch it again"):
        listed(tmp_path, V3)


# -- texts and lines -------------------------------------------------------------------------------------------


def test_texts_are_found_in_parquet_under_any_name_and_in_json_lines(tmp_path: Path) -> None:
    put(tmp_path / "a", "meta/tasks.parquet", pa.table({"task_index": [1, 0], "__index_level_0__": ["shut", "open"]}))
    put(tmp_path / "b", "meta/tasks.jsonl", [{"task_index": 0, "task": "open"}, {"task_index": 1, "task": "shut"}])
    for folder in ("a", "b"):
        assert load_texts(SourceFiles(str(tmp_path / folder)), "meta/tasks", "task_index") == {0: "open", 1: "shut"}


def test_a_dataset_may_have_no_texts(tmp_path: Path) -> None:
    assert load_texts(SourceFiles(str(tmp_path)), "meta/subtasks", "subtask_index") == {}


def test_an_index_without_text_has_an_empty_one(tmp_path: Path) -> None:
    files = put(tmp_path, "meta/tasks.jsonl", [{"task_index": 3}])
    assert load_texts(files, "meta/tasks", "task_index") == {3: ""}


@settings(deadline=None, derandomize=True)
@given(lines=st.lists(st.none() | st.dictionaries(st.text(), st.integers() | st.text(), max_size=2), max_size=6))
def test_json_lines_are_all_given_with_their_number_and_blank_ones_passed_over(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any] | None]
) -> None:
    text = "".join("\n" if line is None else json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    files = put(tmp_path_factory.mktemp("lines"), "x.jsonl", text.encode("utf-8"))
    expected = [(f"{files.root}/x.jsonl:{i}", line) for i, line in enumerate(lines, start=1) if line is not None]
    assert list(json_lines(files, "x.jsonl")) == expected


# -- what is said of an episode as a whole -----------------------------------------------------------------------


def test_skills_and_outcomes_of_episodes_are_kept_and_nothing_else(tmp_path: Path) -> None:
    config = [
        {"start_frame": 0, "end_frame": 9, "action_text": "Grasp", "skill": "Pick", "more": 1},
        {"start_frame": "0", "end_frame": 9, "action_text": "damaged"},
        "damaged",
    ]
    lines = [
        {"episode_index": 0, "action_config": config, "task_status": "recovered", "mean_speed": 3.0},
        {"episode_index": 1, "action_config": None},
    ]
    put(tmp_path, "meta/episodes.jsonl", lines)
    found = listed(tmp_path, V2)
    assert found[0].notes == {"action_config": [[0, 9, "Grasp", "Pick"]], "task_status": "recovered"}
    assert found[1].notes == {}


def test_pictures_inside_the_table_are_views_too(tmp_path: Path) -> None:
    features = {
        "still": {"dtype": "image"},
        "front": {"dtype": "video"},
        "wrist_depth": {"dtype": "image"},
        "x": {"dtype": "float32"},
    }
    info = info_of(tmp_path, {**V2, "features": features})
    assert (info.view_keys, info.video_keys) == (["front", "still"], ["front"])


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"fps": 1e400}, r"fps is inf, expected a number above 0"),
        ({"fps": 10**9}, r"fps is 1000000000"),
        ({"chunks_size": "x"}, r"chunks_size is 'x', expected a whole number above 0"),
        ({"chunks_size": -5}, r"chunks_size is -5"),
        ({"features": {"x": 5}}, r"the feature 'x' is 5; the metadata is damaged"),
        ({"features": {"x": {"shape": ["a"]}}}, r"the feature 'x' is \{'shape': \['a'\]\}; the metadata is damaged"),
    ],
)
def test_numbers_that_mean_nothing_are_an_error(tmp_path: Path, stated: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        info_of(tmp_path, {**V2, **stated})


def test_an_episode_listed_again_counts_once(tmp_path: Path) -> None:
    write_v2(tmp_path, [4, 5])
    episodes = tmp_path / "meta/episodes.jsonl"
    first, second = episodes.read_text().splitlines(keepends=True)
    episodes.write_text(first * 1000 + second)
    refs, findings = discovered(spec_for(tmp_path))
    assert [ref.locator for ref in refs] == ["episode_index=0", "episode_index=1"]
    (finding,) = [finding for finding in findings if finding.check == "episode_listed_twice"]
    assert finding.value == 999


def test_more_texts_than_any_dataset_has_are_an_error(tmp_path: Path) -> None:
    write_v3(tmp_path, [4])
    tasks = pa.table({"task_index": pa.array(np.zeros(2_000_001, np.int8)), "task": pa.nulls(2_000_001, pa.string())})
    pq.write_table(tasks, tmp_path / "meta/tasks.parquet")
    with pytest.raises(SourceError, match=r"tasks\.parquet: claims 2000001 rows, expected at most 2000000"):
        discovered(spec_for(tmp_path))
