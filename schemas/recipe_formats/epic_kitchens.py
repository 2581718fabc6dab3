"""EPIC-KITCHENS-100 in a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.episode import Protocol
from schemas.recipe_section import Text
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class EpicKitchensSource(SourceSection):
    """A folder with EPIC-KITCHENS' tables and any of its videos."""

    format: Literal["epic_kitchens"]
    kind: SourceKind = SourceKind.EGOCENTRIC
    protocol: Protocol = Protocol.UNSTRUCTURED
    embodiment: str | None = "human"
    annotations: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Tables of segments, paths below `path`. Default: `EPIC_100_train.csv`, `EPIC_100_validation.csv` "
        "and `EPIC_100_test_timestamps.csv`, wherever they lie.",
    )
