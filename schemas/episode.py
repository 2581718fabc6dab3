"""The canonical episode: what was recorded, by which cameras, with what actions, on one clock.

`Episode` holds the identity, language and cameras; `ActionTrack` the control record; `Alignment` what the
align stage found out about the two clocks and which part is kept. Recordings are never edited: downstream
stages apply the alignment when they read (`pipeline.aligned`), so every cleaning decision can be undone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from schemas.array import ArraySpec, Bools, Floats, Ints
from schemas.source import SourceKind
from schemas.time import NS_PER_S, FrameClock


class CameraRole(StrEnum):
    """Where a camera sits."""

    EGO = "ego"
    THIRD_PERSON = "third_person"
    WRIST_LEFT = "wrist_left"
    WRIST_RIGHT = "wrist_right"


class ActionKind(StrEnum):
    """Where the actions come from; measured and pseudo actions are never mixed silently."""

    MEASURED = "measured"
    RETARGETED = "retargeted"
    PSEUDO = "pseudo"
    NONE = "none"


class Arm(StrEnum):
    """Which arm, seen from the robot or the person it belongs to."""

    LEFT = "left"
    RIGHT = "right"


class Protocol(StrEnum):
    """Structured: one named task per episode. Unstructured: a long free stream of many events."""

    STRUCTURED = "structured"
    UNSTRUCTURED = "unstructured"


@dataclass(frozen=True)
class VideoWindow:
    """Where a view's pictures are: a file of the `EpisodeRef`, a stream in it, a half-open window of its PTS clock."""

    part: str
    """The `SourceFile.part` to open."""
    stream: int
    """Index among the container's *video* streams; 0 where the file is no video container."""
    start_ns: int
    end_ns: int
    inside: str = ""
    """What in the file holds the pictures where it is no video: an HDF5 dataset, a zarr array, a bag's topic."""


@dataclass(frozen=True, eq=False)
class Camera:
    """One view. ``times_ns`` are on the episode clock: the first frame of the master view is 0."""

    name: str
    role: CameraRole
    video: VideoWindow
    width: int
    height: int
    times_ns: Annotated[Ints, ArraySpec("int64", "N")]
    end_ns: int
    intrinsics: Annotated[Floats, ArraySpec("float64", 3, 3)] | None = None
    distortion: Annotated[Floats, ArraySpec("float64", "K")] | None = None
    extrinsics: Annotated[Floats, ArraySpec("float64", "P", 4, 4)] | None = None
    """World from camera, metres; one pose when static, one per frame when it moves; None when unknown."""

    @property
    def clock(self) -> FrameClock:
        return FrameClock(self.times_ns, self.end_ns)

    @property
    def n_frames(self) -> int:
        return len(self.times_ns)


class SpanMeaning(StrEnum):
    """What an annotation of a source says, in our words; formats name the same thing in many ways."""

    TASK = "task"
    SUBTASK = "subtask"
    ACTION = "action"
    SEGMENT = "segment"
    NARRATION = "narration"
    """What somebody said happens about then; its span may be a point in time."""
    SPEECH = "speech"
    CHAPTER = "chapter"
    CONTACT = "contact"
    INTERVENTION = "intervention"
    """A person steers instead of the policy or the script."""
    ERROR = "error"
    RECOVERY = "recovery"
    PAUSE = "pause"
    """The operator had control switched off; cleaning trims it."""
    INVALID = "invalid"
    """The source says not to use it; cleaning trims it."""
    OTHER = "other"


@dataclass(frozen=True)
class SourceSpan:
    """An annotation that came with the source, kept as it was said; never overwritten by ours."""

    track: str
    """The source's own name for the track, e.g. ``subtask`` or ``annotation.human.validity``."""
    start_ns: int
    end_ns: int
    text: str
    meaning: SpanMeaning = SpanMeaning.OTHER


@dataclass(frozen=True, eq=False)
class Episode:
    """One recording. ``cameras[0]`` is the master view whose frames number the episode's spans."""

    episode_id: str
    source: str
    kind: SourceKind
    dataset: str
    locator: str
    embodiment: str
    instruction: str
    """The task in words; empty when the source says none."""
    protocol: Protocol
    action_kind: ActionKind
    cameras: tuple[Camera, ...]
    annotations: tuple[SourceSpan, ...]
    licence: str
    consent: str

    @property
    def master(self) -> Camera:
        return self.cameras[0]


