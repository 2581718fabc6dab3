"""Which texts the index columns of an episode refer to, wherever a dataset keeps them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_meta import Info, Listed, Piece
from pipeline.sources.lerobot.lerobot_texts import Vocabulary, load_vocabulary


def info(*features: str, version: str = "v2.1") -> Info:
    return Info("info.json", version, 20.0, "arm", 1000, {}, {name: {"dtype": "int64"} for name in features}, {})


def test_an_episode_needs_only_the_texts_of_its_own_tasks() -> None:
    vocabulary = Vocabulary({"meta/tasks": {0: "fold", 1: "wipe"}})
    listed = Listed(3, 2, ("wipe",), Piece(0, 3), {})
    needed = vocabulary.needed(SourceFiles("nowhere"), "table.parquet", listed, info("task_index"))
    assert needed == {"task_index": {"1": "wipe"}}, "known from the listing: the table is not opened"


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_an_episode_needs_the_texts_its_index_columns_refer_to(tmp_path: Path, version: str) -> None:
    table = pa.table(
        {"episode_index": [3, 3], "annotation.goal": [1, 9], "subtask_index": [0, 0], "task_index": [2, 2]}
    )
    pq.write_table(table, tmp_path / "table.parquet")
    vocabulary = Vocabulary(
        {"meta/tasks": {0: "fold", 1: "wipe", 2: "rest"}, "meta/subtasks": {0: "reach", 1: "grasp"}}
    )
    features = info("annotation.goal", "subtask_index", version=version)
    listed = Listed(3, 2, ("fold",), Piece(0, 0), {})
    assert vocabulary.needed(SourceFiles(str(tmp_path)), "table.parquet", listed, features) == {
        "task_index": {"0": "fold", "2": "rest"},
        "annotation.goal": {"1": "wipe"},
        "subtask_index": {"0": "reach"},
    }


def test_subtask_texts_are_loaded_only_for_datasets_that_have_the_column(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    for stem, key, text in (("tasks", "task_index", "fold"), ("subtasks", "subtask_index", "reach")):
        (tmp_path / f"meta/{stem}.jsonl").write_text(f'{{"{key}": 0, "text": "{text}"}}\n')
    files = SourceFiles(str(tmp_path))
    assert load_vocabulary(files, info("task_index")) == Vocabulary({"meta/tasks": {0: "fold"}})
    assert load_vocabulary(files, info("low_level_task_index")) == Vocabulary(
        {"meta/subtasks": {0: "reach"}, "meta/tasks": {0: "fold"}}
    )


def test_robocoin_keeps_its_texts_in_a_folder_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/subtask_annotations.jsonl").write_text('{"subtask_index": 4, "subtask": "lift"}\n')
    (tmp_path / "annotations/scene_annotations.jsonl").write_text('{"scene_index": 0, "scene": "a table"}\n')
    table = pa.table({"subtask_annotation": [[4, -1, -1], [4, 7, -1]], "scene_annotation": [0, 0]})
    pq.write_table(table, tmp_path / "table.parquet")
    files, features = SourceFiles(str(tmp_path)), info("subtask_annotation", "scene_annotation")
    needed = load_vocabulary(files, features).needed(
        files, "table.parquet", Listed(3, 2, (), Piece(0, 0), {}), features
    )
    assert needed == {"task_index": {}, "subtask_annotation": {"4": "lift"}, "scene_annotation": {"0": "a table"}}
