"""Event mode, and the proof that the whole model learns: it overfits one event (T1)."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import KNOWN, example, lively, losses, sample, small, stats_of
from trainer.batch import Example, pack
from trainer.configs import tiny_muon
from trainer.flow import Schedule, Sigmas, add_noise, draw_noise
from trainer.infer import imagine
from trainer.loop import Trainer
from trainer.model.wam import WallWM, build
from trainer.parallel import Ranks
from trainer.steps import OneEvent

STEPS = 200
LIMIT = 0.02
FRESH_DRAW = 10**9
"""Far from every draw of training: noise the model has not seen."""


@pytest.fixture(scope="module")
def overfitted() -> tuple[WallWM, Example]:
    """A `tiny` model after 200 steps on one event of 9 frames and 8 actions, 18 noise draws a step."""
    config = tiny_muon()
    config = replace(config, data=replace(config.data, token_budget=384))
    model, event = build(config.model, config.seed), example()
    steps = OneEvent(event, config.data.token_budget, STEPS)
    trainer = Trainer(config, model, steps, Ranks(0, 1, torch.device("cpu")))
    with steps.read(0, 0, 1) as read:
        for step in read:
            trainer.advance(step)
    return model, event


@torch.no_grad()
@pytest.mark.parametrize("sigma", [0.2, 0.5, 0.8])
def test_one_event_is_learnt_at_every_noise_level(overfitted: tuple[WallWM, Example], sigma: float) -> None:
    model, event = overfitted
    copies = [event] * 32
    batch = pack(copies)
    noise = draw_noise(copies, range(FRESH_DRAW, FRESH_DRAW + 32), 0, Schedule(Sigmas("uniform"), None))
    level = torch.full((32,), sigma)
    noise = replace(noise, video_sigma_E=level, action_sigma_D=level)
    seen = add_noise(batch, noise)
    video, action = losses(model(batch, seen), batch, noise, seen)
    assert video.item() < LIMIT
    assert action.item() < LIMIT


def test_the_imagined_event_ends_where_the_real_one_did(overfitted: tuple[WallWM, Example]) -> None:
    model, event = overfitted
    spread = (event.actions_KA.amax(0) - event.actions_KA.amin(0))[KNOWN]
    misses = []
    for seed in range(8):
        imagined = imagine(model, event, steps=20, shift=1.0, seed=seed)
        misses.append((imagined.actions_KA - event.actions_KA)[-1, KNOWN].abs() / spread)
        assert (imagined.latents_VFCHW - event.latents_VFCHW).square().mean() < 0.01
    assert torch.stack(misses).mean() < LIMIT


def test_only_what_is_known_beforehand_is_used() -> None:
    model, event = lively(small().model), example()
    hidden = replace(
        event,
        latents_VFCHW=torch.cat([event.latents_VFCHW[:, :1], torch.full_like(event.latents_VFCHW[:, 1:], 9.0)], dim=1),
        actions_KA=torch.full_like(event.actions_KA, 9.0),
    )
    seen, unseen = (imagine(model, each, steps=2, shift=1.0, seed=0) for each in (event, hidden))
    assert torch.equal(seen.latents_VFCHW, unseen.latents_VFCHW)
    assert torch.equal(seen.actions_KA, unseen.actions_KA)


def test_the_observed_frame_is_returned_as_it_was() -> None:
    event = example(views=2)
    imagined = imagine(lively(small().model), event, steps=2, shift=1.0, seed=0)
    assert torch.equal(imagined.latents_VFCHW[:, 0], event.latents_VFCHW[:, 0])
    assert imagined.latents_VFCHW.shape == event.latents_VFCHW.shape


def test_displacements_are_in_the_recordings_units() -> None:
    stats = stats_of(sample())
    imagined = imagine(lively(small().model), example(), steps=2, shift=1.0, seed=0)
    assert torch.allclose(
        torch.from_numpy(stats.normalise(imagined.displacements(stats)))[:, :2], imagined.actions_KA[:, :2], atol=1e-4
    )
