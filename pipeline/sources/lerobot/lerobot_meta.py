"""What a LeRobot dataset says about itself: ``meta/`` of v2.0, v2.1 and v3.0 in one shape.

v2 keeps one line per episode in ``episodes.jsonl`` and one file per episode; v3 keeps many episodes per file and
says where in ``meta/episodes/*.parquet``. Written against real datasets of all three versions and against
LeRobot's own reader (huggingface/lerobot, ``datasets/``), lenient where datasets in the wild are.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_paths import STANDARD, filled, placeholders, templates_of
from pipeline.sources.storage.json_file import dicts_of, parsed, text_of
from pipeline.sources.storage.parquet_texts import check_texts

INFO = "meta/info.json"
UNREADABLE = (pa.ArrowException, OSError, ValueError, TypeError, OverflowError)
"""What pyarrow raises on files that are cut short or damaged, depending on where."""
_LINES_BYTES = 1 << 20
"""Files of an object store give no lines of their own; each request for more of one costs a round trip."""
_MAX_LISTED = 2_000_000
"""Episodes or texts in one file of metadata. LeRobot starts another file long before."""
_MAX_FPS = 10_000.0
_MAX_SIDE = 1 << 31
_MAX_SECONDS = 1e7
_MAX_INTEGER = 1 << 63
_VIDEO, _PICTURE = "video", "image"
"""Feature types: an mp4 file beside the table, or picture files inside it."""
_CONFIG = "action_config"
"""AgiBot's and LingBot's list of an episode's skills, in ``meta/episodes``."""
_STATUS = "task_status"
"""HABIT's word about how an episode ended."""


@dataclass(frozen=True)
class Info:
    """``meta/info.json``, checked."""

    where: str
    """Its full name, for messages."""
    codebase_version: str
    fps: float
    robot_type: str
    chunks_size: int
    templates: Mapping[str, str]
    """``data_path`` and ``video_path``."""
    features: Mapping[str, Mapping[str, Any]]
    stated: Mapping[str, Any]
    """The file as it is, for totals that are only compared."""

    @property
    def major(self) -> int:
        return int(self.codebase_version[1])

    @property
    def video_keys(self) -> list[str]:
        """Features that are colour videos, sorted."""
        return [key for key in self.view_keys if not self.is_still(key)]

    @property
    def view_keys(self) -> list[str]:
        """Features that are views, as videos or as pictures inside the table, sorted."""
        views = [key for key, feature in self.features.items() if feature.get("dtype") in (_VIDEO, _PICTURE)]
        return sorted(key for key in views if not _is_depth(key, self.features[key]))

    def is_still(self, key: str) -> bool:
        """Whether a view is kept as pictures inside the table."""
        return self.features[key].get("dtype") == _PICTURE

    def odd_placeholders(self, template: str) -> set[str]:
        """Placeholders of a template that this version of the format does not use."""
        return placeholders(self.templates[template]) - STANDARD[self.major][template]


@dataclass(frozen=True)
class Piece:
    """Which file holds an episode's rows or pictures, and for pictures which part of it (seconds)."""

    chunk: int
    file: int
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Listed:
    """One episode as the metadata lists it."""

    index: int
    length: int | None
    tasks: tuple[str, ...]
    data: Piece
    videos: Mapping[str, Piece]
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What else is said of the episode as a whole: ``action_config``, ``task_status``."""


def load_info(files: SourceFiles) -> Info:
    """The dataset's ``info.json``. Raises SourceError when it is not there, not JSON or of another version."""
    where = files.url_of(INFO)
    if files.stat(INFO) is None:
        raise SourceError(f"{where}: no such file, expected a LeRobot dataset folder; correct `path` of the source")
    stated = _json(files.read(INFO), where)
    version = str(stated.get("codebase_version"))
    if not version.startswith(("v2.", "v3.")):
        raise SourceError(
            f"{where}: codebase_version is {version}, expected v2.0, v2.1 or v3.0; convert it with LeRobot"
        )
    fps, features = stated.get("fps"), stated.get("features")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= _MAX_FPS:
        raise SourceError(f"{where}: fps is {fps!r}, expected a number above 0; correct it")
    if not isinstance(features, dict):
        raise SourceError(f"{where}: features is {features!r}, expected an object by feature; the metadata is damaged")
    _check_features(features, where)
    chunks_size = stated.get("chunks_size") or 1000
    if isinstance(chunks_size, bool) or not isinstance(chunks_size, int) or chunks_size < 1:
        raise SourceError(f"{where}: chunks_size is {chunks_size!r}, expected a whole number above 0; correct it")
    return Info(
        where=where,
        codebase_version=version,
        fps=float(fps),
        robot_type=text_of(stated.get("robot_type")) or "unknown",
        chunks_size=chunks_size,
        templates=templates_of(stated, int(version[1]), where),
        features=features,
        stated=stated,
    )


