"""One LeRobot episode in memory: a reference, what its dataset says and its rows, made from columns."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.sources.lerobot.lerobot_rows import Rows
from pipeline.sources.reference import metadata_of
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source import EpisodeRef, SourceFile, make_ref
from tests.pipeline.sources.datasets import FPS

STEP_NS = 10**9 // FPS
TABLE_PATH = "data/episode_000003.parquet"


def spec_of(**more: Any) -> LeRobotSource:
    stated = {"format": "lerobot", "name": "made", "path": "made", "card": {"licence": "CC0-1.0"}, **more}
    return LeRobotSource.model_validate(stated)


def dataset_of(features: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """What discovery keeps of a dataset's metadata for one episode."""
    plain = {"codebase_version": "v2.1", "fps": FPS, "episode_index": 3, "length": None, "texts": {}}
    return {**plain, "features": features or {}, **more}


def ref_to(root: str, *files: tuple[str, str], spec: LeRobotSource | None = None) -> EpisodeRef:
    """A reference to ``(part, path)`` files below ``root``, which need not be there."""
    spec = spec or spec_of()
    return make_ref(
        source=spec.name,
        kind=spec.kind,
        dataset=spec.name,
        embodiment="two_joints",
        locator="episode_index=3",
        root=root,
        files=tuple(SourceFile(part, path, "0" * 64, 1) for part, path in files),
        metadata=metadata_of(spec, dataset_of()),
    )


REF = ref_to("made", ("table", TABLE_PATH))


def rows_of(columns: dict[str, Any]) -> Rows:
    """Rows as `read_rows` gives them for a table without defects."""
    table = pa.table(columns)
    times_ns = np.arange(table.num_rows, dtype=np.int64) * STEP_NS
    return Rows(f"made/{TABLE_PATH}", table, times_ns, table.num_rows * STEP_NS, are_frames=True)
