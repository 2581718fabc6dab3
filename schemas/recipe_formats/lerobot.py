"""A LeRobot dataset in a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands, check_commands
from schemas.recipe_section import Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class LeRobotSource(SourceSection):
    """A LeRobot dataset folder, v2.0, v2.1 or v3.0."""

    format: Literal["lerobot"]
    kind: SourceKind = SourceKind.OPEN_ROBOT
    embodiment: str | None = Field(default=None, description="Default: robot_type of info.json.")
    cameras: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, description="Feature keys, master view first. Default: all, sorted."
    )
    state: list[ArmColumns] = Field(
        default_factory=list,
        description="Which columns are which arm's measured state: [columns](recipe.md#state-and-target).",
    )
    target: list[ArmColumns] = Field(default_factory=list, description="The same for commands.")
    commands: Commands | None = Field(
        default=None,
        description="What `target` columns are: [commands](recipe.md#commands). Default: absolute, not said.",
    )
    frame: Text = Field(default="base", description="What poses are relative to: `base`, `world`, `tag` …")

    @model_validator(mode="after")
    def _names_nothing_twice(self) -> "LeRobotSource":
        lists: tuple[tuple[str, list[str]], ...] = (
            ("cameras", self.cameras or []),
            ("state", [str(columns.arm) for columns in self.state]),
            ("target", [str(columns.arm) for columns in self.target]),
        )
        for key, names in lists:
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise impossible(key, f"found {twice!r} twice, expected each once")
        check_commands(self.commands, self.state, self.target)
        return self
