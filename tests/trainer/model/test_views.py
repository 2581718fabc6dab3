"""The cross-view branch: invisible at the start, effective afterwards (T5)."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import example, lively, noised, small, velocities
from trainer.batch import Example
from trainer.configs import single_view
from trainer.model.views import CameraRope, view_width
from trainer.model.wam import VideoLayer, build


def one_view(event: Example, view: int) -> Example:
    return replace(event, latents_VFCHW=event.latents_VFCHW[[view]], picture_VHW=event.picture_VHW[[view]])


def test_with_w_view_at_zero_the_tower_is_single_view_wan_for_each_camera() -> None:
    config, event = small().model, example(views=2)
    model = lively(config, views=False)
    alone = lively(single_view(config))
    alone.load_state_dict({k: v for k, v in model.state_dict().items() if k in alone.state_dict()})
    batch, noise, seen = noised([event], [0])
    together = model(batch, seen, with_action=False).video_TP
    for view in range(2):
        own, _, of_own = noised([one_view(event, view)], [0])
        part = slice(view * 12, view * 12 + 12)
        single = alone(own, replace(of_own, video_TP=seen.video_TP[part]), with_action=False).video_TP
        torch.testing.assert_close(together[part], single, rtol=0, atol=1e-6)
    assert noise.video_sigma_E.shape == (1,)


def test_with_w_view_at_work_one_camera_changes_what_another_shows() -> None:
    model = lively(small().model)
    event = example(views=2)
    changed = replace(event, latents_VFCHW=event.latents_VFCHW.clone())
    changed.latents_VFCHW[1] += 1.0
    before, after = (velocities(model, [each], [0]).video_TP for each in (event, changed))
    assert not torch.allclose(before[:12], after[:12], atol=1e-4)


def test_a_branch_starts_as_a_copy_of_within_view_attention_with_w_view_zero() -> None:
    tower = build(small().model, 0).video
    for layer in tower.layers:
        assert isinstance(layer, VideoLayer)
        branch, block = layer.view, layer.block
        assert branch is not None
        assert torch.equal(branch.attn.q.weight, block.self_attn.q.weight)
        assert torch.equal(branch.modulation, block.modulation[:, :3])
        assert not branch.attn.o.weight.any()


def test_w_view_gets_a_gradient_from_the_start() -> None:
    model = build(small().model, 0)
    torch.nn.init.normal_(model.video.head.head.weight)
    velocities(model, [example(views=2)], [0]).video_TP.square().mean().backward()
    layer = model.video.layers[0]
    assert isinstance(layer, VideoLayer)
    branch = layer.view
    assert branch is not None
    assert branch.attn.o.weight.grad is not None
    assert branch.attn.o.weight.grad.abs().max() > 0


def test_single_view_events_pass_unchanged_beside_multi_view_ones() -> None:
    model = lively(small().model)
    alone = velocities(model, [example()], [0]).video_TP
    beside = velocities(model, [example(), example(views=2, seed=1)], [0, 1]).video_TP
    torch.testing.assert_close(beside[: len(alone)], alone)


def test_a_head_has_room_for_frame_row_column_and_view() -> None:
    assert view_width(128) == 32
    rope = CameraRope(16, 2)
    assert (*rope.widths, view_width(16)) == (4, 4, 4, 4)


def test_more_views_than_the_model_knows_are_refused() -> None:
    config = small().model
    model = lively(replace(config, video=replace(config.video, max_views=2)))
    with pytest.raises(ValueError, match="an event has 3 views, the model knows 2"):
        velocities(model, [example(views=3)], [0])
