"""Which numbers of a tabular source are an arm's pose, gripper and fingers, as a recipe says it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from schemas.episode import Arm
from schemas.pose import RotationEncoding
from schemas.recipe_section import Count, Positive, Section, Text, impossible


class Columns(Section):
    """Which numbers of a source's table to read: a column, and for vector columns which of its elements."""

    column: Text
    start: Annotated[int, Field(ge=0)] | None = None
    stop: Count | None = None

    @model_validator(mode="after")
    def _slice_is_whole(self) -> "Columns":
        if (self.start is None) != (self.stop is None):
            given, other = ("stop", "start") if self.start is None else ("start", "stop")
            raise impossible(given, f"given without '{other}'; give both, or neither for the whole column")
        if self.start is not None and self.stop is not None and self.stop <= self.start:
            raise impossible("stop", f"found {self.stop}, expected more than start ({self.start})")
        return self

    @property
    def width(self) -> int | None:
        """How many numbers are read, or None for a whole column, which only the source knows."""
        return None if self.start is None or self.stop is None else self.stop - self.start


class RotationColumns(Columns):
    """A rotation and how the source writes it."""

    encoding: RotationEncoding


class OpeningSignal(StrEnum):
    """How a gripper's numbers are to be read."""

    CONTINUOUS = "continuous"
    BINARY = "binary"
    """Open or closed; a number on the way counts as the end that it reaches."""
    RELATIVE = "relative"
    """A command to close or to open, which holds until the next; half-way between the two is no command."""


class OpeningColumns(Columns):
    """A gripper signal and its polarity in the source's own units."""

    closed: float = 0.0
    open: float = 1.0
    signal: OpeningSignal = OpeningSignal.CONTINUOUS

    @model_validator(mode="after")
    def _has_range(self) -> "OpeningColumns":
        if self.closed == self.open:
            raise impossible("open", f"found {self.open}, the same as closed; the two say which value means which")
        return self


class ArmColumns(Section):
    """Where one arm's quantities stand in a tabular source. What is not named is not there."""

    arm: Arm
    position: Columns | None = None
    rotation: RotationColumns | None = None
    opening: OpeningColumns | None = None
    fingers: Columns | None = None
    position_scale_m: Positive = Field(default=1.0, description="Metres per source unit.")

    @model_validator(mode="after")
    def _is_a_pose(self) -> "ArmColumns":
        if not (self.position or self.rotation or self.opening or self.fingers):
            raise impossible("arm", "nothing is read for it; name position, rotation, opening or fingers")
        if self.rotation and not self.position:
            raise impossible("rotation", "given without 'position'; a pose needs both, an arm may have neither")
        rotation_width = self.rotation.encoding.width if self.rotation else 0
        for key, columns, width in (
            ("position", self.position, 3),
            ("rotation", self.rotation, rotation_width),
            ("opening", self.opening, 1),
        ):
            if columns and columns.width not in (None, width):
                raise impossible(f"{key}.stop", f"start to stop takes {columns.width} numbers, expected {width}")
        return self
