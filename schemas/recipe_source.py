"""What every source says in a recipe, whatever its format; the formats' own keys stand in `schemas.recipe_formats`."""

from pydantic import Field, model_validator

from schemas.episode import CameraRole, Protocol
from schemas.recipe_kinematics import KinematicsSpec, PseudoActionsSpec, RetargetSpec, check_each_arm_once
from schemas.recipe_section import Name, Section, Text
from schemas.source import SourceKind
from schemas.source_card import SourceCard


class SourceSection(Section):
    """The keys common to all formats. A format adds ``format: Literal[…]`` and may give other defaults."""

    name: Name
    path: Text = Field(description="Folder, relative to the recipe file.")
    kind: SourceKind
    card: SourceCard = Field(description="Name of a card in a registry, or a section with at least `licence`.")
    protocol: Protocol = Protocol.STRUCTURED
    instruction: str = Field(default="", description="The task in words, for recordings that do not say it.")
    embodiment: str | None = Field(default=None, description="Robot type, `human` or `none`.")
    camera_roles: dict[str, CameraRole] = Field(
        default_factory=dict, description="Per camera name; a camera not named here is judged by its name."
    )
    follow_links: bool = Field(default=False, description="Whether links may lead out of the folder, as in caches.")
    known_defects: list[Name] = Field(default_factory=list, description="Declared by the user; each becomes a finding.")
    kinematics: list[KinematicsSpec] = Field(
        default_factory=list, description="Arms whose poses follow from their joints."
    )
    retarget: list[RetargetSpec] = Field(
        default_factory=list, description="Arms whose poses a robot's joints are found for."
    )
    pseudo_actions: PseudoActionsSpec | None = Field(default=None, description="Look for hands in the pictures.")

    @model_validator(mode="after")
    def _arms_are_described_once(self) -> "SourceSection":
        check_each_arm_once("kinematics", self.kinematics)
        check_each_arm_once("retarget", self.retarget)
        return self
