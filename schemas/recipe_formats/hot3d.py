"""HOT3D in a recipe."""

from typing import Literal

from pydantic import Field

from schemas.episode import Protocol
from schemas.recipe_section import Text
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class Hot3dSource(SourceSection):
    """A folder of HOT3D sequences."""

    format: Literal["hot3d"]
    kind: SourceKind = SourceKind.EGOCENTRIC
    protocol: Protocol = Protocol.UNSTRUCTURED
    embodiment: str | None = "human"
    stream: Text | None = Field(
        default=None,
        description="Camera stream whose time stamps the rows take. Default: `214-1` (Aria's colour camera), where a "
        "sequence has none the first in its masks.",
    )
