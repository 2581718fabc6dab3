"""Weights in and out of the video tower, through files that diffusers wrote and files it reads (T6, whole)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainer.events import lively
from tests.trainer.pretrained import save_transformer, small_wan
from trainer.configs import TrainConfig, single_view
from trainer.convert import Naming, WeightFolder
from trainer.model.wam import WallWM, build
from trainer.weights import start_from, write_tower

CONFIG = small_wan()


def opened(folder: Path) -> Any:
    """diffusers' model from a folder's configuration and tensors; its own loader of sharded files wants accelerate."""
    import diffusers

    made = diffusers.WanTransformer3DModel.from_config(diffusers.WanTransformer3DModel.load_config(folder))
    made.load_state_dict(dict(WeightFolder(folder)), strict=True)
    return made


def started(config: TrainConfig, folder: Path) -> WallWM:
    model = build(config.model, 0)
    start_from(model, folder)
    return model


@pytest.mark.parametrize("sharded", [False, True])
def test_a_saved_transformer_fills_the_tower_and_comes_back_the_same(tmp_path: Path, sharded: bool) -> None:
    options = {"max_shard_size": "40KB"} if sharded else {}
    first = save_transformer(tmp_path, CONFIG, **options)
    assert len(list((tmp_path / "transformer").glob("*.safetensors"))) > 1 or not sharded
    model = started(CONFIG, tmp_path)
    left = write_tower(model, CONFIG.model, tmp_path / "back", "diffusers", torch.float32)
    again = opened(tmp_path / "back")
    same = {name: torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items()}
    assert all(same.values())
    assert left
    assert all(".view." in name or name.startswith("camera_rope") for name in left)


def test_a_tower_written_and_read_is_the_same_tower(tmp_path: Path) -> None:
    own = replace(CONFIG, model=single_view(CONFIG.model))
    model = lively(own.model)
    assert write_tower(model, own.model, tmp_path / "out", "diffusers", torch.float32) == []
    second = build(own.model, 1)
    start_from(second, tmp_path / "out")
    assert all(torch.equal(a, b) for a, b in zip(model.video.parameters(), second.video.parameters(), strict=True))


def test_cross_view_branches_are_copied_from_the_weights_read(tmp_path: Path) -> None:
    save_transformer(tmp_path, CONFIG)
    state = started(CONFIG, tmp_path).video.state_dict()
    assert torch.equal(state["layers.0.view.attn.q.weight"], state["layers.0.block.self_attn.q.weight"])
    assert (state["layers.0.view.attn.o.weight"] == 0).all()


def test_the_original_naming_is_written_and_read(tmp_path: Path) -> None:
    model = lively(CONFIG.model)
    write_tower(model, CONFIG.model, tmp_path / "wan", "wan", torch.float32)
    assert "blocks.0.self_attn.q.weight" in WeightFolder(tmp_path / "wan")
    assert json.loads((tmp_path / "wan" / "config.json").read_text())["dim"] == CONFIG.model.video.width
    read = started(CONFIG, tmp_path / "wan").video.state_dict()
    alone = {name for name in read if ".view." in name or "camera_rope" in name}
    assert all(torch.equal(read[name], value) for name, value in model.video.state_dict().items() if name not in alone)


def test_weights_of_another_size_are_refused_by_name_and_shape(tmp_path: Path) -> None:
    wider = replace(CONFIG.model.video, ffn_width=128)
    save_transformer(tmp_path, replace(CONFIG, model=replace(CONFIG.model, video=wider)))
    with pytest.raises(ValueError, match=r"ffn\.net\.0\.proj\.(weight|bias): found shape .*, expected"):
        started(CONFIG, tmp_path)
    deeper = replace(CONFIG.model.video, depth=3)
    save_transformer(tmp_path / "deep", replace(CONFIG, model=replace(CONFIG.model, video=deeper)))
    with pytest.raises(ValueError, match=r"0 are missing .* are not known here \(first \['blocks\.2\."):
        started(CONFIG, tmp_path / "deep")


def test_a_download_that_stopped_halfway_is_refused(tmp_path: Path) -> None:
    save_transformer(tmp_path, CONFIG, max_shard_size="40KB")
    shards = sorted((tmp_path / "transformer").glob("*.safetensors"))
    kept = shards[0].read_bytes()
    shards[0].write_bytes(kept[: len(kept) // 2])
    with pytest.raises(ValueError, match=f"{shards[0].name}: broken"):
        started(CONFIG, tmp_path)
    shards[0].unlink()
    with pytest.raises(FileNotFoundError, match=f"1 of its files are not there, first {shards[0].name}"):
        started(CONFIG, tmp_path)


@pytest.mark.parametrize("naming", ["wan", "diffusers"])
def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, naming: Naming) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(FileExistsError, match="not empty"):
        write_tower(lively(CONFIG.model), CONFIG.model, tmp_path, naming, torch.float32)


def test_a_large_tower_is_written_in_parts_with_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.weights._SHARD_BYTES", 40_000)
    model = lively(CONFIG.model)
    write_tower(model, CONFIG.model, tmp_path / "out", "diffusers", torch.bfloat16)
    index = json.loads((tmp_path / "out" / "diffusion_pytorch_model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    again = opened(tmp_path / "out").to(torch.bfloat16)
    expected: Tensor = model.video.layers[1].block.ffn[2].weight.to(torch.bfloat16)
    assert torch.equal(again.blocks[1].ffn.net[2].weight, expected)
