"""The loop: packs in plan order, and a resumed run is the uninterrupted run, bit for bit (T12)."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainer.events import Repeated, example, small
from trainer.configs import TrainConfig
from trainer.loop import CHECKPOINT, LOG, StepLog, Trainer, load, run, save
from trainer.model.language import NO_CAPTION
from trainer.model.wam import build
from trainer.optim import muon_rules

STEPS = 8


class KilledError(Exception):
    """Stands for a kill in the middle of a run."""


def events() -> Repeated:
    return Repeated(example(), example(frames=5, views=2, seed=1), example(actions=0, frames=13, seed=2))


def trainer(config: TrainConfig, steps: int = STEPS) -> Trainer:
    return Trainer(config, build(config.model, config.seed), events(), steps)


def kill_at(step: int) -> Callable[[StepLog], None]:
    def on_step(line: StepLog) -> None:
        if line.step == step:
            raise KilledError

    return on_step


@pytest.mark.parametrize("rules", ["adamw", "muon"])
@pytest.mark.parametrize("killed_at", [4, 6])
def test_a_killed_and_resumed_run_writes_the_same_log_and_model_bitwise(
    tmp_path: Path, killed_at: int, rules: str
) -> None:
    config = replace(small(), data=replace(small().data, drop_captions=True))
    config = config if rules == "adamw" else replace(config, rules=muon_rules(1e-2, 0.01))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    run(trainer(config), whole, lambda _line: None)
    with pytest.raises(KilledError):
        run(trainer(config), parts, kill_at(killed_at))
    resumed = trainer(config)
    resumed.restore(load(parts / CHECKPOINT), parts / CHECKPOINT)
    assert resumed.step == killed_at // 3 * 3
    run(resumed, parts, lambda _line: None)
    assert (whole / LOG).read_bytes() == (parts / LOG).read_bytes()
    first, second = load(whole / CHECKPOINT), load(parts / CHECKPOINT)
    assert all(torch.equal(first["model"][name], second["model"][name]) for name in first["model"])


def test_every_step_is_a_line_of_the_log(tmp_path: Path) -> None:
    seen: list[StepLog] = []
    run(trainer(small()), tmp_path, seen.append)
    lines = [StepLog(**json.loads(line)) for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines == seen
    assert [line.step for line in lines] == list(range(1, STEPS + 1))


def test_packs_fill_the_budget_with_draws_in_nearly_the_plans_order(tmp_path: Path) -> None:
    own, config = trainer(small()), small().data
    lines = [own.advance() for _ in range(STEPS)]
    drawn = [draw for line in lines for draw in line.draws]
    assert len(set(drawn)) == len(drawn)
    assert max(abs(draw - place) for place, draw in enumerate(drawn)) <= config.pack_window
    assert [line.draws[0] for line in lines] == sorted(line.draws[0] for line in lines), "anchored on the oldest"
    for line in lines:
        assert line.tokens == sum(events()[draw].n_tokens for draw in line.draws) <= config.token_budget


def test_an_event_longer_than_the_budget_is_refused() -> None:
    config = replace(small(), data=replace(small().data, token_budget=10))
    with pytest.raises(ValueError, match="draw 0: 21 tokens, expected 1 … 10; raise the budget"):
        trainer(config).advance()


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    save(trainer(small()), tmp_path / CHECKPOINT)
    state = load(tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match="its steps is 8, this run's is 9"):
        trainer(small(), steps=9).restore(state, tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match="its config is"):
        trainer(replace(small(), seed=3)).restore(state, tmp_path / CHECKPOINT)


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = trainer(small())
    save(own, tmp_path / CHECKPOINT)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def die(_state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KilledError

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(KilledError):
        save(own, tmp_path / CHECKPOINT)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_captions_are_dropped_as_often_as_the_length_says() -> None:
    config = replace(small(), data=replace(small().data, drop_captions=True))
    own = trainer(config)
    short, long = example(), replace(example(), raw_frames=400)
    kept = {
        name: sum(own._worded(event, draw).words != (NO_CAPTION,) for draw in range(500)) / 500
        for name, event in (("short", short), ("long", long))
    }
    assert kept["short"] == pytest.approx(0.9, abs=0.04)
    assert kept["long"] == pytest.approx(0.1, abs=0.04)
