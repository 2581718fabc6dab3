"""The columns of one robomimic demo that arms are made of, collected while its names and conventions are sorted out."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import SourceError
from pipeline.sources.reference import about_episode
from pipeline.sources.robomimic.robomimic_demo import Demo
from pipeline.sources.robomimic.robomimic_env import Env
from schemas.array import Floats
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe_columns import Columns, RotationColumns
from schemas.recipe_formats.robomimic import RobomimicSource


@dataclass
class Table:
    """Columns by name, float64 [T, W], and what is to be told about them."""

    demo: Demo
    n_rows: int
    columns: dict[str, Floats] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def spec(self) -> RobomimicSource:
        return self.demo.spec

    @property
    def env(self) -> Env:
        return self.demo.env

    def rows(self, path: str, width: int | None = None) -> Floats:
        """A table of the demo by its path below it. Raises SourceError unless it has one row per action."""
        values = self.demo.file.numbers(f"{self.demo.group}/{path}", width)
        if len(values) != self.n_rows:
            raise SourceError(
                f"{self.demo.where}: {path} has {len(values)} rows, actions {self.n_rows}; expected one of each "
                "per step: leave the demo out"
            )
        return values

    def tell(self, check: str, message: str, value: float | None = None) -> None:
        self.findings.append(about_episode(self.demo.ref, check, message, value))


def posed(table: Table, name: str, matrices: Floats) -> dict[str, Any]:
    """Position and rotation of 4×4 matrices [T, 16]."""
    matrices = matrices.reshape(-1, 4, 4)
    table.columns[f"{name}.position"] = matrices[:, :3, 3]
    table.columns[f"{name}.rotation"] = matrices[:, :2, :3].reshape(-1, 6)
    rotation = RotationColumns(column=f"{name}.rotation", encoding=RotationEncoding.ROT6D_ROWS)
    return {"position": Columns(column=f"{name}.position"), "rotation": rotation}
