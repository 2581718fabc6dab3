"""Spoils a specimen again and again, lets a watched process read it, and judges what came of it.

Every spoilt source must be read or refused with words that name a file, within time and memory; nothing may be opened,
written or executed that does not belong to it; and an episode of which no file was touched must be read as before.
"""

import json
import os
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from tests.pipeline.films import drifting, film
from tests.pipeline.sources.mutate import spoil
from tests.pipeline.sources.mutations.damage import FILLED, Damage
from tests.pipeline.sources.specimens import section

ROOT = Path(__file__).resolve().parents[3]
LONGEST_S = 10.0
"""Of processor time: other work on the machine is no fault of a reader."""
_PATIENCE_S = 40.0
"""After it a process hangs, whatever it waits for."""
MOST_BYTES = 2 << 30
_CODE = [str(Path(sys.prefix).resolve()), sys.prefix, str(Path(sys.base_prefix).resolve()), str(ROOT)]
_UNREAD_NS = 10**18
"""A time stamp of last access that shows whether a canary was read since."""


@dataclass
class Tally:
    """What came of all the spoilt sources of one specimen."""

    cases: int = 0
    read: int = 0
    """Without a word of refusal."""
    refused: int = 0
    with_findings: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    bad: list[str] = field(default_factory=list)


class Reader:
    """A worker process, started again whenever a case kills it."""

    def __init__(self, whole: dict[str, Any], folder: Path) -> None:
        writable = folder / "tmp"
        writable.mkdir(exist_ok=True)
        self._hello = json.dumps({"whole": whole, "code": _CODE, "writable": str(writable)})
        self._environment = {
            **os.environ,
            "TMPDIR": str(writable),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.whole: dict[str, Any] = {}
        """What came of the specimen before it was spoilt."""
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.pipeline.sources.fuzz_worker"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT,
            env=self._environment, text=True, bufsize=1,
        )  # fmt: skip
        self.whole = json.loads(self._ask(self._hello, 120.0))

    def outcome(self, recipe_section: dict[str, Any]) -> dict[str, Any] | str:
        """What the worker says, or how it failed to say anything."""
        answer = self._ask(json.dumps(recipe_section), _PATIENCE_S)
        if not answer.startswith("{"):
            if answer == "crashed":
                self._process.wait(10)
                answer = f"crashed with exit code {self._process.returncode}"
            self.close()
            self._start()
            return answer
        found: dict[str, Any] = json.loads(answer)
        return found

    def _ask(self, line: str, within_s: float) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], within_s)
        if not ready:
            return "hung"
        return self._process.stdout.readline().strip() or "crashed"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()


@contextmanager
def _reading(whole: dict[str, Any], folder: Path) -> Iterator[Reader]:
    reader = Reader(whole, folder)
    try:
        yield reader
    finally:
        reader.close()


