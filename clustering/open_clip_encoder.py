"""Vision-language encoder with open_clip: a named architecture and a local checkpoint, or seeded random weights.

Nothing is downloaded. Random weights make no useful clusters; they exist so that the whole path can be run and timed
before a checkpoint is at hand, and every row says so in its model name.

A vector must not depend on its neighbours. A matrix product of 3 rows does not give the bits that one of 16 rows gives
(measured: up to 2e-7), but row i of a product of one shape depends on row i alone. So every forward pass has the same
shape: batches are filled from as many events and episodes as there are, and the last one is filled up with zeros. For
the same reason a CPU computes on one thread, and a GPU without TF32 and with deterministic convolutions.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError

from clustering.checkpoint import KEY, architecture_of, weights_of
from clustering.device import cuda_is_here, placed
from clustering.families import OPEN_CLIP
from clustering.picture_descriptor import decode
from clustering.torchvision_schemas import declare
from pipeline.errors import JoineryError
from schemas.event import Event
from schemas.recipe import OpenClipEncoder

declare()
import open_clip  # noqa: E402  (must come after `declare`)

BATCHES_AT_ONCE = 4
"""So many batches' worth of inputs are brought together, so that few passes are not full."""
SHOWN = 300
"""Characters of what torch says about weights that do not fit; it may name every one of them."""
UNFIT = (
    AssertionError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, StopIteration, EOFError, OSError,
    UnpicklingError,
    SafetensorError,
)  # fmt: skip
"""What reading a file as weights may raise: no archive, no tensors, other names, other shapes."""


class OpenClip:
    """An open_clip model in evaluation mode."""

    def __init__(self, spec: OpenClipEncoder) -> None:
        """Raises JoineryError for an architecture, checkpoint or device that is not there, or does not fit."""
        architecture_of(spec)
        spec = placed(spec)
        if spec.device == "cuda" and not cuda_is_here():
            raise JoineryError(
                f"{KEY}.device: found cuda, but torch {torch.__version__} finds no GPU here; install a CUDA build of "
                "torch on a machine with one, or say device: cpu"
            )
        named = [OPEN_CLIP, spec.model, *([spec.revision] if spec.revision else []), weights_of(spec)]
        self._name = ":".join(named)
        self._device, self._batch = spec.device, spec.batch or 1
        self._autocast = torch.bfloat16 if spec.dtype == "bfloat16" else None
        with torch.random.fork_rng(), _one_thread(), _fitting(spec):
            torch.manual_seed(spec.seed)
            model, _, transform = open_clip.create_model_and_transforms(spec.model, pretrained=spec.checkpoint)
        self._model = model.eval().requires_grad_(False).to(spec.device)
        self._transform = transform
        self._tokenizer = open_clip.get_tokenizer(spec.model)
        self.dims = int(open_clip.get_model_config(spec.model)["embed_dim"])

    @property
    def model(self) -> str:
        return self._name

    @property
    def n_at_once(self) -> int:
        return BATCHES_AT_ONCE * self._batch

    def prepared(self, jpeg: bytes) -> torch.Tensor:
        prepared: torch.Tensor = self._transform(Image.fromarray(decode(jpeg)))
        return prepared

    def pictures(self, prepared: Sequence[torch.Tensor]) -> NDArray[np.float64]:
        return self._encode(self._model.encode_image, prepared)

    def texts(self, events: Sequence[Event]) -> NDArray[np.float64]:
        return self._encode(self._model.encode_text, list(self._tokenizer([event.caption for event in events])))

    def _encode(self, encode: Any, inputs: Sequence[torch.Tensor]) -> NDArray[np.float64]:
        """Unit vectors float64 [n, dims]."""
        rows = []
        with _repeatable(), torch.autocast(self._device, self._autocast, enabled=self._autocast is not None):
            for start in range(0, len(inputs), self._batch):
                batch = torch.stack(list(inputs[start : start + self._batch]))
                filled = torch.zeros((self._batch, *batch.shape[1:]), dtype=batch.dtype)
                filled[: len(batch)] = batch
                rows.append(self._forward(encode, filled)[: len(batch)])
        return np.concatenate(rows) if rows else np.zeros((0, self.dims))

    def _forward(self, encode: Any, batch: torch.Tensor) -> NDArray[np.float64]:
        try:
            found: NDArray[np.float64] = encode(batch.to(self._device), normalize=True).double().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise JoineryError(
                f"{KEY}.batch: {self._batch} at a time are too many for this GPU's memory; lower it, or raise "
                f"run.gpu_share so that fewer processes share a GPU ({error})"
            ) from error
        return found


def check(spec: OpenClipEncoder) -> None:
    """Raises JoineryError unless the checkpoint's weights are those of the architecture; nothing is computed."""
    architecture_of(spec)
    if spec.checkpoint is not None:
        weights_of(spec)
        model = open_clip.create_model(spec.model, pretrained=None, device="meta")
        with _fitting(spec):
            open_clip.load_checkpoint(model, spec.checkpoint, device="meta")


@contextmanager
def _fitting(spec: OpenClipEncoder) -> Iterator[None]:
    """What torch and open_clip say of a file that holds other weights, or none, as one JoineryError."""
    try:
        yield
    except UNFIT as error:
        said = " ".join(str(error).split())[:SHOWN] or type(error).__name__
        raise JoineryError(
            f"{KEY}.checkpoint: {spec.checkpoint} does not hold the weights of {spec.model}; name the architecture it "
            f"was trained as, or a checkpoint of this one ({said})"
        ) from error


@contextmanager
def _repeatable() -> Iterator[None]:
    """Inference whose bits depend on the input alone: one CPU thread, no TF32, no search for the fastest kernel."""
    with ExitStack() as held:
        held.enter_context(torch.inference_mode())
        held.enter_context(_one_thread())
        held.enter_context(torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False))
        yield


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
