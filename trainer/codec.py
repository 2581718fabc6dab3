"""Pictures to latents and back: what every codec has in common, and the two there are.

The toy codec is arithmetic (`trainer.latents`) and runs wherever pictures are decoded. Wan's VAE has weights: it is
diffusers' `AutoencoderKLWan`, frozen, opened from a folder and held once per training process, never in a loader's
worker (`trainer.latent_cache` says where its latents come from). Latents are normalised channel by channel with the
mean and standard deviation of the VAE's own configuration, as Wan's transformer expects them.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer import latents


@dataclass(frozen=True)
class CodecConfig:
    """Which codec, and the shape of what it makes."""

    name: Literal["toy", "wan2.1", "wan2.2"]
    channels: int
    time_stride: int
    space_stride: int

    @property
    def has_weights(self) -> bool:
        return self.name != "toy"

    def latent_frames(self, frames: int) -> int:
        """1 + N for 1 + N strides of frames; raises ValueError for any other number."""
        return latents.latent_frames(frames, self.time_stride)

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of latent cells; raises ValueError for pictures that are not whole cells."""
        stride = self.space_stride
        if height % stride or width % stride:
            raise ValueError(f"found pictures of {height}×{width}, expected multiples of {stride}")
        return height // stride, width // stride


TOY = CodecConfig("toy", latents.CHANNELS, latents.TIME_STRIDE, latents.SPACE_STRIDE)
WAN_2_1 = CodecConfig("wan2.1", channels=16, time_stride=4, space_stride=8)
WAN_2_2 = CodecConfig("wan2.2", channels=48, time_stride=4, space_stride=16)


class Codec(Protocol):
    """A causal video codec: 1 + 4N frames become 1 + N latents, the first from the first frame alone."""

    @property
    def config(self) -> CodecConfig: ...

    @property
    def digest(self) -> str:
        """Of everything that decides which latents pictures become."""
        ...

    def encode(self, pixels_THW3: NDArray[np.uint8]) -> Tensor:
        """RGB uint8 [1 + 4N, H, W, 3] to float32 [1 + N, C, H/s, W/s] on the CPU."""
        ...

    def decode(self, latents_FCHW: Tensor) -> NDArray[np.uint8]:
        """The way back, as well as the codec knows it."""
        ...


class ToyCodec:
    """Fixed arithmetic; see `trainer.latents`."""

    config = TOY
    digest = "toy"

    def encode(self, pixels_THW3: NDArray[np.uint8]) -> Tensor:
        return latents.encode(pixels_THW3)

    def decode(self, latents_FCHW: Tensor) -> NDArray[np.uint8]:
        return latents.decode(latents_FCHW)


class WanCodec:
    """Wan's VAE in float32, which is what Wan itself encodes in; half precision shows in the latents."""

    def __init__(self, folder: Path, config: CodecConfig, device: torch.device) -> None:
        """Open diffusers' ``vae`` folder, or a pipeline's folder that has one.

        Raises FileNotFoundError where there is none, ValueError where it is not the VAE of this configuration,
        ImportError without diffusers.
        """
        import diffusers  # noqa: PLC0415 - an extra, and slow to import

        folder = part_of(folder, "vae")
        self.config = config
        self.digest = folder_digest(folder)
        library: Any = diffusers
        vae = library.AutoencoderKLWan.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
        _check_vae(vae.config, config, folder)
        self._vae: Any = vae.eval().requires_grad_(False).to(device)
        self._device = device
        shape = (1, config.channels, 1, 1, 1)
        self._mean_C = torch.tensor(vae.config.latents_mean, device=device).reshape(shape)
        self._std_C = torch.tensor(vae.config.latents_std, device=device).reshape(shape)

    @torch.no_grad()
    def encode(self, pixels_THW3: NDArray[np.uint8]) -> Tensor:
        """The mode of the posterior, normalised: no randomness, so that latents can be kept."""
        self.config.latent_frames(len(pixels_THW3))
        self.config.cells(*pixels_THW3.shape[1:3])
        video = torch.from_numpy(pixels_THW3).to(self._device).permute(3, 0, 1, 2)[None].float() / 127.5 - 1.0
        mode_BCFHW = self._vae.encode(video).latent_dist.mode()
        found: Tensor = ((mode_BCFHW - self._mean_C) / self._std_C)[0].transpose(0, 1)
        return found.contiguous().cpu()

    @torch.no_grad()
    def decode(self, latents_FCHW: Tensor) -> NDArray[np.uint8]:
        """Float [1 + N, C, H/s, W/s] to RGB uint8 [1 + 4N, H, W, 3]."""
        normal = latents_FCHW.float().to(self._device).transpose(0, 1)[None]
        video = self._vae.decode(normal * self._std_C + self._mean_C).sample[0].permute(1, 2, 3, 0)
        found: NDArray[np.uint8] = ((video + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        return found


def codec_of(config: CodecConfig, folder: Path | None, device: torch.device) -> Codec:
    """The codec of a configuration; ``folder`` holds its weights. Raises ValueError for one without the other."""
    if not config.has_weights:
        if folder is not None:
            raise ValueError(f"{folder}: this configuration encodes pictures by arithmetic and takes no VAE")
        return ToyCodec()
    if folder is None:
        raise ValueError(f"this configuration encodes pictures with the VAE of {config.name}; name its folder (--vae)")
    return WanCodec(folder, config, device)


def _check_vae(found: Any, config: CodecConfig, folder: Path) -> None:
    """Whether diffusers' configuration of a VAE is the one expected."""
    shape = found.z_dim, found.scale_factor_temporal, found.scale_factor_spatial
    if shape != (config.channels, config.time_stride, config.space_stride):
        raise ValueError(
            f"{folder}: a VAE of {shape[0]} channels and strides {shape[1:]}, expected {config.name}: "
            f"{config.channels} channels and strides {(config.time_stride, config.space_stride)}"
        )
    if not len(found.latents_mean) == len(found.latents_std) == config.channels:
        raise ValueError(
            f"{folder}/config.json: {len(found.latents_mean)} latents_mean and {len(found.latents_std)} latents_std, "
            f"expected one per channel ({config.channels}); take the configuration that belongs to these weights"
        )


def part_of(folder: Path, part: str) -> Path:
    """The named part of a diffusers pipeline's folder, or the folder itself where it is that part."""
    inside = folder / part
    found = inside if inside.is_dir() else folder
    if not found.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected one that holds {part}, or that part itself")
    return found


def folder_digest(*folders: Path) -> str:
    """SHA-256 of all files of model folders, by name and content; downloads' own bookkeeping left out.

    Names and shapes would not do: a VAE trained further has the same ones. Reads every byte once per run.
    """
    return digest_of(
        [folder.name, str(file.relative_to(folder)), _sha256(file)]
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(values: Iterable[Any]) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(list(values), separators=(",", ":")).encode()).hexdigest()
