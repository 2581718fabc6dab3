"""Staircase: one pass through the lower layers, gradients from the action loss, a plan recovered from latents."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.events import lively, losses, noised
from tests.trainer.model.test_conditioner import LANGUAGE, event, model_config, question
from trainer.batch import Example
from trainer.model.conditioner import Conditioner, SmallEncoder, language_sums
from trainer.model.staircase import Staircase, chain_count, chain_sum, told
from trainer.model.wam import WallWM, build
from trainer.stages import STAGES, freeze
from trainer.story import Question, text_of

WORDS = ("reach", "grasp", "lift", "pour")
PLANS = [(event(f"first {a} then {b} then {c}", a, 1.0, after=(b, c)), (a, b, c)) for a, b, c in permutations(WORDS, 3)]


def parts(model: WallWM) -> tuple[Conditioner, Staircase]:
    assert model.language is not None
    assert model.staircase is not None
    return model.language, model.staircase


def latents(model: WallWM, asked: Question) -> Tensor:
    language, staircase = parts(model)
    found: Tensor = staircase(language.understand(asked.story.asked, asked.sight, slot_D=staircase.slot))
    return found


def test_every_layer_runs_once_however_many_latents() -> None:
    model = lively(replace(model_config(), language=replace(LANGUAGE, latents=6, lower=2, upper=3)))
    language, staircase = parts(model)
    assert isinstance(language.encoder, SmallEncoder)
    runs = dict.fromkeys(("lower", "branch"), 0)
    for name, layers in (("lower", language.encoder.lower), ("branch", staircase.branch)):
        for layer in layers:
            layer.register_forward_hook(lambda *_, name=name: runs.update({name: runs[name] + 1}))
    found = model.think(question(*(each for each, _ in PLANS[:3])), heads=True, chain=True)
    assert found.latents_EKD is not None
    assert found.latents_EKD.shape == (3, 6, LANGUAGE.width)
    assert runs == {"lower": 2, "branch": 3}


def test_a_latent_follows_from_those_before_it_and_not_from_those_after() -> None:
    model, asked = lively(model_config()), question(PLANS[0][0])
    _, staircase = parts(model)
    found, push = latents(model, asked), torch.linspace(-1, 1, LANGUAGE.width)
    for k in range(LANGUAGE.latents):
        with torch.no_grad():
            staircase.step[k] += push
        changed = (latents(model, asked) - found).abs().amax(dim=2)[0] > 1e-5
        with torch.no_grad():
            staircase.step[k] -= push
        assert changed.tolist() == [other >= k for other in range(LANGUAGE.latents)]


def test_the_action_loss_reaches_branch_and_projectors_and_nothing_else() -> None:
    model = lively(model_config())
    freeze(model, STAGES["staircase"])
    examples: list[Example] = [each for each, _ in PLANS[:2]]
    thought = model.think(question(*examples), heads=False, chain=True)
    batch, noise, seen = noised(examples, [0, 1])
    predicted = model(batch, seen, text_SD=thought.text_SD)
    losses(predicted, batch, noise, seen)[1].backward()  # type: ignore[no-untyped-call]
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[0] for name in reached} == {"staircase"}
    left_out = {name for name, _ in model.named_parameters() if name.startswith("staircase.")} - reached
    assert {name.split(".")[1] for name in left_out} == {"prefix", "place"}, "these serve the decoder alone"
    _, staircase = parts(model)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in (staircase.slot, staircase.to_text.weight))


def decoder_of(seed: int) -> WallWM:
    """A model whose decoder can write each of the four words, and is frozen from then on."""
    model = build(model_config(), seed)
    language, _ = parts(model)
    asked = question(*(event(word, word, 1.0) for word in WORDS))
    optimiser = torch.optim.AdamW(language.parameters(), lr=3e-3)
    for _ in range(100):
        understood = language.understand(asked.story.asked, asked.sight)
        loss = language_sums(language, understood, asked.story, model.text(asked.story.target_S)).next_event
        optimiser.zero_grad()
        (loss / len(WORDS)).backward()
        optimiser.step()
    freeze(model, STAGES["staircase"])
    return model


def recovered(model: WallWM, *, thinking: bool) -> float:
    """The share of plans told rightly after training; without latents a learnt constant takes their place."""
    language, staircase = parts(model)
    asked = question(*(each for each, _ in PLANS))
    constant = nn.Parameter(torch.zeros(LANGUAGE.latents, LANGUAGE.width))
    optimiser = torch.optim.AdamW([*staircase.parameters(), constant], lr=3e-3)

    def states() -> Tensor:
        return latents(model, asked) if thinking else constant.expand(len(PLANS), -1, -1)

    for _ in range(150):
        loss = chain_sum(staircase, language, states(), asked.story) / chain_count(asked.story)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        events = told(staircase, language, states(), 3)
    found = [tuple(text_of(tokens.tolist()) for tokens in plan) for plan in zip(*events, strict=True)]
    return sum(said == plan for said, (_, plan) in zip(found, PLANS, strict=True)) / len(PLANS)


@pytest.mark.slow
def test_latents_recover_a_plan_of_three_events_and_nothing_else_does() -> None:
    assert recovered(decoder_of(0), thinking=True) > 0.8
    assert recovered(decoder_of(0), thinking=False) <= 1 / len(PLANS)


def test_the_staircase_starts_as_the_layers_it_branches_from() -> None:
    language, staircase = parts(build(model_config(), 0))
    assert isinstance(language.encoder, SmallEncoder)
    pairs = zip(language.encoder.upper.parameters(), staircase.branch.parameters(), strict=True)
    assert all(torch.equal(one, other) and one is not other for one, other in pairs)
