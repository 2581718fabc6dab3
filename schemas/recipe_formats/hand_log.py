"""Logs of tracked hands, or of an arm they drive, in a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from schemas.recipe_columns import ArmColumns
from schemas.recipe_section import Positive, Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class HandLogSource(SourceSection):
    """A folder of ``.npz`` logs of hand teleoperation; each file is one episode without pictures."""

    format: Literal["hand_log"]
    kind: SourceKind = SourceKind.TELEOP
    embodiment: str | None = "human"
    frame: Literal["arkit_world", "head"] = Field(
        default="arkit_world", description="What wrist poses are given in; `head` moves them there by the `head` array."
    )
    pinch_open_m: Positive = Field(
        default=0.1, description="Distance of thumb and index tip, in metres, that counts as fully open (1)."
    )
    fps: Positive | None = Field(default=None, description="Rows per second of logs that hold no times.")
    time_unit: Literal["s", "ms", "us", "ns"] = Field(default="s", description="Unit of the log's own times.")
    state: list[ArmColumns] = Field(
        default_factory=list,
        description="Arrays of logs that hold no hands, such as `qpos` of a simulated arm, as an arm's state.",
    )
    target: list[ArmColumns] = Field(default_factory=list, description="The same for commands.")
    pose_frame: Text = Field(default="world", description="What the poses of `state` and `target` are given in.")

    @model_validator(mode="after")
    def _names_no_arm_twice(self) -> "HandLogSource":
        for key, arms in (("state", self.state), ("target", self.target)):
            names = [str(columns.arm) for columns in arms]
            if len(set(names)) != len(names):
                raise impossible(key, f"found the arms {names}, expected each once")
        return self
