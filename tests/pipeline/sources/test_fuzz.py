"""Spoilt files of every format: read, or refused with a reason; no crash, no hang, no escape.

`make test` tries a few per format; `make test-slow` more than 2,000 in all.
"""

import json
import os
import random
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.sources.mutate import spoil
from tests.pipeline.sources.specimens import SPECIMENS, section

ROOT = Path(__file__).resolve().parents[3]
LONGEST_S = 10.0
ALLOWED = [str(Path(sys.prefix).resolve()), str(Path(sys.base_prefix).resolve()), str(ROOT), "/proc/", "/dev/", "/sys/"]


class Reader:
    """A worker process, started again whenever a case kills it."""

    def __init__(self, warm_up: dict[str, Any], folder: Path) -> None:
        self._hello = json.dumps({"warm_up": [warm_up], "allowed": [*ALLOWED, str(folder)]})
        self._environment = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.pipeline.sources.fuzz_worker"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT,
            env=self._environment, text=True, bufsize=1,
        )  # fmt: skip
        assert self._ask(self._hello, 120.0) == "ready"

    def outcome(self, recipe_section: dict[str, Any]) -> str:
        answer = self._ask(json.dumps(recipe_section), LONGEST_S)
        if answer in ("hung", "crashed"):
            code = self._process.poll()
            self.close()
            self._start()
            return answer if code is None else f"{answer} with exit code {code}"
        return str(json.loads(answer)["said"])

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


@contextmanager
def reading(warm_up: dict[str, Any], folder: Path) -> Iterator[Reader]:
    reader = Reader(warm_up, folder)
    try:
        yield reader
    finally:
        reader.close()


def fuzz(name: str, count: int, folder: Path, real: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Spoil a specimen ``count`` times; returns how many were read and refused. Fails on anything else."""
    (folder / "canary").mkdir()
    monkeypatch.setenv("FUZZ_CANARY", str(folder / "canary"))
    whole = section(name, folder / "whole", real)
    ends = {"read": 0, "refused": 0}
    bad = []
    with reading(whole, folder) as reader:
        for seed in range(count):
            rng = random.Random(f"{name} {seed}")
            spoilt = folder / "spoilt"
            shutil.copytree(whole["path"], spoilt)
            done = [spoil(spoilt, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            said = reader.outcome({**whole, "path": str(spoilt)})
            if said in ends:
                ends[said] += 1
            else:
                bad.append(f"{name} {seed}: {'; '.join(done)}: {said}")
            shutil.rmtree(spoilt)
    assert bad == []
    assert list((folder / "canary").iterdir()) == [], "code out of a recording was executed"
    return ends


@pytest.mark.parametrize("name", sorted(SPECIMENS))
def test_a_spoilt_file_is_read_or_refused(
    name: str, tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = fuzz(name, 25, tmp_path, real, monkeypatch)
    assert ends["refused"] > 0, "the mutations reach the reader"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SPECIMENS))
def test_many_spoilt_files_are_read_or_refused(
    name: str, tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = fuzz(name, 150, tmp_path, real, monkeypatch)
    print(f"{name}: {ends}")
    assert sum(ends.values()) == 150
