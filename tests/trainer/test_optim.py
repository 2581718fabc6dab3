"""Routing: every parameter is moved by exactly one rule, and Muon is torch's Muon (T11)."""

import pytest
import torch
from torch.optim import Muon

from tests.trainer.events import example as make_example
from tests.trainer.events import lively, losses, noised, small
from trainer.configs import tiny, tiny_language
from trainer.model.wam import WallWM, build
from trainer.optim import (
    ParameterRule,
    adamw_rules,
    clip_gradients,
    muon_rules,
    optimisers,
    rate_factor,
    route,
    set_rate,
)


def with_gradients() -> WallWM:
    model = lively(small().model)
    batch, noise, seen = noised([make_example(views=2)], [0])
    sum(losses(model(batch, seen), batch, noise, seen)).backward()
    return model


@pytest.mark.parametrize("rules", [adamw_rules(1e-3, 0.01), muon_rules(1e-3, 0.01)])
def test_every_parameter_is_claimed_by_exactly_one_group(rules: tuple[ParameterRule, ...]) -> None:
    model = build(tiny().model, 0)
    groups = [group for optimiser in optimisers(model, rules, (0.9, 0.99)) for group in optimiser.param_groups]
    claimed = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(claimed) == sorted(id(parameter) for parameter in model.parameters())


def test_muon_takes_matrices_of_blocks_and_nothing_else() -> None:
    model = build(tiny().model, 0)
    routed = route((name for name, _ in model.named_parameters()), muon_rules(1e-3, 0.01))
    muon = {name for name, rule in routed.items() if rule.algorithm == "muon"}
    shapes = {name: parameter.ndim for name, parameter in model.named_parameters()}
    assert {shapes[name] for name in muon} == {2}
    assert {name for name, ndim in shapes.items() if ndim == 2 and (".blocks." in name or ".block." in name)} <= muon
    assert not any("attn.o" in name and ".view." in name for name in muon), "W_view belongs to AdamW"
    assert not any("embedding" in name or "head" in name or "tau" in name for name in muon)


def test_language_parts_keep_a_rate_of_their_own_and_towers_do_not() -> None:
    config = tiny_language()
    routed = route((name for name, _ in build(config.model, 0).named_parameters()), config.rules)
    own = {name for name, rule in routed.items() if rule.name.startswith("language ")}
    assert own == {name for name in routed if name.startswith(("language.", "staircase."))}
    assert routed["language.encoder.word.weight"].weight_decay == 0.0 < routed["language.time.0.weight"].weight_decay
    assert {rule for name, rule in routed.items() if name not in own} == set(tiny().rules)


def test_an_unclaimed_parameter_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"1 parameters are claimed by no rule, first \['b.bias'\]"):
        route(["a.weight", "b.bias"], [ParameterRule("weights", r"weight$", "adamw", 1e-3, 0.0)])


def test_the_first_rule_that_matches_wins() -> None:
    first, second = ParameterRule("a", "x", "adamw", 1.0, 0.0), ParameterRule("b", "", "adamw", 2.0, 0.0)
    assert route(["x", "y"], [first, second]) == {"x": first, "y": second}


def test_a_muon_step_is_the_step_of_torchs_muon() -> None:
    ours, theirs = with_gradients(), with_gradients()
    for optimiser in optimisers(ours, muon_rules(1e-2, 0.01), (0.9, 0.99)):
        optimiser.step()
    reference = dict(theirs.named_parameters())
    routed = route(reference, muon_rules(1e-2, 0.01))
    matrices = [name for name, rule in routed.items() if rule.algorithm == "muon"]
    Muon([reference[n] for n in matrices], lr=1e-2, weight_decay=0.01, adjust_lr_fn="match_rms_adamw").step()
    stepped, before = dict(ours.named_parameters()), dict(with_gradients().named_parameters())
    assert all(torch.equal(stepped[name], reference[name]) for name in matrices)
    assert not any(torch.equal(stepped[name], before[name]) for name in matrices)


def test_the_rate_warms_up_stays_and_cools_down_to_zero() -> None:
    factors = [rate_factor(step, 10, warmup=2, cooldown=3) for step in range(10)]
    assert factors == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]


def test_setting_the_rate_twice_does_not_compound() -> None:
    made = optimisers(build(small().model, 0), adamw_rules(1e-3, 0.01), (0.9, 0.99))
    set_rate(made, 0.5)
    set_rate(made, 0.5)
    assert {group["lr"] for group in made[0].param_groups} == {5e-4}


def test_clipping_reports_the_norm_before_and_limits_the_one_after() -> None:
    model = with_gradients()
    before = clip_gradients(model.parameters(), 0.1)
    assert before > 0.1
    assert clip_gradients(model.parameters(), 1e9) == pytest.approx(0.1, rel=1e-4)
