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

    @model_validator(mode="after")
    def _gripper_has_range(self) -> "AgiBotSource":
        if self.gripper_closed_mm == self.gripper_open_mm:
            raise impossible("gripper_open_mm", f"found {self.gripper_open_mm}, the same as gripper_closed_mm")
        return self
