"""An RLDS dataset in a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands, check_commands
from schemas.recipe_section import Positive, Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class RldsSource(SourceSection):
    """A dataset of Open X-Embodiment or any other that TFDS wrote as RLDS episodes."""

    format: Literal["rlds"]
    kind: SourceKind = SourceKind.OPEN_ROBOT
    fps: Positive = Field(
        description="Steps per second; the files do not say it (bridge 5, RT-1 3, DROID 15, language_table 10)."
    )
    splits: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, description="Which splits to read. Default: all; an episode of several splits is used once."
    )
    cameras: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Picture features such as `observation/image_0`, master view first. Default: all, sorted.",
    )
    state: list[ArmColumns] = Field(
        default_factory=list,
        description="Which features are which arm's measured state, e.g. `observation/state`: "
        "[columns](recipe.md#state-and-target).",
    )
    target: list[ArmColumns] = Field(default_factory=list, description="The same for commands, e.g. `action`.")
    commands: Commands | None = Field(
        default=None, description="What `target` positions are: [commands](recipe.md#commands). Needed with one."
    )
    frame: Text = Field(default="base", description="What poses are relative to: `base`, `world` …")

    @model_validator(mode="after")
    def _fits_together(self) -> "RldsSource":
        lists: tuple[tuple[str, list[str]], ...] = (
            ("splits", self.splits or []),
            ("cameras", self.cameras or []),
            ("state", [str(columns.arm) for columns in self.state]),
            ("target", [str(columns.arm) for columns in self.target]),
        )
        for key, names in lists:
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise impossible(key, f"found {twice!r} twice, expected each once")
        if self.commands is None and any(arm.position for arm in self.target):
            raise impossible(
                "commands", "missing, and `target` names a position; most RLDS actions are steps: say which they are"
            )
        check_commands(self.commands, self.state, self.target)
        return self
