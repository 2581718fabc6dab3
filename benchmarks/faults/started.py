"""`joinery run` as a process of its own, watched line by line, and the moments at which something is done to it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.faults.cluster import ENVIRONMENT

PATIENCE_S = 600.0
"""No run of these takes half as long; one that does hangs, which is a result."""
HUNG = 124
"""What stands for the exit status of a run that had to be ended."""


@dataclass(frozen=True)
class Moment:
    """A point of a run: so many seconds after a stage began."""

    stage: str
    after_s: float

    def __str__(self) -> str:
        return f"{self.stage} +{self.after_s:.2f} s"


def drawn_moment(rng: random.Random, seconds: Mapping[str, float]) -> Moment:
    """Every second of an undisturbed run is as likely as every other, or (half of the time) every stage."""
    stages = list(seconds)
    weights = list(seconds.values()) if rng.random() < 0.5 else None
    (stage,) = rng.choices(stages, weights)
    return Moment(stage, rng.uniform(0.0, max(0.05, seconds[stage])))


class Started:
    """A run that is under way."""

    def __init__(
        self,
        recipe: Path,
        overrides: Sequence[str],
        *,
        options: Sequence[str] = (),
        wrap: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [*wrap, sys.executable, "-m", "jobs.cli", "run", str(recipe), "--json", *options]
        for override in overrides:
            command += ["--set", override]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the run is looked at
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | ENVIRONMENT | {"OMP_NUM_THREADS": "1"} | dict(environment or {}),
        )
        self._seen: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if told.get("event") != "stage":
                continue
            with self._changed:
                self._seen.setdefault(told["stage"], time.monotonic())
                if not told["running"]:
                    self.seconds[told["stage"]] = told["seconds"]
                self._changed.notify_all()
        with self._changed:
            self._seen["end"] = time.monotonic()
            self._changed.notify_all()

    def wait_for(self, moment: Moment) -> bool:
        """Wait until then; False when the run has ended before."""
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while moment.stage not in self._seen and "end" not in self._seen and time.monotonic() < deadline:
                self._changed.wait(1.0)
            begun = self._seen.get(moment.stage)
        if begun is None:
            return False
        time.sleep(max(0.0, begun + moment.after_s - time.monotonic()))
        return self.process.poll() is None

    def end(self) -> int:
        """Wait for its end; the exit status, as a shell would tell it."""
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return HUNG
        return status if status >= 0 else 128 - status

    @property
    def wall_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()
