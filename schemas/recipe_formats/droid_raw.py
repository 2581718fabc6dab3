"""DROID's raw recordings in a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.recipe_section import Text
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class DroidRawSource(SourceSection):
    """Episode folders of `metadata_*.json`, `trajectory.h5` and `recordings/MP4`."""

    format: Literal["droid_raw"]
    kind: SourceKind = SourceKind.OPEN_ROBOT
    embodiment: str | None = Field(default="panda", description="Robot type; DROID is Franka Panda arms throughout.")
    cameras: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Of `ext1`, `ext2`, `wrist` (or serial numbers), master view first. Default: all, in this order.",
    )
    stereo: bool = Field(
        default=False, description="Also read `<serial>-stereo.mp4`, both eyes side by side, as views `ext1_stereo` …"
    )
    annotations: Text | None = Field(
        default=None,
        description="JSON below `path` with sentences by episode uuid. Default: `*annotations*.json` in `path`.",
    )
