"""A UMI replay buffer in a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.episode import Arm
from schemas.recipe_section import Positive, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind

UMI_FPS = 60_000 / 1001
"""A GoPro's "60 frames per second"."""


class UmiZarrSource(SourceSection):
    """A folder with UMI's ``dataset.zarr.zip``, or several of them, or plain ``.zarr`` folders."""

    format: Literal["umi_zarr"]
    kind: SourceKind = SourceKind.UMI
    embodiment: str | None = Field(default="umi_gripper", description="Name of the gripper.")
    fps: Positive = Field(
        default=UMI_FPS,
        description="Rows per second; the buffer has no times. Default: 60000/1001, a GoPro's 59.94.",
    )
    max_width_m: Positive = Field(
        default=0.09, description="Gripper width that counts as open, in metres; width 0 is closed."
    )
    arms: Annotated[list[Arm], Field(min_length=1, max_length=2)] = Field(
        default=[Arm.RIGHT, Arm.LEFT], description="Which arm `robot0` is, and `robot1`. UMI numbers the right one 0."
    )

    @model_validator(mode="after")
    def _arms_differ(self) -> "UmiZarrSource":
        if len(set(self.arms)) != len(self.arms):
            raise impossible("arms", f"found {self.arms[0]} twice, expected each arm once")
        return self