class CommandMode(StrEnum):
    """What one number of a command is."""

    ABSOLUTE = "absolute"
    DELTA = "delta"
    VELOCITY = "velocity"


class CommandSpace(StrEnum):
    """What a command moves."""

    JOINT = "joint"
    END_EFFECTOR = "end_effector"


@dataclass(frozen=True)
class CommandSemantics:
    """How the source wrote its commands. Canonical ``target`` poses are absolute whatever stands here."""

    mode: CommandMode
    space: CommandSpace
    frame: str
    """In the format's words: ``base``, ``tool``, ``camera``, ``tag`` …; for joints ``joint``."""


@dataclass(frozen=True, eq=False)
class ArmTrack:
    """One arm over T rows. A quantity the source does not give is None, never zeros."""

    arm: Arm
    position: Annotated[Floats, ArraySpec("float32", "T", 3)] | None
    """Tool centre point in metres, in the track's ``frame``."""
    rotation: Annotated[Floats, ArraySpec("float32", "T", 6)] | None
    """First two rows of R, orthonormal."""
    opening: Annotated[Floats, ArraySpec("float32", "T")] | None
    """0 closed … 1 open as far as the source's own range goes; `Calibration` normalises it."""
    fingers: Annotated[Floats, ArraySpec("float32", "T_x_F")] | None
    """Dexterous finger joints, flattened [T·F] row-major (F = ``n_fingers``); source units."""
    n_fingers: int


@dataclass(frozen=True, eq=False)
class ActionTrack:
    """The control record of an episode, in the rows the source recorded."""

    episode_id: str
    kind: ActionKind
    provenance: str
    """How the numbers came about, e.g. ``observation.state.cartesian_position, euler_xyz``."""
    times_ns: Annotated[Ints, ArraySpec("int64", "T")]
    valid: Annotated[Bools, ArraySpec("bool", "T")]
    state: tuple[ArmTrack, ...]
    target: tuple[ArmTrack, ...]
    """Commanded counterpart of ``state``; empty when the source has none."""
    joint_names: tuple[str, ...]
    joint_state: Annotated[Floats, ArraySpec("float32", "T_x_J")] | None
    """Native state columns [T·J] row-major (J = ``len(joint_names)``), untouched source units."""
    joint_target: Annotated[Floats, ArraySpec("float32", "T_x_J")] | None
    """Commanded counterpart, column by column; NaN where the source commands no such quantity."""
    frame: str = "base"
    """What poses are relative to: ``base`` (the robot's), ``world``, ``tag``, ``arkit_world`` …"""
    commands: CommandSemantics | None = None
    """None when the source has no commands or does not say what they mean."""

    @property
    def n_rows(self) -> int:
        return len(self.times_ns)


class SyncVerdict(StrEnum):
    """What the evidence says about the offset between the video and action clocks."""

    CONFIRMED = "confirmed"
    """A clear peak at (nearly) zero lag."""
    CORRECTED = "corrected"
    """A clear peak elsewhere; ``offset_ns`` moves the actions onto the video clock."""
    BY_SOURCE = "by_source"
    """No clear peak, but the source's other episodes agree on a lag that this one allows; ``offset_ns`` is theirs."""
    UNVERIFIED = "unverified"
    """Nothing is proven: the clocks are taken as given and every consumer can see it."""
    REJECTED = "rejected"
    """The evidence denies every lag there is to use, or its peak is outside the window: for a person to look at."""
    NOT_APPLICABLE = "not_applicable"
    """No actions, or actions made from the pictures themselves."""


@dataclass(frozen=True)
class KeptRange:
    """A half-open part of the episode clock that survived cleaning."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Alignment:
    """What align decided for one episode: action clock offset and kept ranges (wall_wm.md §2.2–2.3)."""

    episode_id: str
    verdict: SyncVerdict
    offset_ns: int
    """Added to every action time to bring it onto the video clock."""
    correlation: float
    margin: float
    """Best correlation minus the best one outside the peak."""
    kept: tuple[KeptRange, ...]
    """Sorted and disjoint; empty when the episode is dropped."""

    @property
    def kept_s(self) -> float:
        """Length of all that is kept."""
        return sum(kept.end_ns - kept.start_ns for kept in self.kept) / NS_PER_S
