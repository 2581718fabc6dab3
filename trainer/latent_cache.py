"""Latents of pictures that have been encoded before: one file per window, named by what it was made of.

A trainer's user wants three things: no VAE in loader workers, no separate run before the first step, and no picture
encoded twice. So latents are encoded in the main process on its device where they are missing, kept, and read by the
workers from then on, which then neither fetch nor decode the clips. `joinery encode` fills the cache beforehand, on as
many machines as one likes: a load plan says ahead of time which windows a run will read.

The name is the SHA-256 of the clips' own hashes, the frames shown of each, the canvas and the codec's digest. Another
window of the same frames, a renamed shard, a new caption find the same file; another VAE or resolution does not.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.loader.window import SeenClip
from trainer.captions import save_whole
from trainer.codec import digest_of

_VERSION = 1
"""Of how a picture is fitted into the canvas: another way makes other latents of the same clips."""
_TENSOR, _SIZES = "latents", "sizes"


@dataclass(frozen=True, eq=False)
class ViewLatents:
    """Latents of every view of one window."""

    latents_VFCHW: Tensor
    """float32, but never more than float16 holds: the same numbers, whether just encoded or read back."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each view's picture on the canvas, in pixels; the rest is border."""


@dataclass(frozen=True)
class LatentCache:
    """Latents under one codec and canvas; small, and the same in every process that is handed it."""

    folder: Path
    digest: str
    """The codec's."""
    canvas: tuple[int, int]

    def path_of(self, clips: Sequence[SeenClip]) -> Path:
        """Where the latents of these pictures are kept."""
        seen = [[clip.sha256, list(clip.frames)] for clip in clips]
        name = digest_of([_VERSION, self.digest, list(self.canvas), seen])
        return self.folder / "latents" / self.digest[:16] / name[:2] / f"{name}.safetensors"

    def holds(self, clips: tuple[SeenClip, ...]) -> bool:
        """The loader's question whether pictures are known (`pipeline.loader.window.KnownPictures`)."""
        return self.path_of(clips).is_file()

    def read(self, clips: Sequence[SeenClip]) -> ViewLatents:
        """Raises FileNotFoundError or ValueError naming the file that is not there or broken."""
        path = self.path_of(clips)
        try:
            with safe_open(str(path), framework="pt") as opened:
                sizes = json.loads(opened.metadata()[_SIZES])
                return ViewLatents(opened.get_tensor(_TENSOR).float(), tuple((size[0], size[1]) for size in sizes))
        except SafetensorError as error:
            raise ValueError(f"{path}: broken ({error}); delete it: it is encoded again when it is needed") from error

    def write(self, clips: Sequence[SeenClip], views: ViewLatents) -> None:
        """Keep the latents of these pictures."""
        about = {_SIZES: json.dumps(views.sizes)}
        save_whole({_TENSOR: views.latents_VFCHW.half().contiguous()}, self.path_of(clips), about)


def kept(latents_VFCHW: Tensor) -> Tensor:
    """Latents as they are after having been kept."""
    return latents_VFCHW.to(torch.float16).float()
