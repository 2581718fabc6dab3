"""Codecs: the shapes of both Wan VAEs, causality, normalisation, and the mistakes people make with folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.trainer.pretrained import save_vae
from trainer import latents
from trainer.codec import TOY, WAN_2_1, WAN_2_2, CodecConfig, WanCodec, codec_of, folder_digest

CPU = torch.device("cpu")
CODECS = {"wan2.1": WAN_2_1, "wan2.2": WAN_2_2}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: save_vae(tmp_path_factory.mktemp(name), codec) for name, codec in CODECS.items()}


def film(frames: int = 9, height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (frames, height, width, 3), np.uint8)


@pytest.mark.parametrize("name", CODECS)
def test_wans_vae_has_the_shape_its_configuration_says(folders: dict[str, Path], name: str) -> None:
    codec = codec_of(CODECS[name], folders[name], CPU)
    found = codec.encode(film())
    assert found.shape == (3, codec.config.channels, *codec.config.cells(32, 48))
    assert codec.decode(found).shape == (9, 32, 48, 3)


@pytest.mark.parametrize("name", CODECS)
def test_a_latent_depends_on_no_later_frame(folders: dict[str, Path], name: str) -> None:
    codec, changed = codec_of(CODECS[name], folders[name], CPU), film()
    changed[5:] = 0
    before, after = codec.encode(film()), codec.encode(changed)
    torch.testing.assert_close(before[:2], after[:2])
    torch.testing.assert_close(codec.encode(film()[:5]), before[:2])
    assert (before[2] - after[2]).abs().max() > 0.01


def test_latents_are_what_wans_pipeline_makes_of_the_same_pictures(folders: dict[str, Path]) -> None:
    import diffusers

    vae = diffusers.AutoencoderKLWan.from_pretrained(folders["wan2.1"] / "vae")
    mean, std = (torch.tensor(vae.config[key]) for key in ("latents_mean", "latents_std"))
    video = torch.from_numpy(film()).permute(3, 0, 1, 2)[None].float() / 255 * 2 - 1
    with torch.no_grad():
        mode = vae.encode(video).latent_dist.mode()[0].permute(1, 2, 3, 0)
    found = codec_of(WAN_2_1, folders["wan2.1"], CPU).encode(film()).permute(0, 2, 3, 1)
    torch.testing.assert_close(found, (mode - mean) / std)
    assert not torch.allclose(found, mode, atol=0.01)


def test_the_toy_codec_is_the_arithmetic_it_was() -> None:
    codec = codec_of(TOY, None, CPU)
    assert torch.equal(codec.encode(film()), latents.encode(film()))
    assert np.array_equal(codec.decode(codec.encode(film())), latents.decode(latents.encode(film())))


def test_the_vae_of_another_wan_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"a VAE of 48 channels and strides \(4, 16\), expected wan2.1: 16 channels"):
        WanCodec(folders["wan2.2"], WAN_2_1, CPU)


def test_paths_and_configuration_must_belong_together(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name its folder \(--vae\)"):
        codec_of(WAN_2_1, None, CPU)
    with pytest.raises(ValueError, match="takes no VAE"):
        codec_of(TOY, folders["wan2.1"], CPU)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        codec_of(WAN_2_1, tmp_path / "away", CPU)


def test_frames_and_sizes_that_do_not_fit_are_refused(folders: dict[str, Path]) -> None:
    codec = codec_of(WAN_2_1, folders["wan2.1"], CPU)
    with pytest.raises(ValueError, match="found 8 frames, expected 1 \\+ 4N"):
        codec.encode(film(frames=8))
    with pytest.raises(ValueError, match="found pictures of 30×48, expected multiples of 8"):
        codec.encode(film(height=30))


def test_other_weights_of_the_same_shape_have_another_digest(folders: dict[str, Path], tmp_path: Path) -> None:
    again, other = save_vae(tmp_path / "a", WAN_2_1), save_vae(tmp_path / "b", WAN_2_1, seed=1)
    same, differs = (folder_digest(folder / "vae") for folder in (again, other))
    assert same == folder_digest(folders["wan2.1"] / "vae") != differs
    (again / "vae" / ".cache").mkdir()
    (again / "vae" / ".cache" / "download.lock").write_text("")
    assert folder_digest(again / "vae") == same


def test_a_codec_needs_whole_strides() -> None:
    assert CodecConfig("wan2.2", 48, 4, 16).cells(384, 640) == (24, 40)
    with pytest.raises(ValueError, match="expected multiples of 16"):
        WAN_2_2.cells(200, 320)
