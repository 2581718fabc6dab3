"""Vision-language encoder with open_clip: a named architecture and a local checkpoint, or seeded random weights.

Nothing is downloaded. Random weights make no useful clusters; they exist so that the whole path can be run and timed
before a checkpoint is at hand, and every row says so in its model name. One thread: sums on the CPU depend on how
they are split, and results must not depend on how many cores a worker happens to have.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from clustering.checkpoint import weights_of
from clustering.families import OPEN_CLIP
from clustering.torchvision_schemas import declare
from pipeline.errors import JoineryError
from schemas.event import Event
from schemas.recipe import OpenClipEncoder

declare()
import open_clip  # noqa: E402  (must come after `declare`)

BATCH = 16
"""Pictures per forward pass; bounds memory, not results."""


class OpenClip:
    """An open_clip model in evaluation mode."""

    def __init__(self, spec: OpenClipEncoder) -> None:
        """Raises JoineryError for an unknown architecture or a missing checkpoint."""
        if spec.model not in open_clip.list_models():
            raise JoineryError(
                f"embed.vision_language.model: found {spec.model!r}, expected one of open_clip's architectures such as "
                "ViT-B-32; `open_clip.list_models()` in Python names them all"
            )
        self._name = f"{OPEN_CLIP}:{spec.model}:{weights_of(spec)}"
        self._device = spec.device
        with torch.random.fork_rng(), _one_thread():
            torch.manual_seed(spec.seed)
            model, _, transform = open_clip.create_model_and_transforms(spec.model, pretrained=spec.checkpoint)
        self._model = model.eval().requires_grad_(False).to(spec.device)
        self._transform = transform
        self._dims = int(open_clip.get_model_config(spec.model)["embed_dim"])
        self._tokenizer = open_clip.get_tokenizer(spec.model)

    @property
    def model(self) -> str:
        return self._name

    def pictures(self, jpegs: Sequence[bytes]) -> NDArray[np.float64]:
        inputs = [self._transform(Image.open(io.BytesIO(jpeg)).convert("RGB")) for jpeg in jpegs]
        return self._encode(self._model.encode_image, inputs)

    def texts(self, events: Sequence[Event]) -> NDArray[np.float64]:
        return self._encode(self._model.encode_text, list(self._tokenizer([event.caption for event in events])))

    def _encode(self, encode: Any, inputs: list[torch.Tensor]) -> NDArray[np.float64]:
        """Unit vectors float64 [n, D]."""
        rows = []
        with torch.inference_mode(), _one_thread():
            for start in range(0, len(inputs), BATCH):
                batch = torch.stack(inputs[start : start + BATCH]).to(self._device)
                rows.append(encode(batch, normalize=True).double().cpu().numpy())
        return np.concatenate(rows) if rows else np.zeros((0, self._dims))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
