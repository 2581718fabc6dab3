"""Looking into a corpus: its truth file, the bytes of its files, the brightness of its pictures."""

import json
from pathlib import Path
from typing import Any

import av

from pipeline.synthetic.corpus import TRUTH
from pipeline.synthetic.defects import Defect


def truth_of(corpus: Path) -> dict[str, Any]:
    """The whole truth file."""
    loaded: dict[str, Any] = json.loads((corpus / TRUTH).read_text())
    return loaded


def broken(corpus: Path, defect: Defect) -> dict[str, Any]:
    """The one episode with this defect."""
    episodes: list[dict[str, Any]] = truth_of(corpus)["episodes"]
    (found,) = [episode for episode in episodes if episode["defect"] == defect.value]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes by path of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def luma(path: Path) -> list[float]:
    """Mean grey value of every frame of a video."""
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
