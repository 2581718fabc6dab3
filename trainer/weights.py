"""Where a model's weights start, and how its video tower leaves again.

``--weights`` names one of two things. A folder of Wan's transformer (Wan's own files or diffusers', whole or sharded)
fills the video tower, and the cross-view branches are copied from it. A checkpoint of ours fills whatever it has in
common with the model: a run of the action stage starts so from one of the video stage. Either way every name that is
missing or left over is either expected or an error, and so is every shape.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from trainer import checkpoint
from trainer.batch import PATCH
from trainer.codec import part_of
from trainer.configs import ModelConfig
from trainer.convert import Naming, exported, load_into, read_weights
from trainer.model.wam import WallWM

_STEM = "diffusion_pytorch_model"
_SHARD_BYTES = 5 << 30


def start_from(model: WallWM, folder: Path) -> None:
    """Put weights from a folder into a fresh model.

    Raises FileNotFoundError or ValueError naming what is missing, left over, broken or of another shape.
    """
    if (folder / checkpoint.RUN).is_file():
        checkpoint.load_weights(folder, model, averaged=True)
        return
    weights, naming = read_weights(part_of(folder, "transformer"))
    load_into(model.video, weights, naming)
    model.video.copy_views()


def write_tower(model: WallWM, config: ModelConfig, out: Path, naming: Naming, dtype: torch.dtype) -> list[str]:
    """Write the video tower as a folder that diffusers (or Wan) loads; the names of what stays behind.

    Raises FileExistsError when ``out`` holds anything.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out}: not empty; choose a new folder")
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().to(dtype).contiguous() for name, value in exported(model.video, naming).items()}
    _write_shards(tensors, out)
    (out / "config.json").write_text(json.dumps(_settings(config, naming), indent=1) + "\n", encoding="utf-8")
    return sorted(name for name in model.video.state_dict() if ".view." in name or name.startswith("camera_rope"))


def _write_shards(tensors: dict[str, Tensor], out: Path) -> None:
    """One file, or several and their index, as diffusers names them."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, value in tensors.items():
        if size and size + value.nbytes > _SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = value
        size += value.nbytes
    if len(shards) == 1:
        save_file(shards[0], out / f"{_STEM}.safetensors", {"format": "pt"})
        return
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"{_STEM}-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, out / file, {"format": "pt"})
        weight_map |= dict.fromkeys(shard, file)
    total = sum(value.nbytes for value in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (out / f"{_STEM}.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _settings(config: ModelConfig, naming: Naming) -> dict[str, Any]:
    """``config.json`` beside the weights."""
    video, text = config.video, config.text
    if naming == "wan":
        return {
            "_class_name": "WanModel", "model_type": "t2v", "text_len": text.max_words, "in_dim": video.latent_channels,
            "out_dim": video.latent_channels, "dim": video.width, "ffn_dim": video.ffn_width, "eps": 1e-6,
            "freq_dim": video.time_frequencies, "num_heads": video.heads, "num_layers": video.depth,
        }  # fmt: skip
    return {
        "_class_name": "WanTransformer3DModel", "patch_size": [1, PATCH, PATCH], "num_attention_heads": video.heads,
        "attention_head_dim": video.width // video.heads, "in_channels": video.latent_channels,
        "out_channels": video.latent_channels, "text_dim": text.width, "freq_dim": video.time_frequencies,
        "ffn_dim": video.ffn_width, "num_layers": video.depth, "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads", "eps": 1e-6, "rope_max_seq_len": 1024,
    }  # fmt: skip
