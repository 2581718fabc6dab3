"""FastUMI recordings in a recipe."""

from typing import Literal

from pydantic import Field

from schemas.recipe_section import Text
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class FastUmiSource(SourceSection):
    """Task folders of `episode_<n>.hdf5`."""

    format: Literal["fastumi"]
    kind: SourceKind = SourceKind.UMI
    embodiment: str | None = Field(default="fastumi", description="The handheld gripper.")
    frame: Text = Field(
        default="odometry", description="What poses are relative to; `base` when they were moved to a robot's."
    )
    colours: Literal["bgr", "rgb"] = Field(
        default="bgr", description="Order of a pixel's values; its tools write `bgr`."
    )
