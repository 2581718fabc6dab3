"""Imagining events, by both towers together or by one look at the video; and the proof that the whole model learns:
it overfits one event (T1)."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.events import KNOWN, example, lively, losses, sample, small, stats_of, talking
from trainer.batch import Batch, Example, latents_from, pack
from trainer.configs import tiny
from trainer.flow import Noised, Schedule, Sigmas, add_noise, draw_noise, generator_of, observe
from trainer.infer import Passes, denoise, imagine
from trainer.loop import Trainer
from trainer.model.action import ActionTower, KeysValues
from trainer.model.language import NO_CAPTION
from trainer.model.wam import Velocities, WallWM, build
from trainer.parallel import Ranks
from trainer.sampling import Sampling
from trainer.steps import OneEvent

STEPS = 200
LIMIT = 0.02
FRESH_DRAW = 10**9
"""Far from every draw of training: noise the model has not seen."""


@pytest.fixture(scope="module")
def overfitted() -> tuple[WallWM, Example]:
    """A `tiny` model after 200 steps on one event of 9 frames and 8 actions, 18 noise draws a step."""
    config = tiny()
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


class Counted:
    """How often each tower of a model runs."""

    def __init__(self, model: WallWM) -> None:
        self.video = self.action = 0
        model.video.register_forward_hook(lambda *_: self._count("video"))
        model.action.register_forward_hook(lambda *_: self._count("action"))

    def _count(self, tower: str) -> None:
        setattr(self, tower, getattr(self, tower) + 1)


@torch.no_grad()
def by_whole_passes(model: WallWM, event: Example, sampling: Sampling, seed: int) -> tuple[Tensor, Tensor]:
    """Asymmetric inference the long way: the whole model, both towers, at every step."""
    batch, generator = pack([event]), generator_of(seed, 0)
    video = torch.randn(batch.video.clean_TP.shape, generator=generator)
    action = torch.randn(batch.action.clean_SA.shape, generator=generator)
    noise = action

    def whole(video_level: float, action_level: float) -> Velocities:
        levels = torch.tensor([video_level]), torch.tensor([action_level])
        predicted: Velocities = model(batch, observe(batch, video, action, *levels))
        return predicted

    for start, stop in pairwise(torch.linspace(1.0, sampling.anchor, sampling.approach + 1).tolist()):
        video = video + (stop - start) * whole(start, 1.0).video_TP
    for start, stop in pairwise(torch.linspace(1.0, 0.0, sampling.steps + 1).tolist()):
        velocity = whole(sampling.anchor, start).action_SA
        assert velocity is not None
        action = action + (stop - start) * velocity
    actions_KA = action[~batch.action.observed_S]
    for start, stop in pairwise(torch.linspace(sampling.anchor, 0.0, sampling.steps + 1).tolist()):
        action = noise
        video = video + (stop - start) * whole(start, 1.0).video_TP
    shown = observe(batch, video, noise, torch.zeros(1), torch.zeros(1)).video_TP
    views, frames, channels, height, width = event.latents_VFCHW.shape
    return actions_KA, latents_from(shown, (views, frames, channels, height, width))


@pytest.mark.parametrize("approach", [1, 3])
def test_looking_once_is_what_the_whole_model_says_at_the_same_levels(approach: int) -> None:
    model, event = lively(small().model), example(views=2)
    sampling = Sampling("asymmetric", steps=4, anchor=0.36, approach=approach, video=True)
    actions_KA, latents_VFCHW = by_whole_passes(model, event, sampling, seed=5)
    imagined = denoise(model, event, sampling, seed=5)
    assert (imagined.actions_KA - actions_KA).abs().max() < 1e-5
    assert (imagined.latents_VFCHW - latents_VFCHW).abs().max() < 1e-5
    other = denoise(model, event, replace(sampling, anchor=0.9), seed=5)
    assert (other.actions_KA - actions_KA).abs().max() > 1e-3, "the level matters"


@pytest.mark.parametrize(
    ("sampling", "video", "action"),
    [
        (Sampling("symmetric", steps=10), 10, 10),
        (Sampling("asymmetric", steps=10, approach=1), 2, 10),
        (Sampling("asymmetric", steps=10, approach=0), 1, 10),
        (Sampling("asymmetric", steps=10, approach=1, video=True), 11, 10),
    ],
)
def test_passes_are_those_that_were_run(sampling: Sampling, video: int, action: int) -> None:
    model = lively(small().model)
    counted = Counted(model)
    imagined = denoise(model, example(), sampling, seed=0)
    assert imagined.passes == Passes(counted.video, counted.action) == Passes(video, action)


def test_a_start_at_the_anchor_supposes_that_nothing_moves() -> None:
    model, event = lively(small().model), example(views=2)
    sampling = Sampling("asymmetric", steps=3, approach=0)
    still = replace(event, latents_VFCHW=event.latents_VFCHW[:, :1].expand_as(event.latents_VFCHW).contiguous())
    batch, generator = pack([still]), generator_of(1, 0)
    noise = torch.randn(batch.video.clean_TP.shape, generator=generator)
    level = torch.tensor([sampling.anchor])
    tokens = (1 - sampling.anchor) * batch.video.clean_TP + sampling.anchor * noise
    with torch.no_grad():
        watched = model.watch(batch, *_video_of(observe(batch, tokens, batch.action.clean_SA, level, level)))
        action = torch.randn(batch.action.clean_SA.shape, generator=generator)
        for start, stop in pairwise(torch.linspace(1.0, 0.0, 4)):
            seen = observe(batch, tokens, action, level, start.reshape(1))
            velocity, _ = model.action(batch, watched.states, seen.action_SA, seen.action_sigma_R)
            action = action + (stop - start) * velocity
    imagined = denoise(model, event, sampling, seed=1)
    assert torch.allclose(imagined.actions_KA, action[~batch.action.observed_S], atol=1e-5)
    assert imagined.latents_VFCHW.shape[1] == 1, "the video was not asked for"


def _video_of(noised: Noised) -> tuple[Tensor, Tensor]:
    return noised.video_TP, noised.video_sigma_R


def test_vectors_are_read_in_place_of_the_caption() -> None:
    model, event = lively(small().model), example(caption="lift the cup")
    silent = replace(event, words=(NO_CAPTION,))
    with torch.no_grad():
        vectors = model.text(torch.tensor(event.words))
    for sampling in (Sampling(steps=2), Sampling("asymmetric", steps=2)):
        told, read, unheard = (
            denoise(model, each, sampling, seed=0, text_SC=text).actions_KA
            for each, text in ((event, None), (silent, vectors), (silent, None))
        )
        assert torch.allclose(told, read, atol=1e-6)
        assert (told - unheard).abs().max() > 1e-4


class SaysClean(nn.Module):
    """An action tower that says x₀ = x_σ − σ·v where the one within says v: as if trained to say the other."""

    def __init__(self, tower: ActionTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(
        self, batch: Batch, seen: Sequence[Tensor | KeysValues], action_SA: Tensor, sigma_R: Tensor, window: None
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        said_SA, pairs = self.tower(batch, seen, action_SA, sigma_R, window)
        return action_SA - sigma_R[batch.action.row_S, None] * said_SA, pairs


@pytest.mark.parametrize("mode", ["symmetric", "asymmetric"])
def test_a_head_that_says_actions_is_denoised_as_one_that_says_velocities(
    mode: Literal["symmetric", "asymmetric"],
) -> None:
    model, event, sampling = lively(small().model), example(), Sampling(mode, steps=4)
    of_velocities = denoise(model, event, sampling, seed=0)
    model.action = SaysClean(model.action)  # type: ignore[assignment]  # as far as inference goes
    of_actions = denoise(model, event, sampling, seed=0, prediction="x")
    assert (of_actions.actions_KA - of_velocities.actions_KA).abs().max() < 1e-4
    taken_for_velocities = denoise(model, event, sampling, seed=0)
    assert (taken_for_velocities.actions_KA - of_velocities.actions_KA).abs().max() > 0.1


def test_history_is_read_with_its_index() -> None:
    model, event = lively(talking().model), replace(example(frames=13), history=1)
    told, flat = (denoise(each, event, Sampling(steps=2), seed=0) for each in (model, without_index(model)))
    assert (told.actions_KA - flat.actions_KA).abs().max() > 1e-4
    assert torch.equal(told.latents_VFCHW[:, :2], event.latents_VFCHW[:, :2]), "history stays as it was"


def without_index(model: WallWM) -> WallWM:
    other = deepcopy(model)
    other.window = None
    return other


def test_steps_are_spread_by_the_shift_on_both_sides_of_the_anchor() -> None:
    model, event = lively(small().model), example()
    straight, bent = (
        denoise(model, event, Sampling("asymmetric", steps=3, shift=shift, video=True), seed=0) for shift in (1.0, 5.0)
    )
    assert (straight.actions_KA - bent.actions_KA).abs().max() > 1e-4
    assert (straight.latents_VFCHW - bent.latents_VFCHW).abs().max() > 1e-4


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"anchor": 0.0}, {"anchor": 1.5}, {"approach": -1}])
def test_a_sampling_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="sampling: found"):
        Sampling(**wrong)  # type: ignore[arg-type]
