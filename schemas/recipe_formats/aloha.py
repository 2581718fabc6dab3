"""ALOHA recordings in a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe_section import Positive, Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class AlohaSource(SourceSection):
    """A tree of ALOHA, Mobile ALOHA, AgileX or RoboTwin files, one HDF5 file per episode."""

    format: Literal["aloha"]
    kind: SourceKind = SourceKind.TELEOP
    embodiment: str | None = "aloha"
    cameras: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Below `/observations/images`, master view first. Default: all, `cam_high` first.",
    )
    fps: Positive = Field(default=50.0, description="Rows per second; the files do not say it. AgileX records at 30.")
    colours: Literal["rgb", "bgr"] | None = Field(
        default=None, description="Order of the pictures' channels. Default: rgb, with a finding where it may be bgr."
    )
    gripper_closed: float = Field(default=0.0, description="A gripper's number when it is closed.")
    gripper_open: float = Field(default=1.0, description="And when it is open.")
    joint_names: Annotated[list[Text], Field(min_length=6, max_length=7)] | None = Field(
        default=None, description="One arm's joints without the gripper, for kinematics. Default: ALOHA's six."
    )

    @model_validator(mode="after")
    def _is_possible(self) -> "AlohaSource":
        if self.gripper_closed == self.gripper_open:
            raise impossible("gripper_open", f"found {self.gripper_open}, the same as gripper_closed")
        for key, names in (("cameras", self.cameras or []), ("joint_names", self.joint_names or [])):
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise impossible(key, f"found {twice!r} twice, expected each once")
        return self
