"""The tables of texts that a LeRobot dataset's index columns refer to, and which of them an episode needs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_meta import Info, Listed, load_texts
from pipeline.sources.lerobot.lerobot_rows import read_table

TASK = "task_index"
_TASKS = ("meta/tasks", TASK)
_SUBTASKS = ("meta/subtasks", "subtask_index")
_TABLES = {
    "subtask_index": _SUBTASKS,
    "low_level_task_index": _SUBTASKS,
    "coarse_task_index": _TASKS,
    "quality_index": _TASKS,
    "subtask_annotation": ("annotations/subtask_annotations", "subtask_index"),
    "scene_annotation": ("annotations/scene_annotations", "scene_index"),
}
"""LeRobot and HABIT keep subtasks in ``meta/``, Galaxea among the tasks, RoboCOIN in a folder of its own."""


def is_index(column: str) -> bool:
    """Whether a column of whole numbers stands for texts, the task's own aside."""
    return column.startswith("annotation.") or column in _TABLES


@dataclass(frozen=True)
class Vocabulary:
    """The dataset's texts by index, by table."""

    tables: Mapping[str, Mapping[int, str]]

    @property
    def tasks(self) -> Mapping[int, str]:
        return self.tables.get(_TASKS[0], {})

    def needed(self, files: SourceFiles, table_path: str, listed: Listed, info: Info) -> dict[str, dict[str, str]]:
        """The texts one episode's index columns refer to, by column; so that new texts change no old episode.

        Tasks are known from the listing; other index columns are looked up in the rows, which only datasets that
        have such columns pay for.
        """
        texts = {TASK: {str(key): text for key, text in self.tasks.items() if text in listed.tasks}}
        columns = [name for name in info.features if is_index(name)]
        if not columns:
            return texts
        table = read_table(files, table_path, listed.index, shared=info.major == 3, columns=[*columns, TASK])
        for column in table.column_names:
            if not is_indices(table.schema.field(column).type):
                continue
            known = self.tables.get(_TABLES.get(column, _TASKS)[0], {})
            used = sorted({index for row in indices(table, column) for index in row})
            texts.setdefault(column, {}).update({str(key): known[key] for key in used if key in known})
        return texts


def load_vocabulary(files: SourceFiles, info: Info) -> Vocabulary:
    """The tables that the dataset's columns refer to."""
    wanted = {_TASKS, *(_TABLES[name] for name in info.features if name in _TABLES)}
    return Vocabulary({stem: load_texts(files, stem, key) for stem, key in sorted(wanted)})


def is_indices(kind: pa.DataType) -> bool:
    """Whether a column holds whole numbers, or lists of them."""
    return bool(pa.types.is_integer(element_of(kind)))


def element_of(kind: pa.DataType) -> pa.DataType:
    """The type of a scalar, also when it is kept as a list."""
    return kind.value_type if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) else kind


def indices(table: pa.Table, column: str) -> list[list[int]]:
    """The indices of each row; numbers below 0 and nulls stand for none."""
    rows = table.column(column).to_pylist()
    listed = [value if isinstance(value, list) else [value] for value in rows]
    return [[index for index in row if index is not None and index >= 0] for row in listed]
