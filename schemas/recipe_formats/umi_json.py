"""NVIDIA's UMI action files in a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from schemas.episode import Arm
from schemas.recipe_section import Positive, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class UmiJsonSource(SourceSection):
    """A folder with ``videos/<name>.mp4`` and ``actions/<name>.json``."""

    format: Literal["umi_json"]
    kind: SourceKind = SourceKind.UMI
    embodiment: str | None = Field(default="umi_gripper", description="Name of the gripper.")
    fps: Positive = Field(default=20.0, description="Rows per second.")
    arm: Arm = Field(default=Arm.RIGHT, description="Which arm holds the gripper.")
    relative_to: Literal["previous", "chunk_start"] = Field(
        default="previous",
        description="What a row is relative to: the pose before it, or the pose at which its chunk of rows starts.",
    )
    position_scale_m: Positive | None = Field(
        default=None,
        description="Metres per unit of dx, dy, dz. Default: the scale that the rotations prove, told as a finding.",
    )
    gripper_closed: float | None = Field(default=None, description="The gripper column's value when closed.")
    gripper_open: float | None = Field(
        default=None, description="Its value when open. Without both there is no opening, only the native column."
    )

    @model_validator(mode="after")
    def _gripper_has_two_ends(self) -> "UmiJsonSource":
        if (self.gripper_closed is None) != (self.gripper_open is None):
            given, other = ("open", "closed") if self.gripper_closed is None else ("closed", "open")
            raise impossible(f"gripper_{given}", f"given without 'gripper_{other}'; give both or neither")
        if self.gripper_closed is not None and self.gripper_closed == self.gripper_open:
            raise impossible("gripper_open", f"found {self.gripper_open}, the same as gripper_closed")
        return self
