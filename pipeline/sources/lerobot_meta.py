"""What a LeRobot dataset says about itself: ``meta/`` of v2.0, v2.1 and v3.0 in one shape.

v2 keeps one line per episode in ``episodes.jsonl`` and one file per episode; v3 keeps many episodes per file and
says where in ``meta/episodes/*.parquet``. Written against real datasets of all three versions and against
LeRobot's own reader (huggingface/lerobot, ``datasets/``), lenient where datasets in the wild are.
"""

import io
import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.files import SourceFiles

INFO = "meta/info.json"
_LINES_BYTES = 1 << 20
"""Files of an object store give no lines of their own; each request for more of one costs a round trip."""
_STANDARD = {
    2: {"data_path": {"episode_chunk", "episode_index"}, "video_path": {"episode_chunk", "video_key", "episode_index"}},
    3: {"data_path": {"chunk_index", "file_index"}, "video_path": {"video_key", "chunk_index", "file_index"}},
}
_DEFAULT_TEMPLATES = {
    2: {
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    },
    3: {
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    },
}


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
        videos = [key for key, feature in self.features.items() if feature.get("dtype") == "video"]
        return sorted(key for key in videos if not _is_depth(self.features[key]))

    def odd_placeholders(self, template: str) -> set[str]:
        """Placeholders of a template that this version of the format does not use."""
        return _placeholders(self.templates[template]) - _STANDARD[self.major][template]


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
    if not isinstance(fps, int | float) or not fps > 0:
        raise SourceError(f"{where}: fps is {fps!r}, expected a number above 0; correct it")
    if not isinstance(features, dict):
        raise SourceError(f"{where}: features is {features!r}, expected an object by feature; the metadata is damaged")
    major = int(version[1])
    templates = {key: str(stated.get(key) or default) for key, default in _DEFAULT_TEMPLATES[major].items()}
    known = set().union(*(_STANDARD[version][key] for version in _STANDARD for key in templates), {"episode_file"})
    for key, template in templates.items():
        if unknown := sorted(_placeholders(template) - known):
            raise SourceError(f"{where}: {key} has the placeholder {unknown[0]!r}, expected some of {sorted(known)}")
    return Info(
        where=where,
        codebase_version=version,
        fps=float(fps),
        robot_type=str(stated.get("robot_type") or "unknown"),
        chunks_size=int(stated.get("chunks_size") or 1000),
        templates=templates,
        features=features,
        stated=stated,
    )


def path_of(info: Info, template: str, listed: Listed, piece: Piece, video_key: str = "") -> str:
    """A file's path below the root. ``episode_chunk`` means ``chunk_index``, ``episode_file`` means ``file_index``."""
    return info.templates[template].format(
        episode_chunk=piece.chunk,
        chunk_index=piece.chunk,
        episode_file=piece.file,
        file_index=piece.file,
        episode_index=listed.index,
        video_key=video_key,
    )


def listed_episodes(files: SourceFiles, info: Info) -> Iterator[Listed]:
    """Every listed episode, in the metadata's order, read line by line or batch by batch."""
    return _from_jsonl(files, info) if info.major == 2 else _from_parquet(files, info)


def _from_jsonl(files: SourceFiles, info: Info) -> Iterator[Listed]:
    for where, row in json_lines(files, "meta/episodes.jsonl"):
        index = _integer(row, "episode_index", where)
        piece = Piece(chunk=index // info.chunks_size, file=index)
        videos = dict.fromkeys(info.video_keys, piece)
        length = None if row.get("length") is None else _integer(row, "length", where)
        yield Listed(index, length, _texts(row.get("tasks")), piece, videos)


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
        columns = [name for name in table.schema_arrow.names if not name.startswith("stats/")]
        for batch in table.iter_batches(columns=columns):
            yield batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{where}: not a readable parquet file ({error}); fetch it again") from error


def _listed(row: Mapping[str, Any], info: Info, where: str) -> Listed:
    videos = {}
    for key in info.video_keys:
        start, end = row.get(f"videos/{key}/from_timestamp"), row.get(f"videos/{key}/to_timestamp")
        window = None if start is None or end is None else (float(start), float(end))
        chunk, file = row.get(f"videos/{key}/chunk_index"), row.get(f"videos/{key}/file_index")
        videos[key] = Piece(int(chunk or 0), int(file or 0), window)
    length = None if row.get("length") is None else _integer(row, "length", where)
    data = Piece(int(row.get("data/chunk_index") or 0), int(row.get("data/file_index") or 0))
    return Listed(_integer(row, "episode_index", where), length, _texts(row.get("tasks")), data, videos)


def load_texts(files: SourceFiles, stem: str, index_key: str) -> dict[int, str]:
    """A table of texts by index, ``meta/<stem>.parquet`` or ``.jsonl``; empty when the dataset has none.

    The parquet form keeps the text in the pandas index or in a column of any name: it is the only text there.
    """
    if files.stat(f"meta/{stem}.parquet") is not None:
        where = files.url_of(f"meta/{stem}.parquet")
        with files.open(f"meta/{stem}.parquet") as file:
            rows = [row for batch in _batches(file, where) for row in batch]
        return {_integer(row, index_key, where): _only_text(row) for row in rows}
    if files.stat(f"meta/{stem}.jsonl") is None:
        return {}
    return {_integer(row, index_key, where): _only_text(row) for where, row in json_lines(files, f"meta/{stem}.jsonl")}


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
        value = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{where}: not JSON ({error}); the metadata is damaged: fetch it again") from error
    if not isinstance(value, dict):
        raise SourceError(f"{where}: found {type(value).__name__}, expected a JSON object")
    return value


def _integer(row: Mapping[str, Any], key: str, where: str) -> int:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SourceError(f"{where}: {key} is {value!r}, expected an integer; the metadata is damaged: fetch it again")
    return value


def _texts(tasks: object) -> tuple[str, ...]:
    """Task texts, which datasets write as a list, a mapping or a single text."""
    if isinstance(tasks, str):
        return (tasks,)
    values = tasks.values() if isinstance(tasks, Mapping) else tasks if isinstance(tasks, list) else ()
    return tuple(value for value in values if isinstance(value, str))


def _only_text(row: Mapping[str, Any]) -> str:
    return next((value for value in row.values() if isinstance(value, str)), "")


def _is_depth(feature: Mapping[str, Any]) -> bool:
    details = feature.get("info") or feature.get("video_info") or {}
    return bool(details.get("video.is_depth_map") or details.get("is_depth_map"))


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
