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
    flops: int = 10**9


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
    assert all(speed["mfu"] is None for speed in speeds), "nobody has said what the machine can do"
    assert "seconds" not in (tmp_path / LOG).read_text()


def test_what_is_done_between_steps_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 100.0, 102.0, 110.0, 111.0])  # opened; goes on; first line; left out; second line
    monkeypatch.setattr("trainer.journal.time.monotonic", lambda: next(clock))
    journal = Journal(tmp_path, writes=True, peak_flops=1e9)
    journal.go_on_after(0)
    journal.write(Line(1, 100, 1.0))
    journal.leave_out()
    journal.write(Line(2, 100, 1.0))
    journal.close()
    speeds = [json.loads(line) for line in (tmp_path / SPEED).read_text().splitlines()]
    assert [(speed["seconds"], speed["mfu"]) for speed in speeds] == [(2.0, 0.5), (1.0, 1.0)]


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
