"""The contract of a self-collected recording: what a recorder on the robot writes and the reader expects.

Plain files, nothing that needs Joinery to write: ``recording.json`` (this model), one video file per camera,
``frames.csv`` with the true capture time of every picture, ``rows.parquet`` with the numbers, and optionally
``annotations.jsonl`` and ``recovery.json``. docs/self_collected.md is the same in words.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.episode import CameraRole, Protocol, SpanMeaning
from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands, check_commands
from schemas.recipe_section import Name, Section, Text, impossible

RECORDING, UNFINISHED = "recording.json", "recording.unfinished.json"
FRAMES, ROWS, ANNOTATIONS, RECOVERY = "frames.csv", "rows.parquet", "annotations.jsonl", "recovery.json"
TIME, CONTROL_MODE, PHASE = "t_ns", "control_mode", "phase"
"""Columns of the rows with a meaning of their own: the time, who steers, and what is being done."""

Matrix3 = Annotated[list[Annotated[list[float], Field(min_length=3, max_length=3)]], Field(min_length=3, max_length=3)]
Matrix4 = Annotated[list[Annotated[list[float], Field(min_length=4, max_length=4)]], Field(min_length=4, max_length=4)]


class RecordedCamera(Section):
    """One view."""

    name: Name
    file: Text = Field(description="Video file beside recording.json.")
    role: CameraRole
    intrinsics: Matrix3 | None = None
    distortion: list[float] | None = None
    extrinsics: Matrix4 | None = Field(default=None, description="World from camera, metres; None when it moves.")

    @model_validator(mode="after")
    def _stays_in_its_folder(self) -> "RecordedCamera":
        if "/" in self.file or "\\" in self.file or self.file in (".", ".."):
            raise impossible("file", f"found {self.file!r}, expected the name of a file in the same folder")
        return self


class Recording(Section):
    """``recording.json``."""

    joinery_recording: Literal[1]
    instruction: str = ""
    protocol: Protocol = Protocol.STRUCTURED
    embodiment: Text
    cameras: Annotated[list[RecordedCamera], Field(min_length=1)] = Field(description="The first is the master view.")
    state: list[ArmColumns] = Field(default_factory=list)
    target: list[ArmColumns] = Field(default_factory=list)
    joints: list[Text] = Field(default_factory=list, description="Columns of measured joints, kept as they are.")
    joint_commands: list[Text] = Field(default_factory=list, description="Columns of commanded joints.")
    frame: Text = "base"
    commands: Commands | None = None
    success: bool | None = None
    operator: str = ""

    @model_validator(mode="after")
    def _holds_together(self) -> "Recording":
        for key, names in (
            ("cameras", [camera.name for camera in self.cameras]),
            ("cameras", [camera.file for camera in self.cameras]),
            ("state", [str(arm.arm) for arm in self.state]),
            ("target", [str(arm.arm) for arm in self.target]),
        ):
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise impossible(key, f"found {twice!r} twice, expected each once")
        check_commands(self.commands, self.state, self.target)
        return self


class FailureMode(StrEnum):
    """What went wrong before a recovery."""

    SLIP = "slip"
    MISS = "miss"
    COLLISION = "collision"
    WRONG_OBJECT = "wrong_object"
    PERTURBED_START = "perturbed_start"
    OTHER = "other"


class Actor(StrEnum):
    """Who steers."""

    POLICY = "policy"
    HUMAN = "human"
    SCRIPT = "script"


class RecoveryNote(Section):
    """``recovery.json``: times on the recording's own clock, as in the rows."""

    parent_episode: str = Field(default="", description="The episode whose failure this one starts from.")
    failure_mode: FailureMode
    t_failure_onset_ns: int | None = None
    t_detect_ns: int | None = None
    t_recovery_start_ns: int
    t_recovery_end_ns: int | None = None
    actor: Actor
    outcome: Literal["success", "failure", "unknown"] = "unknown"


class Annotation(Section):
    """One line of ``annotations.jsonl``; times as in the rows."""

    track: Text
    start_ns: int
    end_ns: int
    text: Text
    meaning: SpanMeaning = SpanMeaning.OTHER
