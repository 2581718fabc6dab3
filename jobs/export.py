"""``joinery export``: a shard set in somebody else's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_never

from pipeline.errors import JoineryError
from pipeline.exporters.energon import write_energon
from pipeline.exporters.folder import Counts, Exported, export_into
from pipeline.exporters.lerobot import write_lerobot
from pipeline.exporters.set_files import card_of
from pipeline.exporters.target import STRIDE, Language, Target
from pipeline.exporters.vla_foundry import write_vla_foundry
from pipeline.loader.reader import ShardSet

DEFAULT_SPLIT = "train"


def export(
    shards: str,
    storage: dict[str, str],
    to: Target,
    out: Path,
    *,
    split: str | None = None,
    language: Language = Language.COLUMNS,
    stride: int = STRIDE,
) -> Exported:
    """Write the export of a shard set at ``out``, or find it there.

    Raises JoineryError for a split the set does not have, when nothing fits the target, or when ``out`` holds anything
    else.
    """
    opened = ShardSet.open(shards, storage)
    request: dict[str, Any] = {"to": str(to), "shard_set_id": opened.shard_set_id}
    if to is Target.ENERGON:
        if split is not None:
            raise JoineryError(f"--split {split}: an Energon dataset keeps the splits apart itself; leave it out")
        return export_into(out, request, lambda folder: write_energon(opened, folder))
    split = DEFAULT_SPLIT if split is None else split
    if split not in opened.splits:
        raise JoineryError(f"--split {split}: {opened.shard_set_id} has {', '.join(opened.splits)}")
    request["split"] = split
    card = card_of(opened)

    def lerobot(folder: Path) -> Counts:
        return write_lerobot(opened, split, language, card, folder)

    def vla_foundry(folder: Path) -> Counts:
        return write_vla_foundry(opened, split, stride, card, folder)

    match to:
        case Target.LEROBOT:
            return export_into(out, {**request, "language": str(language)}, lerobot)
        case Target.VLA_FOUNDRY:
            return export_into(out, {**request, "stride": stride}, vla_foundry)
        case _:
            assert_never(to)
