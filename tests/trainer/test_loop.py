"""The loop: a resumed run is the uninterrupted run, bit for bit (T12), and packs add up to their step."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainer.events import MadeSteps, example, lively, small
from trainer import checkpoint
from trainer.captions import CaptionFeatures
from trainer.configs import TrainConfig
from trainer.journal import LOG, Journal
from trainer.loop import StepLog, Trainer, run
from trainer.model.language import NO_CAPTION
from trainer.model.wam import build
from trainer.optim import muon_rules
from trainer.parallel import Ranks
from trainer.steps import TrainStep

STEPS = 8
ALONE = Ranks(0, 1, torch.device("cpu"))


class KilledError(Exception):
    """Stands for a kill in the middle of a run."""


def steps(n_steps: int = STEPS, **made: int) -> MadeSteps:
    events = example(), example(frames=5, views=2, seed=1), example(actions=0, frames=13, seed=2)
    return MadeSteps(*events, n_steps=n_steps, **made)


def trainer(config: TrainConfig, n_steps: int = STEPS) -> Trainer:
    return Trainer(config, build(config.model, config.seed), steps(n_steps), ALONE)


def trained(own: Trainer, out: Path, killed_at: int | None = None) -> list[StepLog]:
    """Train to the end, or to a kill."""
    out.mkdir(exist_ok=True)
    journal, lines = Journal(out, writes=True), []
    try:
        for line in run(own, out, journal):
            lines.append(line)
            if line.step == killed_at:
                raise KilledError
    except KilledError:
        pass
    finally:
        journal.close()
    return lines


@pytest.mark.parametrize("rules", ["adamw", "muon"])
@pytest.mark.parametrize("killed_at", [4, 6])
def test_a_killed_and_resumed_run_writes_the_same_log_and_model_bitwise(
    tmp_path: Path, killed_at: int, rules: str
) -> None:
    config = replace(small(), data=replace(small().data, drop_captions=True), average=0.99)
    config = config if rules == "adamw" else replace(config, rules=muon_rules(1e-2, 0.01))
    whole, parts = trainer(config), trainer(config)
    trained(whole, tmp_path / "whole")
    trained(parts, tmp_path / "parts", killed_at)
    resumed = trainer(config)
    found = checkpoint.newest(tmp_path / "parts")
    assert found is not None
    resumed.restore(found)
    assert resumed.step == killed_at // 3 * 3
    trained(resumed, tmp_path / "parts")
    assert (tmp_path / "whole" / LOG).read_bytes() == (tmp_path / "parts" / LOG).read_bytes()
    pairs = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert whole.average is not None
    assert resumed.average is not None
    assert all(torch.equal(value, resumed.average.values[name]) for name, value in whole.average.values.items())


def test_every_step_is_a_line_of_the_log(tmp_path: Path) -> None:
    seen = trained(trainer(small()), tmp_path)
    lines = [StepLog(**json.loads(line)) for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines == seen
    assert [line.step for line in lines] == list(range(1, STEPS + 1))


def test_a_step_of_two_packs_is_the_step_of_their_events_in_one() -> None:
    apart, together = steps(per_pack=2, packs=2), steps(per_pack=4, packs=1)
    config = replace(small(), rules=replace_rate(small(), 1e-3))
    first, second = (Trainer(config, build(config.model, 0), each, ALONE) for each in (apart, together))
    one = first.advance(TrainStep(0, (apart.pack(0), apart.pack(1))))
    other = second.advance(TrainStep(0, (together.pack(0),)))
    assert (one.packs, other.packs) == (2, 1)
    assert (one.events, one.tokens) == (other.events, other.tokens)
    assert one.loss == pytest.approx(other.loss, abs=1e-6)
    assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-5)


def replace_rate(config: TrainConfig, lr: float) -> tuple[object, ...]:
    return tuple(replace(rule, lr=lr) for rule in config.rules)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = trainer(small()).save(tmp_path)
    with pytest.raises(ValueError, match="its n_steps is 8, this run's is 9"):
        trainer(small(), n_steps=9).restore(folder)
    with pytest.raises(ValueError, match="its config is"):
        trainer(replace(small(), seed=3)).restore(folder)


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


def test_a_dropped_caption_of_an_encoder_is_its_reading_of_nothing() -> None:
    features = CaptionFeatures(torch.ones(3, 4), torch.zeros(1, 4), 5)
    event = replace(example(), raw_frames=400, words=(), features=features)
    own = trainer(replace(small(), data=replace(small().data, drop_captions=True)))
    found = [own._worded(event, draw).features for draw in range(50)]
    dropped = [each for each in found if each is not None and each.tokens_SC is features.empty_SC]
    assert 35 < len(dropped) < 50
    assert all(each is not None and each.padded().shape == (5, 4) for each in found)


@pytest.mark.parametrize("recompute", [False, True])
def test_running_layers_again_in_the_backward_pass_changes_nothing(recompute: bool) -> None:
    own = replace(small(), recompute=recompute)
    made = Trainer(own, build(own.model, 0), steps(), ALONE)
    line = made.advance(TrainStep(0, (steps().pack(0),)))
    plain = Trainer(small(), build(small().model, 0), steps(), ALONE).advance(TrainStep(0, (steps().pack(0),)))
    assert line == plain


def test_half_precision_stays_close_to_single() -> None:
    own = replace(small(), dtype="bfloat16")
    first = TrainStep(0, (steps().pack(0),))
    half, single = (Trainer(each, lively(each.model), steps(), ALONE).advance(first) for each in (own, small()))
    assert half.loss == pytest.approx(single.loss, rel=0.05)
    assert half.loss != single.loss
