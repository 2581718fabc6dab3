"""A model in FP8: which layers, at what loss, and a checkpoint that anyone loads as any other."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tests.trainer.events import example, lively, noised, sample, small, stats_of
from trainer import checkpoint
from trainer.checkpoint import Trained
from trainer.compress.blocks import E4M3
from trainer.compress.fp8_config import Fp8Config
from trainer.compress.fp8_linear import Fp8Linear
from trainer.compress.fp8_model import chosen_layers, quantise_model
from trainer.compress.fp8_run import compress_fp8, load_model
from trainer.compress.judge import HeldOut
from trainer.configs import TrainConfig, tiny
from trainer.embodiment import embodiment_of
from trainer.model.wam import WallWM, build
from trainer.parallel import Ranks
from trainer.policy import load_policy
from trainer.policy_record import written

ALL_BLOCKS = Fp8Config(left_alone=(r"(^|\.)head\.", "embedding", r"\.time\.", "^text"))


def stored(folder: Path, model: WallWM, config: TrainConfig) -> Path:
    """A checkpoint as training leaves it."""
    event = sample()
    body = embodiment_of(event, stats_of(event), config.data.max_views)
    run = checkpoint.RunState("", "", 1, 1, 0)
    return checkpoint.save(
        folder, run, Trained(model, [], None), Ranks(0, 1, torch.device("cpu")), written(config, [body])
    )


def test_heads_embeddings_and_the_outer_blocks_are_left_alone() -> None:
    names = chosen_layers(build(tiny().model, 0), Fp8Config())
    assert {name.split(".")[2] for name in names} == {"1"}, "three blocks, the middle one"
    assert {name.split(".")[0] for name in names} == {"video", "action"}
    assert {"video.layers.1.block.ffn.0", "video.layers.1.view.attn.q", "action.blocks.1.video_attn.k"} <= set(names)


def test_a_table_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer is left"):
        chosen_layers(build(small().model, 0), Fp8Config())


@pytest.mark.parametrize("scheme", ["block128", "mx32"])
def test_the_report_says_what_each_layer_lost(scheme: str) -> None:
    exact, model = lively(small().model), lively(small().model)
    batch, _, seen = noised([example(views=2), example(seed=1)], [0, 1])
    report = quantise_model(model, replace(ALL_BLOCKS, scheme=scheme), [lambda m: m(batch, seen)])
    assert {error.name for error in report.layers} == set(chosen_layers(exact, ALL_BLOCKS))
    for error in report.layers:
        assert isinstance(model.get_submodule(error.name), Fp8Linear)
        assert 0.001 < error.weight < 0.05
        assert error.output is not None
        assert 0.001 < error.output < 0.1
        assert not error.kernel, "nothing in a model this narrow fits"
    assert report.bytes_fp8 < report.bytes_float32
    with torch.no_grad():
        found, wanted = (m(batch, seen).video_TP for m in (model, exact))
    assert 0 < (found - wanted).norm() / wanted.norm() < 0.2


def test_wide_layers_fit_the_kernel() -> None:
    config = small()
    wide = replace(config.model.video, width=128, ffn_width=256, heads=2)
    model = build(replace(config.model, video=wide), 0)
    report = quantise_model(model, ALL_BLOCKS)
    fits = {error.name for error in report.layers if error.kernel}
    assert "video.layers.0.block.ffn.0" in fits
    assert "action.blocks.0.ffn.0" not in fits


def test_a_policy_loads_the_checkpoint_as_any_other(tmp_path: Path) -> None:
    config = small()
    folder = stored(tmp_path / "exact", lively(config.model), config)
    outcome = compress_fp8(folder, tmp_path / "fp8", ALL_BLOCKS, [HeldOut(example(), stats_of(sample()))], seeds=(0,))
    policy = load_policy(tmp_path / "fp8", device="cpu")
    again, own = load_model(outcome.checkpoint)
    assert own.fp8 == ALL_BLOCKS
    layer = policy.model.get_submodule("video.layers.0.block.ffn.0")
    assert isinstance(layer, Fp8Linear)
    assert layer.weight.dtype == E4M3
    batch, _, seen = noised([example()], [0])
    exact = lively(config.model)
    quantise_model(exact, ALL_BLOCKS)
    with torch.no_grad():
        assert torch.equal(policy.model(batch, seen).video_TP, exact(batch, seen).video_TP)
        assert torch.equal(policy.model(batch, seen).video_TP, again(batch, seen).video_TP)
    assert outcome.exact is not None
    assert outcome.quantised is not None
    assert outcome.exact.action_mae != outcome.quantised.action_mae
    assert outcome.action_error is not None
    assert 0 < outcome.action_error < 0.5


def test_the_file_is_smaller_and_holds_fp8(tmp_path: Path) -> None:
    config = small()
    folder = stored(tmp_path / "exact", lively(config.model), config)
    outcome = compress_fp8(folder, tmp_path / "fp8", ALL_BLOCKS)
    (file,) = outcome.checkpoint.glob("*.safetensors")
    with safe_open(str(file), framework="pt") as opened:
        kept = opened.get_tensor("model.video.layers.0.block.ffn.0.weight")
        assert opened.get_tensor("model.video.layers.0.block.ffn.0.weight_scale").dtype == torch.float32
    assert kept.dtype == E4M3
    assert file.stat().st_size < sum(each.stat().st_size for each in folder.glob("*.safetensors"))
    assert (outcome.exact, outcome.video_error) == (None, None)


def test_a_model_is_not_quantised_twice_nor_over_another(tmp_path: Path) -> None:
    config = small()
    folder = stored(tmp_path / "exact", lively(config.model), config)
    compress_fp8(folder, tmp_path / "fp8", ALL_BLOCKS)
    with pytest.raises(ValueError, match="is in FP8 already"):
        compress_fp8(tmp_path / "fp8", tmp_path / "twice", ALL_BLOCKS)
    with pytest.raises(FileExistsError, match="choose another"):
        compress_fp8(folder, tmp_path / "fp8", ALL_BLOCKS)
