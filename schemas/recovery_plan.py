"""A collection plan: where an arm shall start so that it has to recover, contact by contact (wall_wm.md §2.6).

The plan is self-contained: a person at a robot, or a simulator that knows nothing of the workspace, can work through
it. `RolloutResult` says what became of each start. Both are JSON; docs/recovery.md is the same in words.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.episode import Arm, Protocol
from schemas.event import BoundaryKind, Verb
from schemas.recipe_recover import Point, RecoverSpec
from schemas.recipe_section import Name, Section, Text
from schemas.source import SourceKind
from schemas.source_card import SourceCard

PLAN, PAGE, DEMONSTRATIONS, SCENES = "plan.json", "plan.html", "demonstrations", "scenes"
RESULTS, ROLLOUT_PAGE, RECIPE, RECORDINGS = "results.jsonl", "rollout.md", "recipe.yaml", "recordings"
PROVENANCE = "provenance.json"

Six = Annotated[list[float], Field(min_length=6, max_length=6)]
Four = Annotated[list[float], Field(min_length=4, max_length=4)]


class PlannedPose(Section):
    """A pose of the tool in the frame of its event; the two rotations are the same one."""

    position_m: Point
    rotation_6d: Six = Field(description="First two rows of the rotation matrix.")
    quaternion_xyzw: Four


class StartKind(StrEnum):
    """Which part of the mixture a start was drawn from."""

    NOMINAL = "nominal"
    """At the contact pose itself: shows whether the demonstration can be repeated at all."""
    PERTURBED = "perturbed"


class Start(Section):
    """One start to collect a recording from."""

    start_id: Name
    index: Annotated[int, Field(ge=0)]
    kind: StartKind
    pose: PlannedPose
    distance_m: float = Field(description="From the contact pose.")
    angle_rad: float = Field(description="Of the rotation from the contact pose.")
    seed: Annotated[int, Field(ge=0)] = Field(description="Of this start; made of event, index and `recover.seed`.")
    problem: str = Field(default="", description="Why it cannot be used; empty when it can.")


class Scene(Section):
    """What a simulator needs to set the scene up as it was."""

    root: str = Field(description="Folder or URL of the source.")
    locator: str = Field(description="Which episode inside the source, in the source's own words.")
    files: dict[str, str] = Field(description="Files of the episode below the root, by what they are.")
    row: int = Field(description="Row of the source's own table at `scene_ns`.")
    tool_m: Point | None = Field(
        default=None, description="Where the tool was then; a scene in which it is elsewhere is another one."
    )


class PlannedEvent(Section):
    """One contact and the starts around it."""

    event_id: Text
    episode_id: Text
    source: Name
    embodiment: str
    instruction: str
    verb: Verb
    caption: str
    arm: Arm | None
    boundary: BoundaryKind = Field(description="Physical kind of the contact.")
    confidence: float
    contact_ns: int = Field(description="When the contact is, on the episode's clock.")
    scene_ns: int = Field(description="The last moment before the fingers move: set the scene up as it was then.")
    scene: Scene
    frame: str = Field(default="", description="What poses are relative to.")
    nominal: PlannedPose | None = Field(default=None, description="The tool at the contact.")
    opening: float | None = Field(default=None, description="Of the gripper at the start, 0 closed … 1 open.")
    starts: list[Start] = Field(default_factory=list)
    demonstration: str = Field(default="", description="What to do from the scene on, an npz beside the plan.")
    replay_s: float = 0.0
    cut_short: bool = Field(default=False, description="Whether the demonstration went on; see `recover.max_replay_s`.")
    picture: str = Field(default="", description="The scene as the master view saw it, a JPEG beside the plan.")
    problem: str = Field(default="", description="Why nothing can be started from here; empty when it can.")

    @property
    def usable(self) -> list[Start]:
        """The starts worth trying."""
        return [] if self.problem else [start for start in self.starts if not start.problem]


class ParentSource(Section):
    """A source that contacts are from; its rights hold for the recoveries too."""

    name: Name
    kind: SourceKind
    protocol: Protocol
    card: SourceCard


class CollectionPlan(Section):
    """``plan.json``."""

    joinery_recovery_plan: Literal[1]
    plan_id: Text
    recover: RecoverSpec
    sources: list[ParentSource]
    n_contacts: int = Field(description="Contacts of the run; those beyond `recover.max_events` are not in the plan.")
    events: list[PlannedEvent]


class RolloutStatus(StrEnum):
    """What became of a start."""

    RECORDED = "recorded"
    UNREACHABLE = "unreachable"
    """The arm did not get there."""
    NO_SCENE = "no_scene"
    """The simulator cannot set the scene up."""
    UNUSABLE = "unusable"
    """The plan says so."""


class RolloutResult(Section):
    """One line of ``results.jsonl``: every start of the plan has one."""

    start_id: str = Field(description="Empty for an event without starts.")
    event_id: Text
    episode_id: Text
    source: Text
    verb: Verb
    kind: StartKind | None = None
    distance_m: float | None = None
    angle_rad: float | None = None
    status: RolloutStatus
    recovered: bool | None = Field(default=None, description="Whether the arm came back to the contact pose.")
    success: bool | None = Field(default=None, description="What the simulator says of the task; null: it cannot tell.")
    reason: str = Field(default="", description="Why there is no recording, or why it is a failure.")
    recording: str = Field(default="", description="Folder of the recording below the rollout's.")


class RolloutProvenance(Section):
    """``provenance.json`` beside a recording: where it came from and what became of it."""

    plan_id: Text
    simulator: Text
    simulator_version: str
    start_seed: int
    repeated: Text = Field(description="Digest of the scene and of the demonstration that was repeated in it.")
    result: RolloutResult
