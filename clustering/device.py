"""Where an encoder computes, decided once per run on the machine that starts it.

A CPU and a GPU do not give the same last bits, nor do batches of another size, so both are part of what an embedding
depends on: ``auto`` is settled before any work key is made, and every worker does as the run was told.
"""

from functools import cache

from clustering.checkpoint import weights_of
from schemas.recipe import OpenClipEncoder, Recipe

CPU_BATCH, CUDA_BATCH = 16, 256
"""A CPU gains nothing beyond 16 pictures; a GPU is busy from about 256."""


def settled(recipe: Recipe) -> Recipe:
    """The recipe with device, batch and checkpoint of the encoder decided: what workers are given.

    Raises JoineryError as `clustering.checkpoint.weights_of` does.
    """
    encoder = recipe.embed.vision_language
    if not isinstance(encoder, OpenClipEncoder):
        return recipe
    encoder = placed(encoder)
    if encoder.checkpoint is not None:  # a worker that finds another file there must not use it
        encoder = encoder.model_copy(update={"sha256": weights_of(encoder)})
    return recipe.model_copy(update={"embed": recipe.embed.model_copy(update={"vision_language": encoder})})


def placed(encoder: OpenClipEncoder) -> OpenClipEncoder:
    """The encoder with a device and a batch size; settling it again changes nothing."""
    device = encoder.device
    if device == "auto":
        device = "cuda" if cuda_is_here() else "cpu"
    batch = encoder.batch or (CUDA_BATCH if device == "cuda" else CPU_BATCH)
    return encoder.model_copy(update={"device": device, "batch": batch})


@cache
def cuda_is_here() -> bool:
    """Whether this process can compute on a GPU."""
    import torch  # noqa: PLC0415 - costs seconds and 300 MB that runs without a model never need

    return torch.cuda.is_available()
