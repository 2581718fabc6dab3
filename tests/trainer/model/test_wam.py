"""The whole model: packing changes nothing (T2), events do not leak (T3), coupling is one-way (T4)."""

from dataclasses import replace

import torch
from torch import Tensor

from tests.trainer.events import example, lively, noised, small, velocities
from tests.trainer.events import losses as mean_losses
from trainer.batch import Example
from trainer.model.wam import WallWM, build

CONFIG = small().model


def events() -> list[Example]:
    """Of different lengths, views and captions; one without actions."""
    return [
        example(frames=5, views=2, actions=3),
        example(frames=9, actions=0, caption="", seed=1),
        example(frames=13, views=2, actions=7, caption="put it down slowly", seed=2),
    ]


def losses(model: WallWM, examples: list[Example], draws: list[int]) -> tuple[Tensor, Tensor]:
    batch, noise, seen = noised(examples, draws)
    return mean_losses(model(batch, seen), batch, noise, seen)


def test_a_pack_gives_what_its_events_give_alone() -> None:
    model, packed = lively(CONFIG), events()
    together = velocities(model, packed, [0, 1, 2])
    alone = [velocities(model, [event], [draw]) for draw, event in enumerate(packed)]
    torch.testing.assert_close(together.video_TP, torch.cat([out.video_TP for out in alone]), rtol=0, atol=1e-5)
    actions = [out.action_SA for out in alone if out.action_SA is not None]
    torch.testing.assert_close(together.action_SA, torch.cat(actions), rtol=0, atol=1e-5)


def test_gradients_of_a_pack_are_the_mean_of_its_events_gradients() -> None:
    model, packed = lively(CONFIG), [events()[0], events()[2]]
    sum(losses(model, packed, [0, 1])).backward()
    together = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    for draw, event in enumerate(packed):
        (sum(losses(model, [event], [draw])) / 2).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(together[name], parameter.grad, rtol=1e-5, atol=1e-5, msg=name)


def test_nothing_of_one_event_reaches_another_bitwise() -> None:
    model, (first, second, third) = lively(CONFIG), events()
    changed = replace(
        first, latents_VFCHW=first.latents_VFCHW + 1, words=tuple(word % 255 + 1 for word in first.words),
        state_A=first.state_A - 1, actions_KA=first.actions_KA * 2, tau_K=first.tau_K.flip(0),
    )  # fmt: skip
    before, after = (velocities(model, [each, second, third], [0, 1, 2]) for each in (first, changed))
    assert before.action_SA is not None
    assert after.action_SA is not None
    own_video, own_action = first.n_video, 1 + len(first.actions_KA)
    assert not torch.equal(before.video_TP[:own_video], after.video_TP[:own_video])
    assert torch.equal(before.video_TP[own_video:], after.video_TP[own_video:])
    assert torch.equal(before.action_SA[own_action:], after.action_SA[own_action:])


def test_the_video_loss_has_no_gradient_in_the_action_tower() -> None:
    model = lively(CONFIG)
    video, action = losses(model, events(), [0, 1, 2])
    parameters = list(model.action.parameters())
    assert all(g is None for g in torch.autograd.grad(video, parameters, allow_unused=True, retain_graph=True))
    assert all(g is not None for g in torch.autograd.grad(action, parameters, allow_unused=True))


def test_the_video_is_bitwise_the_same_whatever_the_action_side_holds() -> None:
    model, event = lively(CONFIG), events()[0]
    before = velocities(model, [event], [0]).video_TP
    other = replace(event, state_A=event.state_A + 3, actions_KA=event.actions_KA - 5, tau_K=event.tau_K.flip(0))
    assert torch.equal(before, velocities(model, [other], [0]).video_TP)
    with torch.no_grad():
        for parameter in model.action.parameters():
            parameter.add_(1.0)
    assert torch.equal(before, velocities(model, [event], [0]).video_TP)
    batch, _, seen = noised([event], [0])
    assert torch.equal(before, model(batch, seen, with_action=False).video_TP)


def test_the_action_loss_reaches_the_video_tower_unless_detached() -> None:
    for detach, reached in ((False, True), (True, False)):
        model = lively(replace(CONFIG, detach_video=detach))
        losses(model, events(), [0, 1, 2])[1].backward()
        assert any(parameter.grad is not None for parameter in model.video.parameters()) is reached


def test_a_new_model_predicts_nothing_yet_and_is_the_same_for_the_same_seed() -> None:
    state = torch.get_rng_state()
    first, second = build(CONFIG, 5), build(CONFIG, 5)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not velocities(first, events(), [0, 1, 2]).video_TP.any()
