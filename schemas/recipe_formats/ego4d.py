"""Ego4D in a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.episode import Protocol
from schemas.recipe_section import Text
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class Ego4DSource(SourceSection):
    """A folder with Ego4D's annotation files and any of its videos."""

    format: Literal["ego4d"]
    kind: SourceKind = SourceKind.EGOCENTRIC
    protocol: Protocol = Protocol.UNSTRUCTURED
    embodiment: str | None = "human"
    annotations: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Annotation files, paths below `path`. Default: every `*.json` that begins like one of Ego4D's.",
    )
