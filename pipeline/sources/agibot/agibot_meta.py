"""AgiBot World's ``task_info/task_<id>.json``: which episodes there are, what they are about, and their spans.

Entries are read one by one. Numbers become paths, so they must be whole and not negative; whatever else is not of the
documented type is left out and counted. The released files say ``lable_info`` where ``label_info`` is meant.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.sources.spans import says_something
from pipeline.sources.storage.json_file import dict_of, dicts_of, entries, text_of
from schemas.array import Ints
from schemas.episode import SourceSpan, SpanMeaning

TASKS = "task_info"
_TASK_FILE = re.compile(rf"{TASKS}/task_(\d{{1,12}})\.json")
_MAX_ID = 10**15
_RECOVERY = "failure recovery"


@dataclass(frozen=True)
class Listed:
    """One episode as its task's file lists it."""

    task: int
    episode: int
    entry: Mapping[str, Any]

    def about(self) -> dict[str, Any]:
        """What reading needs of the entry."""
        labels = dict_of(self.entry.get("label_info")) or dict_of(self.entry.get("lable_info"))
        return {
            "task_name": text_of(self.entry.get("task_name")).strip(),
            "scene": text_of(self.entry.get("init_scene_text")).strip(),
            "action_config": [
                [_frame(item.get("start_frame")), _frame(item.get("end_frame")), *_texts(item, "action_text", "skill")]
                for item in dicts_of(labels.get("action_config"))
            ],
            "key_frame": [
                [_frame(item.get("start")), _frame(item.get("end")), *_texts(item, "comment")]
                for item in dicts_of(labels.get("key_frame"))
            ],
        }


def task_files(files: SourceFiles) -> list[tuple[int, FileStat]]:
    """The task files by task, in numeric order. Raises SourceError when there is none."""
    matches = [(_TASK_FILE.fullmatch(stat.path), stat) for stat in files.list(TASKS, recursive=False)]
    found = [(int(match.group(1)), stat) for match, stat in matches if match is not None]
    if not found:
        raise SourceError(
            f"{files.url_of(TASKS)}: no task_<number>.json, expected AgiBot World's folder of task_info, observations "
            "and proprio_stats; correct `path`"
        )
    return sorted(found, key=lambda item: (item[0], item[1].path))


def listed_episodes(files: SourceFiles, task: int, stat: FileStat) -> Iterator[Listed]:
    """The episodes of one task in the file's order. Raises SourceError where the file is no such list."""
    for _, entry in entries(files, stat.path):
        episode = _frame(dict_of(entry).get("episode_id"))
        if episode is None:
            raise SourceError(f"{files.url_of(stat.path)}: an entry has no episode_id; it is no list of episodes")
        yield Listed(task, episode, entry)


def spans(about: Mapping[str, Any], edges_ns: Ints) -> tuple[list[SourceSpan], int]:
    """The annotations of an episode whose rows begin at ``edges_ns`` [T + 1], and how many are not inside it.

    Frames are half-open: one action ends with the frame at which the next one starts. What AgiBot calls an action
    ("Pick up the toast from the tray") is one object-goal: a subtask here, as in the LeRobot edition of the data.
    """
    found: list[SourceSpan] = []
    outside = 0
    for start, end, text, skill in about["action_config"]:
        placed = _placed(start, end, edges_ns)
        outside += placed is None
        found += _spans("action_config", placed, text, SpanMeaning.SUBTASK)
        found += _spans("skill", placed, skill, SpanMeaning.ACTION)
    for start, end, comment in about["key_frame"]:
        placed = _placed(start, end, edges_ns)
        outside += placed is None
        meaning = SpanMeaning.RECOVERY if _RECOVERY in comment.lower() else SpanMeaning.OTHER
        found += _spans("key_frame", placed, comment, meaning)
    return found, outside


def _placed(first: int | None, last: int | None, edges_ns: Ints) -> tuple[int, int] | None:
    """Frames in nanoseconds; None unless they are numbers inside the episode. One frame beyond its end is forgiven."""
    n_rows = len(edges_ns) - 1
    if first is None or last is None or not first < last <= n_rows + 1 or first >= n_rows:
        return None
    return int(edges_ns[first]), int(edges_ns[min(last, n_rows)])


def _spans(track: str, placed: tuple[int, int] | None, text: str, meaning: SpanMeaning) -> Iterator[SourceSpan]:
    if placed is not None and says_something(text):
        yield SourceSpan(track, *placed, text, meaning)


def _frame(value: object) -> int | None:
    """A whole number that is not negative, also one written as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_ID:
        return None
    return value


def _texts(item: Mapping[str, Any], *keys: str) -> list[str]:
    return [text_of(item.get(key)) for key in keys]


def task_language(about: Mapping[str, Any], edges_ns: Ints) -> Sequence[SourceSpan]:
    """What the scene looks like at the start, as a span over the whole episode; it is no part of the task's words."""
    return list(_spans("init_scene_text", (int(edges_ns[0]), int(edges_ns[-1])), about["scene"], SpanMeaning.OTHER))