def fuzz(name: str, seeds: Sequence[int], folder: Path, real: Path) -> Tally:
    """Spoil a specimen once per seed. ``folder`` is empty and is left so, but for what went wrong."""
    spoilt, kept, canary = folder / "spoilt", folder / "whole", folder / "canary"
    write_canaries(canary)
    os.environ["FUZZ_CANARY"] = str(canary)
    stated = section(name, spoilt, real)
    shutil.copytree(spoilt, kept)
    tally = Tally()
    with _reading({**stated, "path": str(kept)}, folder) as reader:
        for seed in seeds:
            rng = random.Random(f"{name} {seed}")
            done = [spoil(spoilt, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            before = _listing(spoilt)
            found = reader.outcome(stated)
            problems = [*judged(found, done, reader.whole, spoilt, kept, tally)]
            if _listing(spoilt) != before:
                problems.append("the source itself was changed")
            problems += [f"read {path}" for path in touched(canary)]
            what = "; ".join(f"{damage.how} {damage.file or ''} {damage.inside or ''}".strip() for damage in done)
            tally.bad += [f"{name} {seed}: {what}: {problem}" for problem in problems]
            shutil.rmtree(spoilt)
            shutil.copytree(kept, spoilt)
    return tally


def judged(
    found: dict[str, Any] | str, done: list[Damage], whole: dict[str, Any], spoilt: Path, kept: Path, tally: Tally
) -> Iterator[str]:
    """What is wrong with an outcome; the rest is counted."""
    tally.cases += 1
    if isinstance(found, str):
        yield found
        return
    tally.slowest_s = max(tally.slowest_s, found["cpu_s"])
    tally.peak_bytes = max(tally.peak_bytes, found["peak_bytes"])
    if found["cpu_s"] > LONGEST_S:
        yield f"took {found['cpu_s']:.1f} s"
    if found["peak_bytes"] > MOST_BYTES:
        yield f"took {found['peak_bytes'] >> 20} MiB"
    if found["did"]:
        yield f"did {found['did']}"
    if found["raised"]:
        yield f"raised {found['raised']}"
        return
    tally.refused += bool(found["refused"])
    tally.read += not found["refused"]
    tally.with_findings += bool(found["findings"])
    yield from found["unsound"]
    known = {name for place in (kept, spoilt) for name in _names(place)} | {str(spoilt)}
    for message in found["refused"]:
        if not any(word in message for word in known):
            yield f"names no file: {message[:300]}"
        if message.encode("utf-8", "replace").decode() != message:
            yield f"says what cannot be stored: {message[:300]!r}"
        if FILLED in message:
            yield f"tells what a file outside holds: {message[:300]}"
    for digest, episode in whole["read"].items():
        if digest not in found["read"] and not any(_concerns(damage, episode, whole) for damage in done):
            said = "; ".join(found["refused"])[:300]
            yield f"lost {episode['locator']}, of which nothing was touched ({said})"


def _concerns(damage: Damage, episode: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether damage is to something an episode is read from. Files that no episode lists may be everybody's."""
    if damage.file is None:
        return False
    if _lists(episode, damage.file):
        return damage.inside is None or not _is_of_another(damage.inside, episode, whole)
    return not any(_lists(other, damage.file) for other in whole["read"].values())


def _is_of_another(inside: str, episode: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether a place in a file of many episodes, such as ``/data/demo_0/obs/``, is another one's."""

    def mine(one: dict[str, Any]) -> bool:
        mark = one["locator"].rpartition("#")[2] if "#" in one["locator"] else one["locator"].partition(" ")[2]
        return bool(mark) and (f"/{mark}/" in inside or inside in (mark, f"#{mark}"))

    return not mine(episode) and any(mine(one) for one in whole["read"].values())


def _lists(episode: dict[str, Any], file: str) -> bool:
    return any(file == path or file.startswith(f"{path}/") for path in episode["files"])


# -- what must not be touched ----------------------------------------------------------------------------------------


def write_canaries(folder: Path) -> None:
    """Files of every kind beside the source, each good to read, that no reader may open."""
    folder.mkdir()
    pictures = drifting(6)
    (folder / "a.mp4").write_bytes(film(pictures))
    (folder / "a.mkv").write_bytes(film(pictures, container="matroska"))
    with h5py.File(folder / "a.h5", "w") as file:
        file["values"] = np.full((64, 8), 7341.0)
        file.attrs["text"] = FILLED
    shutil.copyfile(folder / "a.h5", folder / "a.hdf5")
    np.savez(folder / "a.npz", values=np.full(64, 7341.0))
    (folder / "a.raw").write_bytes(np.full(4096, 7341.0).tobytes())
    Image.fromarray(pictures[0]).save(folder / "a.png")
    for suffix in (".csv", ".json", ".jsonl", ".txt", ".vtt", ".parquet", ".yaml", ".zip", ".bag", ".db3", ".mcap", ""):
        (folder / f"a{suffix}").write_text(json.dumps({"text": FILLED}))
    for path in folder.iterdir():
        os.utime(path, ns=(_UNREAD_NS, time.time_ns()))


def touched(canary: Path) -> list[str]:
    """Canaries that were read, changed or made since they were last looked at."""
    found = []
    for path in sorted(canary.iterdir()):
        if path.stat().st_atime_ns != _UNREAD_NS:
            found.append(str(path))
            os.utime(path, ns=(_UNREAD_NS, time.time_ns()))
    return found


def _names(folder: Path) -> set[str]:
    """Of all files and folders below, as messages may show them."""
    found = {name for _, folders, files in os.walk(folder) for name in (*folders, *files)}
    return found | {ascii(name)[1:-1] for name in found}


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    listed = []
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            about = os.lstat(os.path.join(place, name))
            listed.append(
                (os.path.join(place, name), about.st_size if not os.path.isdir(place) else 0, about.st_mtime_ns)
            )
    return sorted(listed)
