"""What a tabular source's commands are, as a recipe says it; the canonical ``target`` made of them is absolute."""

from collections.abc import Sequence

from pydantic import Field

from schemas.episode import CommandMode, CommandSemantics, CommandSpace
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns
from schemas.recipe_section import Positive, Section, Text, impossible

STEP_FRAMES = ("base", "tool")
"""Frames a step can be made in: the track's own, or the tool's at that moment."""
_SCALABLE = (RotationEncoding.EULER_XYZ, RotationEncoding.ROTATION_VECTOR)


class Commands(Section):
    """How commands are written: absolute, as steps from the measured state, or as velocities."""

    mode: CommandMode
    space: CommandSpace
    frame: Text = Field(default="base", description="What a command is relative to: `base`, `tool`, `joint` …")
    rotation_scale: Positive = Field(default=1.0, description="Radians per unit of a step's rotation.")

    @property
    def semantics(self) -> CommandSemantics:
        """As the action track carries it."""
        return CommandSemantics(self.mode, self.space, self.frame)

    @property
    def are_steps(self) -> bool:
        """Whether ``target`` columns say how far to move instead of where to."""
        return self.mode is not CommandMode.ABSOLUTE


def check_commands(commands: Commands | None, state: Sequence[ArmColumns], target: Sequence[ArmColumns]) -> None:
    """Raises the error of a recipe whose steps have nothing to start from or no meaning."""
    if commands is None:
        return
    known = {arm.arm: arm for arm in state}
    for index, arm in enumerate(target):
        if arm.position is None:
            continue
        key = f"target.{index}.position"
        if commands.space is CommandSpace.JOINT:
            raise impossible(key, "commands move joints, so that no column of theirs is a pose; leave it out")
        if not commands.are_steps:
            continue
        start = known.get(arm.arm)
        if start is None or start.position is None:
            raise impossible(key, f"a {commands.mode} needs the measured position it starts from; name it in `state`")
        if start.rotation is None and (arm.rotation is not None or commands.frame == "tool"):
            raise impossible(key, f"a {commands.mode} needs the measured rotation it starts from; name it in `state`")
        if commands.frame not in STEP_FRAMES:
            raise impossible("commands.frame", f"found {commands.frame!r}, expected one of {list(STEP_FRAMES)}")
        scaled = commands.mode is CommandMode.VELOCITY or commands.rotation_scale != 1.0
        if scaled and arm.rotation is not None and arm.rotation.encoding not in _SCALABLE:
            found = f"{arm.rotation.encoding} cannot be scaled"
            raise impossible(
                f"target.{index}.rotation.encoding", f"{found}; expected one of {list(map(str, _SCALABLE))}"
            )
