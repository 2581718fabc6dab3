"""Segment attention: every implementation gives what the dense oracle gives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.attend import Implementation, attend, segments_of

LENGTHS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=5)


def tensors(n_queries: int, n_keys: int, *, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(n, 2, 8, generator=generator, dtype=torch.float64, requires_grad=True)
        for n in (n_queries, n_keys, n_keys)
    ]


@given(LENGTHS)
def test_the_loop_equals_the_dense_oracle_forward_and_backward(lengths: list[tuple[int, int]]) -> None:
    segments = segments_of([q for q, _ in lengths], [k for _, k in lengths])
    results = []
    for implementation in ("loop", "dense"):
        parts = tensors(sum(segments.queries), sum(segments.keys))
        out = attend(parts[0], parts[1], parts[2], segments, implementation)
        out.square().sum().backward()
        results.append([out, *(part.grad for part in parts)])
    for loop, dense in zip(*results, strict=True):
        torch.testing.assert_close(loop, dense)


def test_segments_of_one_size_take_the_batched_way_and_give_the_same() -> None:
    segments = segments_of([3, 3], [2, 2])
    q, k, v = tensors(6, 4)
    torch.testing.assert_close(attend(q, k, v, segments, "loop"), attend(q, k, v, segments, "dense"))


def test_a_segment_sees_only_its_own_keys() -> None:
    segments = segments_of([2, 3], [4, 1])
    q, k, v = tensors(5, 5)
    before = attend(q, k, v, segments)
    changed = v.detach().clone()
    changed[:4] += 1.0
    after = attend(q, k, changed, segments)
    assert not torch.equal(before[:2], after[:2])
    assert torch.equal(before[2:], after[2:])


def test_a_query_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="without any key"):
        segments_of([1, 2], [1, 0])


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="found 2 of queries and 1 of keys"):
        segments_of([1, 2], [1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the varlen kernel needs CUDA")
@pytest.mark.parametrize("implementation", ["varlen", "auto"])
def test_the_varlen_kernel_equals_the_dense_oracle_in_half_precision(implementation: Implementation) -> None:
    segments = segments_of([5, 1, 7], [3, 2, 9])
    q, k, v = (part.detach().to("cuda", torch.bfloat16) for part in tensors(13, 14))
    found = attend(q, k, v, segments, implementation).float()
    torch.testing.assert_close(found, attend(q.float(), k.float(), v.float(), segments, "dense"), rtol=2e-2, atol=2e-2)


def test_masks_hide_single_pairs_whatever_computes_them() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 11, 2, 8, generator=generator)
    segments = segments_of([4, 3, 4])
    masks = [torch.rand(4, 4, generator=generator) > 0.4, None, torch.rand(4, 4, generator=generator) > 0.4]
    for mask in masks:
        if mask is not None:
            mask.fill_diagonal_(True)
    loop, dense = (attend(q, k, v, segments, how, masks) for how in ("loop", "dense"))
    torch.testing.assert_close(loop, dense, rtol=0, atol=1e-6)
    assert not torch.allclose(loop, attend(q, k, v, segments), atol=1e-3)
    with pytest.raises(ValueError, match="varlen knows no masks"):
        attend(q, k, v, segments, "varlen", masks)
