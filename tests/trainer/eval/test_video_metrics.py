"""The truth is perfect, stillness is where it must be, and asking twice gives the same."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import lively, sample, small, stats_of
from trainer.eval.held_out import HeldOut, held
from trainer.eval.predictors import OfModel, OfStillness, OfTruth
from trainer.eval.video_metrics import EventScore, score
from trainer.eval.video_report import better, summary
from trainer.example import shown_whole

CONFIG = replace(small(), data=replace(small().data, token_budget=768))


@pytest.fixture(scope="module")
def event() -> HeldOut:
    one = sample()
    return held(shown_whole(one, CONFIG.data), stats_of(one), CONFIG)


@pytest.fixture(scope="module")
def model() -> OfModel:
    return OfModel(lively(CONFIG.model), CONFIG, steps=2)


def test_the_truth_is_perfect_in_every_number(event: HeldOut) -> None:
    told = summary([score(OfTruth(), event, 0)])
    assert {name: told[name] for name in ("psnr", "ssim", "motion_ratio", "jerk_ratio")} == {
        "psnr": 100.0, "ssim": 1.0, "motion_ratio": 1.0, "jerk_ratio": 1.0,
    }  # fmt: skip
    errors = ("latent_mse", "video_v_mse", "action_v_mse", "end_mm", "end_opening")
    assert {name: told[name] for name in errors} == dict.fromkeys(errors, 0.0)
    assert told["cross_view"]["likeness"]["disagreement"] == 0.0
    assert 15.0 < told["psnr_recorded"] < 99.0, "the codec's own loss is the ceiling"


def test_stillness_neither_moves_nor_trembles_and_misses_by_the_way_that_was_made(event: HeldOut) -> None:
    told = summary([score(OfStillness(), event, 0)])
    assert told["motion_ratio"] == told["jerk_ratio"] == 0.0
    one = sample()
    assert one.action_T20 is not None
    assert one.state_T20 is not None
    way = one.action_T20[-1, :3] - one.state_T20[0, :3]
    assert told["end_mm"] == pytest.approx(1000 * float((way**2).sum() ** 0.5), rel=1e-4)
    assert told["psnr"] < 40.0
    assert told["latent_mse_by_frame"][0] < told["latent_mse_by_frame"][-1], "the square moves on and on"


def test_a_velocity_that_leads_elsewhere_is_wrong_by_how_far_over_the_noise(event: HeldOut) -> None:
    told = score(OfStillness(), event, 0)
    x0_error = told.video_v_mse[0] * 0.1**2
    assert [
        v * sigma**2 for v, sigma in zip(told.video_v_mse, (0.1, 0.3, 0.5, 0.7, 0.9), strict=True)
    ] == pytest.approx([x0_error] * 5, rel=1e-4)


def test_asking_again_or_among_others_gives_the_same(event: HeldOut, model: OfModel) -> None:
    torch.manual_seed(1)
    first = score(model, event, 0)
    score(model, replace(event, example=replace(event.example, event_id="another")), 0)
    assert score(model, event, 0) == first
    assert score(model, event, 1) != first


def test_a_net_of_random_weights_is_better_at_nothing(event: HeldOut, model: OfModel) -> None:
    told: list[EventScore] = [score(model, event, 0)]
    shares = better(told, [score(OfTruth(), event, 0)])
    assert shares == {"psnr": 0.0, "latent_mse": 0.0, "end_m": 0.0}


def test_an_event_without_actions_counts_for_the_video_alone(model: OfModel) -> None:
    silent = held(shown_whole(sample(actions=False), CONFIG.data), None, CONFIG)
    told = summary([score(model, silent, 0)])
    assert told["n_events_with_actions"] == 0
    assert told["end_mm"] is told["action_v_mse"] is told["jerk_ratio"] is None
    assert told["video_v_mse"] > 0
