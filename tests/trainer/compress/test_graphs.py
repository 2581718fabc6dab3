"""Graphs give what the call gives; away from CUDA they are the call."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import example, lively, small
from trainer.batch import Example, pack
from trainer.compress.graphs import ActionsBefore, Graphs, action_loop, cloned, copy_into, shape_of, tensors_of
from trainer.device import to_device
from trainer.flow import generator_of, levels, observe, rows_of
from trainer.infer import denoise
from trainer.model.wam import WallWM
from trainer.sampling import Sampling

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="NOT RUN: no CUDA device, so recording and replaying graphs is untested here"
)
LEVELS = levels(4, 1.0).tolist()


def before(model: WallWM, event: Example, *, seed: int = 0, anchor: float = 0.36) -> ActionsBefore:
    """A video noised to the anchor and looked at once."""
    device = next(model.parameters()).device
    batch = to_device(pack([event]), device)
    generator = torch.Generator().manual_seed(seed)
    video = torch.randn(batch.video.clean_TP.shape, generator=generator).to(device)
    noise = torch.randn(batch.action.clean_SA.shape, generator=generator).to(device)
    with torch.no_grad():
        level = rows_of(torch.tensor([anchor], device=device))
        states = model.watch(batch, video, level).states
        _, seen = model.action(batch, states, noise, level)
    return ActionsBefore(batch, seen, noise)


def test_the_loop_makes_the_actions_that_inference_makes() -> None:
    """Anchor 1 without approach: the video is pure noise, and both start from the same."""
    model, event = lively(small().model), example(views=2)
    sampling = Sampling("asymmetric", steps=4, anchor=1.0, approach=0)
    imagined = denoise(model, event, sampling, 7)
    batch = pack([event])
    generator = generator_of(7, 0)
    video = torch.randn(batch.video.clean_TP.shape, generator=generator)
    noise = torch.randn(batch.action.clean_SA.shape, generator=generator)
    one = torch.ones(1)
    with torch.no_grad():
        states = model.watch(batch, observe(batch, video, noise, one, one).video_TP, rows_of(one)).states
        _, seen = model.action(batch, states, noise, rows_of(one))
    made = Graphs(action_loop(model, LEVELS, "v", torch.float32))(ActionsBefore(batch, seen, noise))
    assert torch.allclose(made[~batch.action.observed_S], imagined.actions_KA, atol=1e-6)


def test_away_from_cuda_the_call_is_made_and_nothing_is_kept() -> None:
    model = lively(small().model)
    given, call = before(model, example()), action_loop(model, LEVELS, "v", torch.float32)
    graphs = Graphs(call)
    with torch.no_grad():
        assert torch.equal(graphs(given), call(given))
    assert len(graphs) == 0


def test_events_of_one_length_share_a_graph_and_others_do_not() -> None:
    model = lively(small().model)
    one, same = (before(model, example(seed=seed)) for seed in (0, 1))
    longer, fewer = before(model, example(frames=13)), before(model, example(actions=7))
    assert shape_of(one) == shape_of(same)
    assert len({shape_of(each) for each in (one, longer, fewer)}) == 3


def test_lengths_of_segments_are_part_of_the_shape() -> None:
    """Two packs of equal sums: the kernels were launched for the parts."""
    one, other = (pack([example(actions=a), example(actions=b)]) for a, b in ((3, 5), (4, 4)))
    assert one.action.clean_SA.shape == other.action.clean_SA.shape
    assert shape_of(one) != shape_of(other)


def test_every_number_is_copied_and_none_is_shared() -> None:
    model = lively(small().model)
    one, other = (before(model, example(seed=seed), seed=seed) for seed in (0, 1))
    buffers = cloned(one)
    assert {t.data_ptr() for t in tensors_of(buffers)}.isdisjoint(t.data_ptr() for t in tensors_of(one) if t.numel())
    copy_into(buffers, other)
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(buffers), tensors_of(other), strict=True))
    call = action_loop(model, LEVELS, "v", torch.float32)
    with torch.no_grad():
        assert torch.equal(call(buffers), call(other))


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_replay_is_the_call_bit_for_bit(dtype: torch.dtype) -> None:
    model = lively(small().model).cuda()
    call = action_loop(model, LEVELS, "v", dtype)
    graphs = Graphs(call)
    for seed, frames in ((0, 9), (1, 9), (2, 13), (3, 9)):
        given = before(model, replace(example(seed=seed), raw_frames=frames), seed=seed)
        with torch.no_grad():
            assert torch.equal(graphs(given), call(given))


@needs_cuda
def test_the_longest_unused_graph_is_dropped() -> None:
    model = lively(small().model).cuda()
    graphs = Graphs(action_loop(model, LEVELS, "v", torch.float32), most=2)
    for actions in (3, 4, 5):
        graphs(before(model, example(actions=actions)))
    assert len(graphs) == 2
