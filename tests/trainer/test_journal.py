"""The log is the same however often a run was killed; speeds are kept apart."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from trainer.journal import LOG, SPEED, Journal


@dataclass(frozen=True)
class Line:
    step: int
    tokens: int
    loss: float


def written(out: Path, first: int, last: int, *, writes: bool = True, tensorboard: bool = False) -> None:
    journal = Journal(out, writes=writes, tensorboard=tensorboard)
    journal.go_on_after(first)
    for step in range(first + 1, last + 1):
        journal.write(Line(step, 100, 1.0 / step))
    journal.flush()
    journal.close()


def test_a_log_goes_on_after_the_checkpoint_and_forgets_half_a_line(tmp_path: Path) -> None:
    written(tmp_path / "", 0, 5)
    whole = (tmp_path / LOG).read_text()
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 6, "to')
    written(tmp_path, 3, 5)
    assert (tmp_path / LOG).read_text() == whole


def test_speeds_are_beside_the_log(tmp_path: Path) -> None:
    written(tmp_path, 0, 2)
    speeds = [json.loads(line) for line in (tmp_path / SPEED).read_text().splitlines()]
    assert [speed["step"] for speed in speeds] == [1, 2]
    assert all(speed["tokens_per_s"] > 0 for speed in speeds)
    assert "seconds" not in (tmp_path / LOG).read_text()


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    written(tmp_path, 0, 2, writes=False)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="comes with the `train` extra"
    )
    written(tmp_path, 0, 3, tensorboard=True)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx([1.0, 0.5, 1 / 3])
