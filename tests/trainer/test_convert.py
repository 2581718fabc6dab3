"""Key maps: bijective for every size of Wan, and the weights come back as they were (T6)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from clustering.torchvision_schemas import declare
from tests.trainer.events import lively, small
from trainer.configs import VideoConfig, single_view
from trainer.convert import Naming, exported, foreign_name, load_into, own_names, read_weights
from trainer.model.wam import VideoTower

SIZES = {
    "1.3B": ((1536, 8960, 12, 30, 16), 1.419),
    "5B": ((3072, 14336, 24, 30, 48), 5.000),
    "14B": ((5120, 13824, 40, 40, 16), 14.288),
}
"""(width, ffn, heads, layers, latent channels) and 10⁹ numbers in all of text-to-video Wan (trainer.md §2.2)."""


def tower(size: str) -> VideoTower:
    (width, ffn, heads, depth, channels), _ = SIZES[size]
    config = VideoConfig(
        width=width, ffn_width=ffn, heads=heads, depth=depth, latent_channels=channels, time_frequencies=256,
        cross_view_every=0, max_views=1,
    )  # fmt: skip
    with torch.device("meta"):
        return VideoTower(config, 4096)


@pytest.mark.parametrize("size", SIZES)
def test_the_tower_has_the_numbers_of_wan_and_the_names_of_diffusers(size: str) -> None:
    own = exported(tower(size), "diffusers")
    assert round(sum(value.numel() for value in own.values()) / 1e9, 3) == SIZES[size][1]
    declare()
    diffusers = pytest.importorskip("diffusers", reason="the oracle comes with the `train` extra")
    (width, ffn, heads, depth, channels), _ = SIZES[size]
    with torch.device("meta"):
        oracle = diffusers.WanTransformer3DModel(
            num_attention_heads=heads, attention_head_dim=width // heads, in_channels=channels, out_channels=channels,
            ffn_dim=ffn, num_layers=depth,
        )  # fmt: skip
    assert {name: value.shape for name, value in own.items()} == {
        name: value.shape for name, value in oracle.state_dict().items()
    }


@pytest.mark.parametrize("naming", ["wan", "diffusers"])
def test_names_are_bijective(naming: Naming) -> None:
    names = list(tower("14B").state_dict())
    table = own_names(names, naming)
    assert sorted(table.values()) == sorted(names)


def test_the_original_names_are_those_of_wan() -> None:
    assert foreign_name("layers.7.block.self_attn.norm_q.weight", "wan") == "blocks.7.self_attn.norm_q.weight"
    assert foreign_name("time.time_projection.1.bias", "wan") == "time_projection.1.bias"
    assert foreign_name("layers.7.view.attn.q.weight", "wan") is None
    assert foreign_name("camera_rope.angles", "diffusers") is None


@pytest.mark.parametrize("naming", ["wan", "diffusers"])
def test_weights_come_back_from_a_folder_as_they_were(tmp_path: Path, naming: Naming) -> None:
    first, second = lively(small().model, seed=1).video, lively(small().model, seed=2).video
    weights = exported(first, naming)
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "model.safetensors")
    read, found = read_weights(tmp_path)
    assert found == naming
    views = second.state_dict()["layers.0.view.attn.q.weight"].clone()
    load_into(second, read, found)
    after: dict[str, Tensor] = second.state_dict()
    assert all(
        torch.equal(after[name], value) for name, value in first.state_dict().items() if foreign_name(name, naming)
    )
    assert torch.equal(after["layers.0.view.attn.q.weight"], views), "what Wan does not have stays"


def test_weights_of_another_model_are_refused_by_name() -> None:
    model = lively(single_view(small().model)).video
    weights = exported(model, "wan")
    weights["img_emb.proj.0.weight"] = torch.zeros(1)
    del weights["head.modulation"]
    with pytest.raises(ValueError, match=r"1 are missing \(first \['head.modulation'\]\), 1 are not known"):
        load_into(model, weights, "wan")
    other = exported(model, "wan") | {"head.modulation": torch.zeros(1, 2, 5)}
    with pytest.raises(ValueError, match=r"head\.modulation: found shape \(1, 2, 5\), expected \(1, 2, 32\)"):
        load_into(model, other, "wan")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"found no \*\.safetensors"):
        read_weights(tmp_path)
