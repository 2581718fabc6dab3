"""AgiBot World in a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe_section import Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class AgiBotSource(SourceSection):
    """A folder with `task_info`, `observations` and `proprio_stats`."""

    format: Literal["agibot"]
    kind: SourceKind = SourceKind.OPEN_ROBOT
    embodiment: str | None = Field(default="agibot_g1", description="Robot type; name robots with hands differently.")
    cameras: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Video names, master view first. Default: all, `head_color` first.",
    )
    gripper_closed_mm: float = Field(default=0.0, description="What `state/effector/position` is when closed.")
    gripper_open_mm: float = Field(
        default=120.0, description="The same when open. A guess: calibration scales what is really reached."
    )

    gripper_command_closed: float = Field(default=1.0, description="What `action/effector/position` is to close.")
    gripper_command_open: float = Field(default=0.0, description="The same to open.")

    @model_validator(mode="after")
    def _gripper_has_range(self) -> "AgiBotSource":
        if self.gripper_closed_mm == self.gripper_open_mm:
            raise impossible("gripper_open_mm", f"found {self.gripper_open_mm}, the same as gripper_closed_mm")
        if self.gripper_command_closed == self.gripper_command_open:
            value = self.gripper_command_open
            raise impossible("gripper_command_open", f"found {value}, the same as gripper_command_closed")
        return self
