"""Reads spoilt sources in a process of its own and says how each ended; a crash takes only this process along.

The first line on stdin says what is allowed, every further one is a recipe section; every line on stdout is what came
of it. Memory is limited. Python's audit hook notes what a reader has no business doing: writing, opening what is not
below the source, running programs, connecting, unpickling, loading code.
"""

import gc
import hashlib
import io
import json
import os
import re
import resource
import sys
import time
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover
from schemas import arrow
from schemas.episode import ActionTrack, Camera, Episode
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef

MEMORY_BYTES = 2 << 30
_MAX_EPISODES = 400
"""Of one source. More than any change adds before the good ones, or these would seem lost."""
_NEVER = (
    "pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn",
    "socket.connect", "socket.bind", "urllib.Request", "ctypes.dlopen", "shutil.copyfile", "shutil.move", "os.kill",
)  # fmt: skip
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "os.utime",
    "shutil.rmtree",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DATA = (Episode, ActionTrack, Filmstrip, Thumbnail)
_SPEC: TypeAdapter[Any] = TypeAdapter(SourceSpec)


def outcome(section: dict[str, Any]) -> dict[str, Any]:
    """How a source ends: what was read, with a digest of it, what was refused with which words, and what is unsound."""
    files, spec = SourceFiles(section["path"]), _SPEC.validate_python(section)
    read: dict[str, Any] = {}
    refused: list[str] = []
    unsound: list[str] = []
    n_findings = n_listed = 0
    try:
        for found in discover(spec, files, MemoryDigests()):
            if isinstance(found, Finding):
                n_findings += 1
                arrow.to_table(Finding, [found])
                if found.verdict is not Verdict.KEEP:
                    refused.append(found.message)
                continue
            n_listed += 1
            if n_listed > _MAX_EPISODES:
                continue
            try:
                digest, more, n = _episode(found, files)
            except SourceError as error:
                refused.append(str(error))
            else:
                read[digest] = {"locator": found.locator, "files": [file.path for file in found.files]}
                unsound += more
                n_findings += n
    except SourceError as error:
        refused.append(str(error))
    return {"read": read, "refused": refused, "findings": n_findings, "unsound": unsound}


def _episode(ref: EpisodeRef, files: SourceFiles) -> tuple[str, list[str], int]:
    """A digest of everything in one episode but its names, what is unsound in it, and its number of findings."""
    hasher, unsound, n_findings = hashlib.sha256(), [], 0
    for record in ingest(ref, files, IngestSpec()):
        if isinstance(record, Finding):
            arrow.to_table(Finding, [record])
            n_findings += 1
        elif isinstance(record, _DATA):
            unnamed: Any = replace(record, episode_id="", **({"locator": ""} if isinstance(record, Episode) else {}))
            with pa.ipc.new_stream(_Hashing(hasher), (table := arrow.to_table(type(record), [unnamed])).schema) as out:
                out.write_table(table)
        unsound += [f"{ref.locator}: {problem}" for problem in _problems(record)]
    return hasher.hexdigest(), unsound, n_findings


class _Hashing(io.RawIOBase):
    """A file that keeps nothing but a digest of what is written."""

    def __init__(self, hasher: "hashlib._Hash") -> None:
        super().__init__()
        self._hasher = hasher

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hasher.update(data)
        return len(memoryview(data).cast("B"))


def _problems(record: object) -> list[str]:
    """What no consumer should have to expect of a record."""
    if isinstance(record, ActionTrack):
        return [*_infinite(record, "actions"), *_track_problems(record)]
    if isinstance(record, Episode):
        clocks = {camera.name: camera.times_ns for camera in record.cameras}
        odd = [f"view {name} has times that do not increase" for name, t in clocks.items() if (np.diff(t) <= 0).any()]
        spans = [
            f"span of {span.track} ends before it starts" for span in record.annotations if span.end_ns < span.start_ns
        ]
        return [*odd, *spans, *(problem for camera in record.cameras for problem in _infinite(camera, camera.name))]
    return []


