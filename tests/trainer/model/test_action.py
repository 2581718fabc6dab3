"""The action tower: what each token reads."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import example, lively, small, velocities


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


def test_an_event_longer_than_the_time_table_is_refused() -> None:
    config = small().model
    model = lively(replace(config, action=replace(config.action, max_tau=2)))
    with pytest.raises(ValueError, match="time index 2 in an event, the model knows 0 … 1"):
        velocities(model, [example(frames=9)], [0])
