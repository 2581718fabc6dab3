"""What a run writes down: a line per step, speeds, and what TensorBoard shows.

``log.jsonl`` holds what is determined by plan, configuration and seed, and nothing else: a resumed run writes the same
bytes as one that was left alone. Seconds, tokens per second and the share of the machine's peak that the model's own
operations came to (MFU, `trainer.flops`) are in ``speed.jsonl``. The first rank writes.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

LOG = "log.jsonl"
SPEED = "speed.jsonl"


class Journal:
    """The open log of a run."""

    def __init__(self, out: Path, *, writes: bool, tensorboard: bool = False, peak_flops: float | None = None) -> None:
        """``peak_flops`` per second of all ranks' devices together; None: MFU is not known.

        Raises ImportError naming the extra when TensorBoard is asked for and not installed.
        """
        self._out = out
        self._peak_flops = peak_flops
        self._log: TextIO | None = None
        self._speed: TextIO | None = None
        self._writes = writes
        self._board = _board(out) if writes and tensorboard else None
        self._since = time.monotonic()

    def go_on_after(self, step: int) -> None:
        """Cut off what a killed run has logged beyond the checkpoint it continues from, or half a line."""
        self._since = time.monotonic()
        if not self._writes:
            return
        self._log = _cut(self._out / LOG, step).open("a", encoding="utf-8")
        self._speed = (self._out / SPEED).open("a", encoding="utf-8")

    def write(self, line: object) -> None:
        """Write a step down; ``line`` is a frozen record with ``step``, ``tokens`` and ``flops``."""
        if self._log is None or self._speed is None or not is_dataclass(line) or isinstance(line, type):
            return
        values = asdict(line)
        self._log.write(json.dumps(values) + "\n")
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        rate = values["flops"] / seconds
        speed = {
            "step": values["step"],
            "seconds": round(seconds, 6),
            "tokens_per_s": values["tokens"] / seconds,
            "tflops_per_s": rate / 1e12,
            "mfu": None if self._peak_flops is None else rate / self._peak_flops,
        }
        self._speed.write(json.dumps(speed) + "\n")
        if self._board is not None:
            for name, value in (values | speed).items():
                if value is not None:
                    self._board.add_scalar(f"train/{name}", value, values["step"])

    def show(self, name: str, picture: NDArray[np.uint8], step: int) -> None:
        """Put a picture [H, W, 3] on TensorBoard, where it is on."""
        if self._board is not None:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def leave_out(self) -> None:
        """What was done since the last line (a checkpoint, samples) is no part of the next step's seconds."""
        self._since = time.monotonic()

    def flush(self) -> None:
        """Everything to disk: a checkpoint must not be ahead of its log."""
        for file in (self._log, self._speed):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())
        if self._board is not None:
            self._board.flush()

    def close(self) -> None:
        """Close what is open."""
        for file in (self._log, self._speed, self._board):
            if file is not None:
                file.close()


def _board(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "tensorboard is not installed: pip install 'joinery[train]', or leave --tensorboard out"
        ) from error
    return SummaryWriter(str(out / "tensorboard"))


def _cut(log: Path, step: int) -> Path:
    partial = log.with_suffix(".partial")
    partial.write_text("".join(_lines_up_to(log, step)), encoding="utf-8")
    os.replace(partial, log)
    return log


def _lines_up_to(log: Path, step: int) -> Iterator[str]:
    if step:
        with log.open(encoding="utf-8") as file:
            for _ in range(step):
                yield file.readline()
