"""robomimic recordings in a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.episode import Arm
from schemas.recipe_section import Positive, Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class RobomimicSource(SourceSection):
    """A tree of robomimic files: robosuite, MimicGen, LIBERO, RoboCasa or IsaacLab, many demos per HDF5 file."""

    format: Literal["robomimic"]
    kind: SourceKind = SourceKind.TELEOP
    embodiment: str | None = Field(default=None, description="Default: the robots that `env_args` names.")
    cameras: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, description="Keys of `obs`, master view first. Default: all pictures, wrist views last."
    )
    flip_images: Literal["none", "vertical"] | None = Field(
        default=None, description="Default: vertical where the file's `macros_image_convention` is opengl."
    )
    filter_key: Text | None = Field(default=None, description="Only the demos of `mask/<filter_key>`. Default: all.")
    fps: Positive | None = Field(default=None, description="Rows per second. Default: `control_freq`, else 20.")
    actions: Literal["delta", "absolute"] | None = Field(
        default=None, description="What end-effector actions are. Default: what the controller's settings say."
    )
    position_scale_m: Positive | None = Field(
        default=None, description="Metres per unit of a delta action. Default: the controller's, else 0.05."
    )
    rotation_scale: Positive | None = Field(
        default=None, description="Radians per unit of a delta action. Default: the controller's, else 0.5."
    )
    gripper_closed: float | None = Field(
        default=None, description="Finger travel (half the jaw's width) when closed. Default: known for the Panda."
    )
    gripper_open: float | None = Field(default=None, description="And when open; both or neither.")
    gripper_action_open: float | None = Field(
        default=None, description="The action that opens; its negative closes. Default: -1, for IsaacLab 1."
    )
    quaternions: Literal["xyzw", "wxyz"] | None = Field(
        default=None, description="Order in `eef_quat`. Default: xyzw, for IsaacLab wxyz."
    )
    arms: dict[Text, Arm] = Field(
        default_factory=lambda: {"robot0": Arm.RIGHT, "robot1": Arm.LEFT}, description="Which arm each robot is."
    )

    @model_validator(mode="after")
    def _is_possible(self) -> "RobomimicSource":
        if (self.gripper_closed is None) != (self.gripper_open is None):
            given, other = ("gripper_open", "gripper_closed")[:: 1 if self.gripper_closed is None else -1]
            raise impossible(given, f"given without '{other}'; give both, or neither")
        if self.gripper_closed is not None and self.gripper_closed == self.gripper_open:
            raise impossible("gripper_open", f"found {self.gripper_open}, the same as gripper_closed")
        if self.gripper_action_open == 0:
            raise impossible("gripper_action_open", "found 0, which is neither open nor closed")
        names = self.cameras or []
        if len(set(names)) != len(names):
            raise impossible("cameras", "found a name twice, expected each once")
        return self
