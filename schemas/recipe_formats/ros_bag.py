"""ROS bags and MCAP files in a recipe: which topic is which view, pose, gripper, flag or text."""

from typing import Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from schemas.episode import Arm, CommandMode
from schemas.recipe_commands import Commands
from schemas.recipe_section import Positive, Section, Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind

Flag = Literal["intervention", "error", "recovery", "pause", "invalid"]
"""What a flag may mean; the values of `schemas.episode.SpanMeaning` that a switch can state."""


class OpeningTopic(Section):
    """A gripper signal: one number of a topic's messages, and its polarity in the source's own units."""

    topic: Text = Field(description="Where it is published.")
    joint: Text | None = Field(default=None, description="For JointState: the joint whose position is meant.")
    field: Text = Field(default="data", description="For other types: dotted path of the number, e.g. `position.0`.")
    closed: float = Field(default=0.0, description="The number when the gripper is closed.")
    open: float = Field(default=1.0, description="The number when it is open.")

    @model_validator(mode="after")
    def _has_range(self) -> "OpeningTopic":
        if self.closed == self.open:
            raise impossible("open", f"found {self.open}, the same as closed; the two say which value means which")
        return self


class ArmTopics(Section):
    """Where one arm's quantities are published. What is not named is not there."""

    arm: Arm = Field(description="`left` or `right`; each once.")
    pose_topic: Text | None = Field(
        default=None,
        description="PoseStamped, Odometry, TransformStamped, tf, Pose, PoseInFrame or planar x, y, theta.",
    )
    child_frame: Text | None = Field(default=None, description="On a tf topic: the frame that is the tool.")
    parent_frame: Text | None = Field(
        default=None, description="On a tf topic: the frame it is given in. Chains of transforms are not composed."
    )
    gripper: OpeningTopic | None = Field(default=None, description="The gripper's signal.")
    joints_topic: Text | None = Field(
        default=None, description="JointState, or any message of numbers, kept as native columns."
    )
    joint_names: list[Text] = Field(
        default_factory=list, description="Which joints, in this order. Default: those of the first message."
    )

    @model_validator(mode="after")
    def _is_an_arm(self) -> "ArmTopics":
        if not (self.pose_topic or self.gripper or self.joints_topic):
            raise impossible("arm", "nothing is read for it; name pose_topic, gripper or joints_topic")
        if (self.child_frame or self.parent_frame) and not self.pose_topic:
            raise impossible("child_frame", "given without 'pose_topic'; name the topic of the transforms")
        if self.joint_names and not self.joints_topic:
            raise impossible("joint_names", "given without 'joints_topic'; name the topic of the joints")
        return self


class RosBagSource(SourceSection):
    """ROS 1 ``.bag``, ROS 2 bag folders (db3, mcap) and MCAP files; one bag is one episode."""

    format: Literal["ros_bag"]
    kind: SourceKind = SourceKind.TELEOP
    cameras: dict[Text, Text] | None = Field(
        default=None,
        description="Topic by camera name, master view first. Default: all image topics, sorted; `{}` for none.",
    )
    state: list[ArmTopics] = Field(default_factory=list, description="Which topics are which arm's measured state.")
    target: list[ArmTopics] = Field(default_factory=list, description="The same for commands.")
    commands: Commands | None = Field(
        default=None, description="What `target` commands. Default: poses and joint positions are absolute."
    )
    pose_frame: Text | None = Field(
        default=None, description="What poses are given in. Default: the `frame_id` of the messages."
    )
    clock: Literal["header", "log"] = Field(
        default="header", description="Which time of a message counts: its header stamp, or when it was logged."
    )
    join_tolerance_s: Positive = Field(
        default=0.1,
        description="How old another topic's latest sample may be when a row takes it; older ones make it invalid.",
    )
    language_topic: Text | None = Field(default=None, description="Texts: the instruction, or subtasks if they change.")
    flags: dict[Text, Flag] = Field(
        default_factory=dict, description="Meaning by topic (Bool or a number): true from one message to the next."
    )

    @field_validator("cameras", mode="before")
    @classmethod
    def _from_pairs(cls, cameras: object) -> object:
        """A list of name and topic, as `_in_order` leaves it, is taken as well as a mapping."""
        pairs = isinstance(cameras, list) and all(isinstance(one, list | tuple) and len(one) == 2 for one in cameras)
        return dict(cameras) if pairs else cameras  # type: ignore[call-overload]

    @field_serializer("cameras")
    def _in_order(self, cameras: dict[str, str] | None) -> list[tuple[str, str]] | None:
        """The first is the master view, and canonical JSON sorts mappings."""
        return None if cameras is None else list(cameras.items())

    @model_validator(mode="after")
    def _names_nothing_twice(self) -> "RosBagSource":
        lists: tuple[tuple[str, list[str]], ...] = (
            ("cameras", list((self.cameras or {}).values())),
            ("state", [str(arm.arm) for arm in self.state]),
            ("target", [str(arm.arm) for arm in self.target]),
        )
        for key, names in lists:
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise impossible(key, f"found {twice!r} twice, expected each once")
        if self.commands and self.commands.mode is not CommandMode.ABSOLUTE and any(a.pose_topic for a in self.target):
            raise impossible("commands.mode", "a pose_topic of target is absolute; name relative commands joints_topic")
        if self.commands and self.commands.rotation_scale != 1.0:
            raise impossible("commands.rotation_scale", "nothing is scaled; commands keep the units of their topic")
        return self
