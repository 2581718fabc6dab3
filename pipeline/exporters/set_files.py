"""Files of a shard set in an export's folder: linked where both lie on one disk, else copied, and never changed."""

import os
import shutil
from pathlib import Path

from pipeline.loader.names import SET
from pipeline.loader.reader import ShardSet

_COPY_BYTES = 4 << 20
CARD, RECIPE, PLAN = "README.md", "recipe.yaml", "plan.json"


def place_file(shards: ShardSet, name: str, target: Path) -> None:
    """Put a file of the set at ``target``. Links share bytes with the set, so write to neither."""
    target.parent.mkdir(parents=True, exist_ok=True)
    local = shards.local_file(name)
    if local is not None:
        try:
            os.link(local, target)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(local, target)
        return
    with shards.open_file(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, _COPY_BYTES)


def place_papers(shards: ShardSet, folder: Path, names: tuple[str, ...]) -> None:
    """Copies of what a set says about itself, as far as it has them; always ``set.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({SET, *names} & {SET, *shards.description["files"]}):
        with shards.open_file(name) as file:
            (folder / name).write_bytes(file.read())


def card_of(shards: ShardSet) -> str:
    """The data card's text; empty for a set without one."""
    if CARD not in shards.description["files"]:
        return ""
    with shards.open_file(CARD) as file:
        return file.read().decode("utf-8")
