"""The Wan block: RoPE split, rotation, timestep rows, and parity with diffusers (T6, light)."""

import pytest
import torch
from torch import Tensor

from clustering.torchvision_schemas import declare
from tests.trainer.events import example, lively, noised, small
from trainer.batch import Example, latents_from
from trainer.configs import single_view
from trainer.convert import exported
from trainer.model.wam import WallWM
from trainer.model.wan import TimeEmbedding, axis_widths, modulations, rotate, rotation_of


def test_a_head_is_divided_as_wan_divides_it() -> None:
    assert axis_widths(128) == (44, 42, 42)
    assert axis_widths(16) == (8, 4, 4)


def test_rotation_depends_on_relative_position_only() -> None:
    q, k = torch.randn(2, 1, 1, 16, generator=torch.Generator().manual_seed(0))

    def score(q_at: list[int], k_at: list[int]) -> Tensor:
        turned = [rotate(x, rotation_of(torch.tensor([at]), (8, 4, 4))) for x, at in ((q, q_at), (k, k_at))]
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(score([5, 3, 2], [2, 2, 2]), score([9, 1, 7], [6, 0, 7]))
    assert abs(score([5, 3, 2], [2, 2, 2]) - score([5, 3, 2], [2, 2, 3])) > 1e-3


def test_rotation_keeps_lengths_and_leaves_the_origin() -> None:
    x = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(0))
    rotation = rotation_of(torch.tensor([[0, 0, 0], [4, 1, 2]]), (8, 4, 4))
    assert torch.equal(rotate(x, rotation)[0], x[0])
    torch.testing.assert_close(rotate(x, rotation).norm(dim=-1), x.norm(dim=-1))


def test_modulations_on_rows_equal_modulations_on_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    table, rows = torch.randn(1, 3, 8, generator=generator), torch.randn(2, 3, 8, generator=generator)
    row_T = torch.tensor([0, 1, 1, 0, 1])
    by_token = (table + rows[row_T]).unbind(dim=1)
    assert all(torch.equal(a, b) for a, b in zip(modulations(table, rows, row_T), by_token, strict=True))


def test_the_time_mlp_runs_once_per_timestep_row() -> None:
    model = lively(small().model)
    seen: list[int] = []
    for module in model.video.modules():
        if isinstance(module, TimeEmbedding):
            module.time_embedding.register_forward_hook(lambda _m, _i, out: seen.append(len(out)))
    batch, _, tokens = noised([example(), example(seed=1)], [0, 1])
    model(batch, tokens)
    assert seen == [4]
    assert len(batch.video.row_T) > 4


def test_one_view_of_one_event_is_diffusers_wan() -> None:
    declare()
    diffusers = pytest.importorskip("diffusers", reason="the oracle comes with the `train` extra")
    config = single_view(small().model)
    model = lively(config)
    video = config.video
    oracle = diffusers.WanTransformer3DModel(
        num_attention_heads=video.heads, attention_head_dim=video.width // video.heads, in_channels=4, out_channels=4,
        text_dim=config.text.width, freq_dim=video.time_frequencies, ffn_dim=video.ffn_width, num_layers=video.depth,
    )  # fmt: skip
    oracle.load_state_dict(exported(model.video, "diffusers"), strict=True)
    event = example(frames=9)
    found, expected = both(model, oracle, event)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert expected.abs().max() > 0.1


@torch.no_grad()
def both(model: WallWM, oracle: torch.nn.Module, event: Example) -> tuple[Tensor, Tensor]:
    """Velocities [C, F, H, W] of the one view, by ours and by diffusers with per-token timesteps (Wan 2.2)."""
    batch, _, seen = noised([event], [0])
    shape = event.latents_VFCHW.shape
    back = (shape[0], shape[1], shape[2], shape[3], shape[4])
    pictures = latents_from(seen.video_TP, back)[0].transpose(0, 1)[None]
    timesteps = seen.video_sigma_R[batch.video.row_T] * 1000
    text = model.text(batch.text.word_S)[None]
    expected = oracle(pictures, timesteps[None], text, return_dict=False)[0][0]
    out = model(batch, seen, with_action=False)
    return latents_from(out.video_TP, back)[0].transpose(0, 1), expected
