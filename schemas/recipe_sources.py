"""A source of a recipe: any of the formats. Adding a format adds one import and one name here."""

from typing import Annotated

from pydantic import Field

from schemas.recipe_formats.agibot import AgiBotSource
from schemas.recipe_formats.aloha import AlohaSource
from schemas.recipe_formats.droid_raw import DroidRawSource
from schemas.recipe_formats.ego4d import Ego4DSource
from schemas.recipe_formats.egodex import EgoDexSource
from schemas.recipe_formats.epic_kitchens import EpicKitchensSource
from schemas.recipe_formats.fastumi import FastUmiSource
from schemas.recipe_formats.hand_log import HandLogSource
from schemas.recipe_formats.hot3d import Hot3dSource
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.recipe_formats.rlds import RldsSource
from schemas.recipe_formats.robomimic import RobomimicSource
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.recipe_formats.self_collected import SelfCollectedSource
from schemas.recipe_formats.umi_json import UmiJsonSource
from schemas.recipe_formats.umi_session import UmiSessionSource
from schemas.recipe_formats.umi_zarr import UmiZarrSource
from schemas.recipe_formats.video_folder import VideoFolderSource

SourceSpec = Annotated[
    AgiBotSource
    | AlohaSource
    | DroidRawSource
    | Ego4DSource
    | EgoDexSource
    | EpicKitchensSource
    | FastUmiSource
    | HandLogSource
    | Hot3dSource
    | LeRobotSource
    | RldsSource
    | RosBagSource
    | RobomimicSource
    | SelfCollectedSource
    | UmiZarrSource
    | UmiJsonSource
    | UmiSessionSource
    | VideoFolderSource,
    Field(discriminator="format"),
]
