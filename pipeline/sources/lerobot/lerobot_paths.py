"""Where a LeRobot dataset keeps its files: path templates with numbers to fill in, which ``info.json`` may state anew.

A template is text from a stranger's file. Only the format's own placeholders and widths are filled in, and the path
that comes out lies below the source's root.
"""

import re
import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import SourceError

STANDARD = {
    2: {"data_path": {"episode_chunk", "episode_index"}, "video_path": {"episode_chunk", "video_key", "episode_index"}},
    3: {"data_path": {"chunk_index", "file_index"}, "video_path": {"video_key", "chunk_index", "file_index"}},
}
_DEFAULTS = {
    2: {
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    },
    3: {
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    },
}
_MAX_NAME_BYTES, _MAX_PATH_BYTES = 255, 2048
_WIDTH = re.compile(r"(0?[0-9]{1,2}d?|d)?")
"""Format specifications that are filled in: at most two digits, since a width is memory."""


def templates_of(stated: Mapping[str, Any], major: int, where: str) -> dict[str, str]:
    """``data_path`` and ``video_path``. Raises SourceError for a template that cannot be filled in."""
    templates = {key: stated.get(key) or default for key, default in _DEFAULTS[major].items()}
    known = set().union(*(STANDARD[version][key] for version in STANDARD for key in templates), {"episode_file"})
    for key, template in templates.items():
        if not isinstance(template, str):
            raise SourceError(f"{where}: {key} is {template!r:.200}, expected a path template; correct it")
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:
            raise SourceError(f"{where}: {key} is {template!r}, no path template ({error}); correct it") from error
        for _, name, width, conversion in parts:
            if name is not None and name not in known:
                raise SourceError(f"{where}: {key} has the placeholder {name!r}, expected some of {sorted(known)}")
            if conversion or not _WIDTH.fullmatch(width or "") or (name == "video_key" and width):
                raise SourceError(
                    f"{where}: {key} is {template!r}, in which {name} is to be written as {width or conversion!r}; "
                    "expected a width such as 06d"
                )
    return templates


def placeholders(template: str) -> set[str]:
    """The names a template fills in."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def filled(template: str, *, chunk: int, file: int, episode: int, video_key: str, where: str) -> str:
    """A file's path below the root. ``episode_chunk`` means ``chunk_index``, ``episode_file`` means ``file_index``.

    Raises SourceError when it would lie elsewhere or no file can have such a name.
    """
    path = template.format(
        episode_chunk=chunk,
        chunk_index=chunk,
        episode_file=file,
        file_index=file,
        episode_index=episode,
        video_key=video_key,
    )
    parts = PurePosixPath(path).parts
    fits = path.isprintable() and all(len(part.encode()) <= _MAX_NAME_BYTES for part in parts)
    fits = fits and len(path.encode()) <= _MAX_PATH_BYTES
    if path.startswith("/") or ".." in parts or not fits:
        raise SourceError(
            f"{where}: names the file {path[:200]!r}, expected one below the dataset's folder; correct it"
        )
    return path