def path_of(info: Info, template: str, listed: Listed, piece: Piece, video_key: str = "") -> str:
    """A file's path below the root. ``episode_chunk`` means ``chunk_index``, ``episode_file`` means ``file_index``."""
    return filled(
        info.templates[template],
        chunk=piece.chunk,
        file=piece.file,
        episode=listed.index,
        video_key=video_key,
        where=info.where,
    )


def _check_features(features: Mapping[str, Any], where: str) -> None:
    """Raises SourceError for a feature whose description is no description."""
    for key, feature in features.items():
        shape = feature.get("shape") if isinstance(feature, dict) else None
        whole = shape is None or (
            isinstance(shape, list) and all(isinstance(side, int) and abs(side) < _MAX_SIDE for side in shape)
        )
        if not isinstance(feature, dict) or not whole:
            raise SourceError(f"{where}: the feature {key!r} is {str(feature)[:80]}; the metadata is damaged")


def listed_episodes(files: SourceFiles, info: Info) -> Iterator[Listed]:
    """Every listed episode, in the metadata's order, read line by line or batch by batch."""
    return _from_jsonl(files, info) if info.major == 2 else _from_parquet(files, info)


def _from_jsonl(files: SourceFiles, info: Info) -> Iterator[Listed]:
    for where, row in json_lines(files, "meta/episodes.jsonl"):
        index = _integer(row, "episode_index", where)
        piece = Piece(chunk=index // info.chunks_size, file=index)
        videos = dict.fromkeys(info.video_keys, piece)
        length = None if row.get("length") is None else _integer(row, "length", where)
        yield Listed(index, length, _texts(row.get("tasks")), piece, videos, _notes(row))


def _from_parquet(files: SourceFiles, info: Info) -> Iterator[Listed]:
    tables = [stat for stat in files.list("meta/episodes") if stat.path.endswith(".parquet")]
    if not tables:
        raise SourceError(f"{files.url_of('meta/episodes')}: no parquet file below it, expected the list of episodes")
    for stat in tables:
        where = files.url_of(stat.path)
        with files.open(stat.path) as file:
            for batch in _batches(file, where):
                for row in batch:
                    yield _listed(row, info, where)


def _batches(file: Any, where: str) -> Iterator[list[dict[str, Any]]]:
    """Rows without the statistics, which can be a hundred columns."""
    try:
        table = pq.ParquetFile(file)
        if table.metadata.num_rows > _MAX_LISTED:
            found = table.metadata.num_rows
            raise SourceError(f"{where}: claims {found} rows, expected at most {_MAX_LISTED}; the file is damaged")
        columns = [name for name in table.schema_arrow.names if not name.startswith("stats/")]
        check_texts(file, columns, where)
        for batch in table.iter_batches(columns=columns):
            yield batch.to_pylist()
    except (*UNREADABLE, MemoryError) as error:
        raise SourceError(f"{where}: not a readable parquet file ({error}); fetch it again") from error


def _listed(row: Mapping[str, Any], info: Info, where: str) -> Listed:
    videos = {}
    for key in info.video_keys:
        start, end = row.get(f"videos/{key}/from_timestamp"), row.get(f"videos/{key}/to_timestamp")
        window = None if start is None or end is None else (_seconds(start, key, where), _seconds(end, key, where))
        videos[key] = _piece(row, f"videos/{key}", window, where)
    length = None if row.get("length") is None else _integer(row, "length", where)
    data = _piece(row, "data", None, where)
    index = _integer(row, "episode_index", where)
    return Listed(index, length, _texts(row.get("tasks")), data, videos, _notes(row))


def _piece(row: Mapping[str, Any], part: str, window: tuple[float, float] | None, where: str) -> Piece:
    """A file by its chunk and number; the first where the metadata does not say."""
    chunk, file = (
        0 if row.get(key) is None else _integer(row, key, where)
        for key in (f"{part}/chunk_index", f"{part}/file_index")
    )
    return Piece(chunk, file, window)


def _notes(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the episode as a whole in conventions of its own; nothing in most datasets."""
    notes: dict[str, Any] = {}
    parts = [
        [part.get("start_frame"), part.get("end_frame"), text_of(part.get("action_text")), text_of(part.get("skill"))]
        for part in dicts_of(row.get(_CONFIG))
    ]
    if kept := [part for part in parts if all(type(frame) is int for frame in part[:2])]:
        notes[_CONFIG] = kept
    if status := text_of(row.get(_STATUS)):
        notes[_STATUS] = status
    return notes


def load_texts(files: SourceFiles, stem: str, index_key: str) -> dict[int, str]:
    """A table of texts by index, ``<stem>.parquet`` or ``.jsonl``; empty when the dataset has none.

    The parquet form keeps the text in the pandas index or in a column of any name: it is the only text there. An
    index of another name is the row's only whole number.
    """
    if files.stat(f"{stem}.parquet") is not None:
        where = files.url_of(f"{stem}.parquet")
        with files.open(f"{stem}.parquet") as file:
            rows = (row for batch in _batches(file, where) for row in batch)
            return {_index(row, index_key, where): _only_text(row) for row in rows}
    if files.stat(f"{stem}.jsonl") is None:
        return {}
    return {_index(row, index_key, where): _only_text(row) for where, row in json_lines(files, f"{stem}.jsonl")}


def _index(row: Mapping[str, Any], key: str, where: str) -> int:
    whole = [value for value in row.values() if type(value) is int]
    return whole[0] if key not in row and len(whole) == 1 else _integer(row, key, where)


def json_lines(files: SourceFiles, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line for messages, object) of a JSON-lines file; blank lines are passed over."""
    with files.open(path) as file:
        lines = io.BufferedReader(cast(io.RawIOBase, file), _LINES_BYTES)
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{files.url_of(path)}:{number}"
                yield where, _json(line, where)


def _json(text: bytes, where: str) -> dict[str, Any]:
    try:
        value = parsed(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: not JSON ({error}); the metadata is damaged: fetch it again") from error
    if not isinstance(value, dict):
        raise SourceError(f"{where}: found {type(value).__name__}, expected a JSON object")
    return value


def _integer(row: Mapping[str, Any], key: str, where: str) -> int:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _MAX_INTEGER:
        raise SourceError(
            f"{where}: {key} is {repr(value)[:40]}, expected an integer; the metadata is damaged: fetch it again"
        )
    return value


def _seconds(value: object, key: str, where: str) -> float:
    if not isinstance(value, int | float) or not abs(value) < _MAX_SECONDS:
        raise SourceError(f"{where}: {key} starts or ends at {value!r}, expected seconds; the metadata is damaged")
    return float(value)


def _texts(tasks: object) -> tuple[str, ...]:
    """Task texts, which datasets write as a list, a mapping or a single text."""
    if isinstance(tasks, str):
        return (tasks,)
    values = tasks.values() if isinstance(tasks, Mapping) else tasks if isinstance(tasks, list) else ()
    return tuple(text_of(value) for value in values if isinstance(value, str))


def _only_text(row: Mapping[str, Any]) -> str:
    return next((text_of(value) for value in row.values() if isinstance(value, str)), "")


def _is_depth(key: str, feature: Mapping[str, Any]) -> bool:
    details = feature.get("info") or feature.get("video_info") or {}
    said = isinstance(details, dict) and (details.get("video.is_depth_map") or details.get("is_depth_map"))
    return bool(said) or (feature.get("dtype") == _PICTURE and "depth" in key.lower())
