"""The student is sampled as anyone samples its checkpoint, and only its last step is learnt."""

import pytest
import torch

from tests.trainer.events import example, lively, small
from trainer.batch import pack
from trainer.compress.few_steps import Point, Still, at, walk
from trainer.flow import generator_of, levels, rows_of
from trainer.infer import imagine


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_walk_is_what_imagine_does(steps: int) -> None:
    model, event, batch = lively(small().model), example(views=2), pack([example(views=2)])
    generator = generator_of(5, 0)
    start_video = torch.randn(batch.video.clean_TP.shape, generator=generator)
    start = Point(start_video, torch.randn(batch.action.clean_SA.shape, generator=generator))
    made = walk(model, batch, start, levels(steps, 1.0)[:-1].tolist(), None, "v")
    imagined = imagine(model, event, steps=steps, shift=1.0, seed=5)
    assert torch.allclose(made.action_SA[~batch.action.observed_S], imagined.actions_KA, atol=1e-5)


def test_what_is_observed_comes_back_untouched() -> None:
    batch = pack([example(views=2), example(seed=1)])
    start = Point(torch.randn_like(batch.video.clean_TP), torch.randn_like(batch.action.clean_SA))
    made = walk(lively(small().model), batch, start, [1.0, 0.5], None, "v")
    observed_T, observed_S = batch.video.observed_T, batch.action.observed_S
    assert torch.equal(made.video_TP[observed_T], batch.video.clean_TP[observed_T])
    assert torch.equal(made.action_SA[observed_S], batch.action.clean_SA[observed_S])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_only_the_last_step_is_learnt_and_learnt_wholly(dtype: torch.dtype) -> None:
    """In half precision too, where weights cast without gradients must not be handed out again."""
    model, batch = lively(small().model), pack([example(views=2)])
    start = Point(torch.randn_like(batch.video.clean_TP), torch.randn_like(batch.action.clean_SA).requires_grad_())
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        made = walk(model, batch, start, [1.0, 0.5], None, "v")
    (made.video_TP.square().sum() + made.action_SA.square().sum()).backward()
    assert start.action_SA.grad is None
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == set()


def test_an_x_predicting_head_is_taken_at_its_word() -> None:
    """At σ = 1 its guess is what it says."""
    model, batch = lively(small().model), pack([example()])
    start = Point(torch.randn_like(batch.video.clean_TP), torch.randn_like(batch.action.clean_SA))
    said = model(batch, at(batch, start, 1.0, None)).action_SA
    made = walk(model, batch, start, [1.0], None, "x")
    moving = ~batch.action.observed_S
    assert torch.allclose(made.action_SA[moving], said[moving], atol=1e-5)


def test_a_still_video_is_read_and_not_moved() -> None:
    model, batch = lively(small().model), pack([example()])
    level = torch.tensor([0.36])
    watched = model.watch(batch, batch.video.clean_TP, rows_of(level))
    still = Still(batch.video.clean_TP, level, watched.states)
    start = Point(torch.full_like(batch.video.clean_TP, torch.nan), torch.randn_like(batch.action.clean_SA))
    made = walk(model, batch, start, [1.0, 0.5], still, "v")
    assert torch.equal(made.video_TP, still.video_TP)
    assert torch.isfinite(made.action_SA).all()
    other = walk(model, batch, start, [1.0, 0.5], Still(still.video_TP, level, tuple(2 * x for x in still.states)), "v")
    assert not torch.equal(made.action_SA, other.action_SA)
