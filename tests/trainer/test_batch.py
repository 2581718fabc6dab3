"""Packing: order, segments, masks, and that nothing of an event is lost on the way."""

from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.events import example
from trainer.batch import Example, asked_at_the_end, latents_from, pack, patches_of
from trainer.story import Closing, Story


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_patches_come_back_as_the_latents_they_were(views: int, frames: int, rows: int, columns: int) -> None:
    shape = (views, frames, 4, 2 * rows, 2 * columns)
    latents = torch.arange(torch.Size(shape).numel()).reshape(shape)
    patches = torch.cat([patches_of(view) for view in latents])
    assert patches.shape == (views * frames * rows * columns, 16)
    assert torch.equal(latents_from(patches, shape), latents)


def test_tokens_are_ordered_event_view_frame_row_column() -> None:
    video = pack([example(views=2), example(frames=5, seed=1)]).video
    assert video.within.queries == (12, 12, 8)
    assert video.position_T3[:5].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0]]
    assert video.event_T.tolist() == [0] * 24 + [1] * 8


def test_the_first_latent_frame_is_observed_and_on_the_clean_timestep_row() -> None:
    video = pack([example(), example(seed=1)]).video
    assert torch.equal(video.observed_T, video.position_T3[:, 0] == 0)
    assert video.row_T[video.observed_T].unique().tolist() == [0, 2]
    assert video.row_T[~video.observed_T].unique().tolist() == [1, 3]
    assert not video.mask_TP[video.observed_T].any()


def test_border_cells_are_not_in_the_loss() -> None:
    event = example()
    event.picture_VHW[:, 3] = False
    mask_FCHW = latents_from(pack([event]).video.mask_TP, (1, 3, 4, 4, 4))[0]
    assert not mask_FCHW[:, :, 3].any()
    assert mask_FCHW[1:, :, :3].all()


def test_views_of_one_instant_stand_together() -> None:
    video = pack([example(frames=5), example(frames=5, views=2)]).video
    views = video.views
    assert views is not None
    assert views.order_U[:8].tolist() == [8, 9, 10, 11, 16, 17, 18, 19]
    assert torch.equal(video.position_T3[views.order_U], views.position_U3)
    assert views.segments.queries == (8, 8)
    assert views.order_U.min() == 8, "the single-view event takes no part"
    assert views.view_U[:8].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert views.position_U3[:8, 0].unique().tolist() == [0]
    assert sorted(views.order_U.tolist()) == list(range(8, 24))


def test_single_view_events_have_no_view_tokens() -> None:
    assert pack([example()]).video.views is None


def test_an_event_without_actions_has_its_state_token_and_no_loss() -> None:
    action = pack([example(actions=0), example(actions=3)]).action
    assert action.within.queries == (1, 4)
    assert action.state_D.tolist() == [0, 1]
    assert not action.mask_SA[:2].any()
    assert action.mask_SA[2:].sum().item() == 3 * 4


def test_invalid_rows_and_missing_dimensions_are_not_in_the_loss() -> None:
    event = example(actions=3)
    event.valid_K[1] = False
    mask_SA = pack([event]).action.mask_SA
    assert mask_SA.sum(dim=1).tolist() == [0, 4, 0, 4]
    assert torch.equal(mask_SA.any(dim=0), event.action_known_A)


def test_the_state_has_time_index_zero_and_actions_their_own() -> None:
    assert pack([example(actions=4)]).action.tau_S.tolist() == [0, 1, 1, 2, 2]


def test_action_draws_of_an_event_stand_together_and_read_its_one_video() -> None:
    batch = pack([example(actions=3), example(actions=0, seed=1)], 2)
    action = batch.action
    assert action.within.queries == (4, 4, 1, 1)
    assert action.to_video.queries == (8, 2)
    assert action.to_video.keys == batch.video.within.queries
    assert action.event_S.tolist() == [0] * 8 + [1] * 2
    assert action.row_S.tolist() == [0, 1, 1, 1, 2, 3, 3, 3, 4, 6]
    assert action.state_D.tolist() == [0, 4, 8, 9]


def test_an_empty_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        pack([])


def test_latents_that_do_not_divide_into_patches_are_refused() -> None:
    with pytest.raises(ValueError, match="ev-0: 3×3 latent cells"):
        pack([example(size=24)])


def told(*after: str) -> Example:
    closing = Closing(torch.full((20,), 2.0), next_s=0.7)
    return replace(example(), story=Story("tidy up", ("reach",), "lift", after, 0.9, (5,), elapsed_s=0.3, end=closing))


def test_at_its_end_an_event_is_one_that_was_done() -> None:
    event = told("place", "leave")
    later = asked_at_the_end(event)
    assert later is not None
    assert later.story is not None
    assert asdict(later.story) == asdict(Story("tidy up", ("reach", "lift"), "place", ("leave",), 0.7))
    assert torch.equal(later.latents_VFCHW, event.latents_VFCHW[:, -1:])
    assert torch.equal(later.state_A, torch.full((20,), 2.0))
    assert asked_at_the_end(later) is None, "one question more, not two"


def test_after_the_last_event_all_is_over() -> None:
    later = asked_at_the_end(told())
    assert later is not None
    assert later.story is not None
    assert (later.story.now, later.story.over) == ("", True)


def test_who_has_not_seen_the_end_is_not_asked_there() -> None:
    event = told("place")
    assert event.story is not None
    assert asked_at_the_end(replace(event, story=replace(event.story, end=None))) is None
    assert asked_at_the_end(replace(event, story=None)) is None
