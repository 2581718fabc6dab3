"""EgoDex in a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.episode import Arm
from schemas.recipe_section import Fraction, Positive
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class EgoDexSource(SourceSection):
    """A folder of EgoDex recordings: a video and an HDF5 file of tracked joints each."""

    format: Literal["egodex"]
    kind: SourceKind = SourceKind.EGOCENTRIC
    embodiment: str | None = "human"
    arms: Annotated[list[Arm], Field(min_length=1, max_length=2)] = Field(
        default=[Arm.LEFT, Arm.RIGHT],
        description="Hands to read. A row counts only if all of them were tracked, so leave out one that idles.",
    )
    pinch_open_m: Positive = Field(
        default=0.1, description="Distance of thumb and index tip, in metres, that counts as fully open (1)."
    )
    min_confidence: Fraction = Field(
        default=0.1,
        description="Rows in which the headset trusted a wrist or finger tip it needed less than this are invalid.",
    )