def _track_problems(track: ActionTrack) -> list[str]:
    found = []
    if (np.diff(track.times_ns) < 0).any():
        found.append("rows have times that step back")
    if len(track.valid) != track.n_rows:
        found.append("rows and their validity differ in number")
    for arm in (*track.state, *track.target):
        if arm.rotation is not None:
            turned = matrix_of(arm.rotation[np.isfinite(arm.rotation).all(axis=1)])
            if len(turned) and np.abs(turned @ np.swapaxes(turned, 1, 2) - np.eye(3)).max() > 1e-3:
                found.append(f"{arm.arm} has a rotation that is none")
    return found


def _infinite(record: Any, name: str) -> list[str]:
    """Numbers are finite or NaN, which is how a missing one is told."""
    found = []
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isinf(value).any():
            found.append(f"{name}.{field.name} is infinite")
        elif isinstance(value, tuple) and value and is_dataclass(value[0]) and not isinstance(value[0], Camera):
            found += [problem for one in value for problem in _infinite(one, f"{name}.{field.name}")]
    return found


# -- watching --------------------------------------------------------------------------------------------------------


class Watch:
    """Notes what a reader has no business doing."""

    def __init__(self, code: tuple[str, ...], writable: str) -> None:
        self.seen: list[str] = []
        self.source = ""
        """The only folder besides those of code that may be read."""
        self._code, self._writable = code, writable
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(*args)
        elif event in _NEVER or (event in _CHANGES and not _placed(args).startswith(self._writable)):
            self.seen.append(f"{event} {args!r:.80}")
        elif event == "exec" and isinstance(args[0], CodeType) and not self._is_code(args[0].co_filename):
            self.seen.append(f"exec {args[0].co_filename}")

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int):
            return
        name = os.path.abspath(_text(path))
        writes = (isinstance(mode, str) and not set(mode).isdisjoint("wax+")) or bool((flags or 0) & _WRITING)
        if writes and not name.startswith(self._writable):
            self.seen.append(f"wrote {name}")
        real = os.path.realpath(name)
        if not writes and not self._is_code(name) and not real.startswith((self.source, self._writable)):
            self.seen.append(f"opened {name}")

    def _is_code(self, name: str) -> bool:
        return name.startswith(
            (*self._code, "<frozen", "<__array_function__", "<string>", "<attrs", "<", "/proc/self/statm")
        )


def _placed(args: tuple[Any, ...]) -> str:
    """The path that is changed, also where it is named relative to an open folder."""
    path, folder = _text(args[0]), args[-1]
    if not os.path.isabs(path) and type(folder) is int and folder >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
    return os.path.abspath(path)


def _text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)


def _code_from(folder: str) -> list[str]:
    """Modules that were loaded from a source."""
    return [
        name
        for name, module in list(sys.modules.items())
        if str(getattr(module, "__file__", None) or "").startswith(folder)
    ]


def _peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found.group(1)) * 1024 if found else 0


def main() -> None:
    first = json.loads(sys.stdin.readline())
    print(json.dumps(outcome(first["whole"])), flush=True)  # imports and caches are filled before anything is watched
    gc.collect()
    gc.freeze()  # so that collecting before each case is quick
    usage = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (usage + MEMORY_BYTES, usage + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch = Watch(tuple(first["code"]), first["writable"])
    for line in sys.stdin:
        section = json.loads(line)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, cpu_s, began = _peak_bytes(), time.process_time(), time.monotonic()
        watch.source, watch.seen = section["path"], []
        raised = ""
        found: dict[str, Any] = {}
        try:
            found = outcome(section)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told
            raised = f"{type(error).__name__}: {' '.join(str(error).split())[:300]} {_place(error)}"
        seen = sorted(set(watch.seen)) + _code_from(section["path"])
        told = {"raised": raised, "did": seen[:3], "cpu_s": time.process_time() - cpu_s, "s": time.monotonic() - began}
        print(json.dumps({**found, **told, "peak_bytes": _peak_bytes() - before}), flush=True)


def _place(error: BaseException) -> str:
    """The last place of ours, and the last of all."""
    traced, places = error.__traceback__, []
    while traced is not None:
        places.append(f"{traced.tb_frame.f_code.co_filename}:{traced.tb_lineno}")
        traced = traced.tb_next
    ours = [place for place in places if "/pipeline/" in place and "/tests/" not in place]
    return f"at {ours[-1] if ours else places[-1]}"


if __name__ == "__main__":
    main()
