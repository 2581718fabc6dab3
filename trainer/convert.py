"""Names of the video tower's weights: ours, the original Wan's, and diffusers'; one table, read in both directions.

Arithmetic and shapes are Wan's, so that converting is renaming, but for the patch embedding: a convolution there, a
linear layer on patches here, with the same numbers. What Wan does not have (the cross-view branch, its rotation) stays
as it was initialised. Image-to-video models of Wan 2.1 have an image branch, which we do not: refused by name.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from trainer.batch import PATCH

Naming: TypeAlias = Literal["wan", "diffusers"]

_OURS_TO_WAN = (
    (r"^layers\.(\d+)\.block\.", r"blocks.\1."),
    (r"^time\.time_", "time_"),
)
_WAN_TO_DIFFUSERS = (
    (r"^text_embedding\.0\.", "condition_embedder.text_embedder.linear_1."),
    (r"^text_embedding\.2\.", "condition_embedder.text_embedder.linear_2."),
    (r"^time_embedding\.0\.", "condition_embedder.time_embedder.linear_1."),
    (r"^time_embedding\.2\.", "condition_embedder.time_embedder.linear_2."),
    (r"^time_projection\.1\.", "condition_embedder.time_proj."),
    (r"^head\.head\.", "proj_out."),
    (r"^head\.modulation$", "scale_shift_table"),
    (r"\.modulation$", ".scale_shift_table"),
    (r"\.self_attn\.", ".attn1."),
    (r"\.cross_attn\.", ".attn2."),
    (r"\.(attn\d)\.([qkv])\.", r".\1.to_\2."),
    (r"\.(attn\d)\.o\.", r".\1.to_out.0."),
    (r"\.norm3\.", ".norm2."),
    (r"\.ffn\.0\.", ".ffn.net.0.proj."),
    (r"\.ffn\.2\.", ".ffn.net.2."),
)
_OURS_ALONE = re.compile(r"^(layers\.\d+\.view\.|camera_rope\.)")
_PATCHES = "patch_embedding.weight"


def foreign_name(name: str, naming: Naming) -> str | None:
    """What a parameter of `trainer.model.wam.VideoTower` is called there; None for those only we have."""
    if _OURS_ALONE.match(name):
        return None
    for pattern, replacement in (*_OURS_TO_WAN, *(_WAN_TO_DIFFUSERS if naming == "diffusers" else ())):
        name = re.sub(pattern, replacement, name)
    return name


def own_names(names: Iterable[str], naming: Naming) -> dict[str, str]:
    """Their name → ours. Raises ValueError when two of ours would share a name."""
    pairs = [(foreign_name(name, naming), name) for name in names]
    table = {theirs: ours for theirs, ours in pairs if theirs is not None}
    if len(table) != sum(theirs is not None for theirs, _ in pairs):
        raise ValueError("two parameters would have one name; the tables of trainer/convert.py are not bijective")
    return table


def exported(tower: nn.Module, naming: Naming) -> dict[str, Tensor]:
    """The tower's weights under their names, in their shapes; what only we have is left out."""
    found = {}
    for name, value in tower.state_dict().items():
        theirs = foreign_name(name, naming)
        if theirs is not None:
            found[theirs] = value.reshape(len(value), -1, 1, PATCH, PATCH) if name == _PATCHES else value
    return found


def load_into(tower: nn.Module, weights: Mapping[str, Tensor], naming: Naming) -> None:
    """Put their weights into the tower. Raises ValueError naming what is missing, left over, or of another shape."""
    own = tower.state_dict()
    table = own_names(own, naming)
    missing, strange = sorted(set(table) - set(weights)), sorted(set(weights) - set(table))
    if missing or strange:
        raise ValueError(
            f"{naming} weights: {len(missing)} are missing (first {missing[:2]}), {len(strange)} are not known here "
            f"(first {strange[:2]}); expected a text-to-video Wan of depth {_depth(own)}"
        )
    with torch.no_grad():
        for theirs, ours in table.items():
            value = weights[theirs]
            if ours == _PATCHES and value.shape[2:] == (1, PATCH, PATCH):
                value = value.flatten(1)
            if value.shape != own[ours].shape:
                raise ValueError(f"{theirs}: found shape {tuple(value.shape)}, expected {tuple(own[ours].shape)}")
            own[ours].copy_(value)


def _depth(names: Iterable[str]) -> int:
    return 1 + max(int(found[1]) for found in map(re.compile(r"layers\.(\d+)\.").match, names) if found)


class WeightFolder(Mapping[str, Tensor]):
    """The tensors of a folder of safetensors, each read when it is asked for, so that a model is never held twice."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError without any, or where files of the index are missing, ValueError for broken ones."""
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise FileNotFoundError(f"{folder}: found no *.safetensors, expected the folder of a Wan transformer")
        self._file_of: dict[str, Path] = {}
        for file in files:
            try:
                with safe_open(str(file), framework="pt") as opened:
                    self._file_of |= dict.fromkeys(opened.keys(), file)
            except SafetensorError as error:
                raise ValueError(f"{file}: broken ({error}); download it again") from error
        for index in sorted(folder.glob("*.safetensors.index.json")):
            self._check_index(index)

    def _check_index(self, index: Path) -> None:
        """Whether all that a sharded model's index names has arrived."""
        table: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        away = sorted({file for file in table.values() if not (index.parent / file).is_file()})
        if away:
            raise FileNotFoundError(f"{index}: {len(away)} of its files are not there, first {away[0]}; download them")
        wrong = sorted(name for name, file in table.items() if self._file_of.get(name) != index.parent / file)
        if wrong:
            raise ValueError(f"{index}: {len(wrong)} tensors are not in the files it names, first {wrong[0]}")

    def __getitem__(self, name: str) -> Tensor:
        with safe_open(str(self._file_of[name]), framework="pt") as opened:
            found: Tensor = opened.get_tensor(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)


def read_weights(folder: Path) -> tuple[WeightFolder, Naming]:
    """The tensors of a folder of safetensors, and whose names they have."""
    weights = WeightFolder(folder)
    return weights, "diffusers" if any(name.startswith("condition_embedder.") for name in weights) else "wan"
