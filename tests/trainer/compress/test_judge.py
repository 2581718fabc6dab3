"""Held-out events: what counts as an error, and that judging asks as inference does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainer.events import KNOWN, example, lively, sample, small, stats_of
from trainer.compress import judge as judging
from trainer.compress.few_steps import Point
from trainer.compress.judge import HeldOut, judge, made_of
from trainer.infer import imagine

CONFIG = small()


def held(**made: int) -> HeldOut:
    return HeldOut(example(**made), stats_of(sample()))  # type: ignore[arg-type]  # numbers only


def test_an_event_is_made_as_inference_makes_it() -> None:
    model, events = lively(CONFIG.model), [example(), example(frames=13, seed=1)]
    made, batch = made_of(model, CONFIG, events, 3, seed=4)
    alone = imagine(model, events[0], steps=3, shift=CONFIG.sample_shift, seed=4)
    mine = (batch.action.event_S == 0) & ~batch.action.observed_S
    assert torch.allclose(made.action_SA[mine], alone.actions_KA, atol=1e-5)


def test_the_record_itself_has_no_error_and_a_shift_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    each = held()
    each = replace(each, example=replace(each.example, valid_K=torch.tensor([True] * 7 + [False])))

    def told(shift: float) -> judging.Judged:
        def off(_model: object, _config: object, examples: list[object], *_how: object) -> object:
            _, batch = made_of(lively(CONFIG.model), CONFIG, [each.example], 1, 0)
            at = shift * torch.ones(1)
            return Point(batch.video.clean_TP + at, batch.action.clean_SA + at), batch

        with monkeypatch.context() as patched:
            patched.setattr(judging, "made_of", off)
            return judge(lively(CONFIG.model), CONFIG, [each], 1, [0])

    none, some = told(0.0), told(0.5)
    assert (none.action_mae, none.end_point_m, none.latent_mse) == (0.0, 0.0, 0.0)
    assert some.action_mae == pytest.approx(0.5, rel=1e-5)
    assert some.latent_mse == pytest.approx(0.25, rel=1e-5)
    spread = 0.5 * np.maximum(each.stats.std_20, 1e-6)[:3]
    known = each.stats.known_20[:3]
    assert some.end_point_m == pytest.approx(float(np.linalg.norm(spread[known])), rel=1e-4)
    assert KNOWN[:3] == [0, 1, 2]


def test_more_seeds_are_averaged() -> None:
    model, events = lively(CONFIG.model), [held(), held(frames=13)]
    one, other, both = (judge(model, CONFIG, events, 2, seeds) for seeds in ([0], [2], [0, 2]))
    assert both.action_mae == pytest.approx((one.action_mae + other.action_mae) / 2)
    assert both.events == 2
