"""A source of a recipe: any of the formats. Adding a format adds one import and one name here."""

from typing import Annotated

from pydantic import Field

from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.recipe_formats.video_folder import VideoFolderSource

SourceSpec = Annotated[
    LeRobotSource | RosBagSource | VideoFolderSource,
    Field(discriminator="format"),
]
