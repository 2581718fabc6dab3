"""The action tower: what each token reads."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import example, lively, noised, small, talking, velocities
from trainer.model.action import ActionSight


def actions_of(event_changes: dict[str, object]) -> torch.Tensor:
    out = velocities(lively(small().model), [replace(example(), **event_changes)], [0]).action_SA
    assert out is not None
    return out


def test_actions_read_the_state_the_video_the_caption_and_their_time() -> None:
    event = example()
    before = actions_of({})
    for changes in (
        {"state_A": event.state_A + 1},
        {"latents_VFCHW": event.latents_VFCHW + 1},
        {"words": (9, 8, 7)},
        {"tau_K": event.tau_K.flip(0)},
    ):
        assert not torch.allclose(before, actions_of(changes), atol=1e-4), next(iter(changes))


def test_an_unknown_dimension_is_not_read() -> None:
    event = example()
    state = event.state_A.clone()
    state[5] = 100.0
    assert torch.equal(actions_of({}), actions_of({"state_A": state}))


def test_zero_and_unknown_are_different_things() -> None:
    known = example().state_known_A.clone()
    known[5] = True
    assert not torch.allclose(actions_of({}), actions_of({"state_known_A": known}), atol=1e-4)


def test_actions_that_see_the_observed_frame_alone_read_no_other() -> None:
    config = small().model
    events = [example(frames=13, views=2), example(frames=9, seed=1), example(frames=5, views=2, seed=2)]
    batch, _, seen = noised(events, [0, 1, 2])
    for sees, reads_later in (("all", True), ("observed", False)):
        model = lively(replace(config, action=replace(config.action, sees=sees)))
        with torch.no_grad():
            states = list(model.watch(batch, seen.video_TP, seen.video_sigma_R).states)
            later = [torch.where(batch.video.observed_T[:, None], state, -state) for state in states]
            first = [torch.where(batch.video.observed_T[:, None], -state, state) for state in states]
            plain, *changed = (
                model.action(batch, each, seen.action_SA, seen.action_sigma_R)[0] for each in (states, later, first)
            )
        assert torch.equal(plain, changed[0]) is not reads_later
        assert not torch.allclose(plain, changed[1], atol=1e-4)


def test_a_pack_of_narrow_sight_gives_what_its_events_give_alone() -> None:
    config = small().model
    model = lively(replace(config, action=replace(config.action, sees="observed")))
    events = [example(frames=13, views=2), example(frames=9, seed=1)]
    packed = velocities(model, events, [0, 1]).action_SA
    alone = [velocities(model, [event], [draw]).action_SA for draw, event in enumerate(events)]
    assert packed is not None
    torch.testing.assert_close(packed, torch.cat([each for each in alone if each is not None]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("sees", ["all", "observed"])
@pytest.mark.parametrize("history", [0, 1])
def test_a_video_is_projected_once_for_all_steps(sees: ActionSight, history: int) -> None:
    config = talking().model
    model = lively(replace(config, action=replace(config.action, sees=sees)))
    batch, _, seen = noised([replace(example(frames=13, views=2), history=history)], [0])
    with torch.no_grad():
        states = model.watch(batch, seen.video_TP, seen.video_sigma_R).states
        asked = seen.action_SA, seen.action_sigma_R, model.window
        watched_SA, pairs = model.action(batch, states, *asked)
        projected = model.action.project(batch, states, model.window)
        again_SA, _ = model.action(batch, projected, *asked)
    assert torch.equal(watched_SA, again_SA)
    for pair, own in zip(pairs, projected, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(pair, own, strict=True))


def test_an_event_longer_than_the_time_table_is_refused() -> None:
    config = small().model
    model = lively(replace(config, action=replace(config.action, max_tau=2)))
    with pytest.raises(ValueError, match="time index 2 in an event, the model knows 0 … 1"):
        velocities(model, [example(frames=9)], [0])
