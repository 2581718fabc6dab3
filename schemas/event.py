"""Events: the unit of everything. What happened, when exactly, at which level, and who says so.

An event's video, action and caption cover exactly the same `Span` (wall_wm.md §1). Four levels nest:
Task ⊃ Subtask ⊃ Action ⊃ Segment. Boundaries carry their physical type (events.md, "Physical boundary
definitions"), their confidence and the detectors that proposed them.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.episode import Arm
from schemas.identity import make_id
from schemas.time import Span


class Level(StrEnum):
    """The four nested levels, outermost first."""

    TASK = "task"
    SUBTASK = "subtask"
    ACTION = "action"
    SEGMENT = "segment"

    @property
    def depth(self) -> int:
        """0 for the task, 3 for the segment."""
        return list(Level).index(self)


class BoundaryKind(StrEnum):
    """Physical boundary types B1–B6, X1, X2 of events.md, contact without a hold, and the non-physical ones."""

    GRASP = "grasp"  # B1: reach → grasp
    LIFT = "lift"  # B2: grasp → lift
    TRANSPORT = "transport"  # B3: lift → transport
    SUPPORT = "support"  # B4: transport → place, the held object touches its support
    RELEASE = "release"  # B5: place → release
    RETREAT = "retreat"  # B6: release → retreat
    MISS = "miss"  # X1: closed on nothing and re-opened
    SLIP = "slip"  # X2: release without support contact, then a new grasp
    CONTACT = "contact"
    """Reach → push: contact without a hold begins, and what is touched will move."""
    MOTION = "motion"
    """One motion ends and another begins (speed dip, turn, start or end of rest); says nothing about contact."""
    HARD_CUT = "hard_cut"
    VISUAL_CHANGE = "visual_change"
    DURATION_CAP = "duration_cap"
    """A long segment divided because nothing else cuts it."""
    ANNOTATION = "annotation"
    """Where a person's or the source's annotation begins or ends and no signal says more."""
    RANGE_EDGE = "range_edge"
    """Start or end of a kept range."""


@dataclass(frozen=True)
class Boundary:
    """One edge of an event."""

    kind: BoundaryKind
    frame: int
    t_ns: int
    confidence: float
    """0 … 1: the chance of a true boundary of this kind within 0.25 s, calibrated on simulated contact for contacts."""
    sigma_s: float
    """Seconds that 68 % of the errors in time do not exceed."""
    detectors: tuple[str, ...]
    arm: Arm | None = None


class Verb(StrEnum):
    """The closed vocabulary: the corpus's verbs in order of frequency (wall_wm.md §2.4), then ours, then OTHER."""

    MOVE = "move"
    ADJUST = "adjust"
    GRASP = "grasp"
    PLACE = "place"
    RELEASE = "release"
    MOVE_BACKWARD = "move backward"
    MOVE_FORWARD = "move forward"
    LIFT = "lift"
    CLOSE = "close"
    MOVE_LATERALLY = "move laterally"
    LOWER = "lower"
    PUSH = "push"
    PICK_UP = "pick up"
    HOLD_STILL = "hold still"
    HOLD = "hold"
    ALIGN = "align"
    TAP = "tap"
    POUR = "pour"
    PRESS = "press"
    ENTER = "enter"
    SCAN = "scan"
    UNFOLD = "unfold"
    ROTATE = "rotate"
    PULL = "pull"
    FLIP = "flip"
    DRAG = "drag"
    OPEN = "open"
    STACK = "stack"
    SWEEP = "sweep"
    HANG = "hang"
    FOLD = "fold"
    WIPE = "wipe"
    FOLD_OVER = "fold over"
    INSERT = "insert"
    HAND_OVER = "hand over"
    BEND = "bend"
    CUT = "cut"
    TOSS = "toss"
    STACK_UP = "stack up"
    TIE = "tie"
    SEAL = "seal"
    STIR = "stir"
    SHAKE_HANDS = "shake hands"
    SCOOP = "scoop"
    REACH = "reach"
    RETREAT = "retreat"
    OTHER = "other"


class RecoveryKind(StrEnum):
    """Which kind of failure an event recovers from or is."""

    NONE = "none"
    MISS = "miss"
    SLIP = "slip"
    REGRASP = "regrasp"
    RETRY = "retry"
    CORRECTION = "correction"
    TAKEOVER = "takeover"


class Outcome(StrEnum):
    """Whether an event reached what it was for."""

    UNKNOWN = "unknown"
    """Nobody looked, or those who looked disagree."""
    SUCCESS = "success"
    FAILURE = "failure"


class Doubt(StrEnum):
    """Where those who looked at an event disagree; every doubt is a question to people."""

    VERB = "verb"
    """The calls and the kinematics name different things, or the motion does not bear the verb out."""
    CUT = "cut"
    """A contact was merged away, or the second look would cut where the first did not."""
    ARM = "arm"
    OBJECT = "object"
    """It changes between grasp and release."""
    HELD = "held"
    """Pictures and fingers disagree whether something is held at the end."""
    OUTCOME = "outcome"
    LENGTH = "length"
    UNVERIFIED = "unverified"
    """The second look said nothing about it."""


@dataclass(frozen=True)
class Aspects:
    """What else can be said about an event, phrase by phrase; empty where nothing is known."""

    origin: str
    """``from the shelf``"""
    destination: str
    """``into the bin``"""
    manner: str
    """``slowly``"""
    duration: str
    """``in 1.2 s``"""


@dataclass(frozen=True)
class Rephrasing:
    """The caption in other words, for prompt augmentation."""

    language: str
    """BCP 47, ``en``."""
    text: str


class ReviewState(StrEnum):
    """What people said about a label so far."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Motion:
    """What the acting arm did during the event; None for quantities the source does not give."""

    displacement_x_m: float | None
    displacement_y_m: float | None
    displacement_z_m: float | None
    path_length_m: float | None
    opening_start: float | None
    opening_end: float | None
    peak_speed: float | None
    """m/s with poses, else the normalised joint speed."""


@dataclass(frozen=True)
class Provenance:
    """Who made a label and from what."""

    proposer: str
    """``kinematic``, ``visual``, ``template``, ``vlm``, ``human`` or ``source``."""
    model: str = ""
    prompt_hash: str = ""
    request_hash: str = ""


@dataclass(frozen=True)
class Event:
    """One node of an episode's event tree."""

    event_id: str
    episode_id: str
    level: Level
    parent_id: str
    """Empty for the task."""
    span: Span
    start: Boundary
    end: Boundary
    verb: Verb
    caption: str
    """Empty until captioned."""
    objects: tuple[str, ...]
    arm: Arm | None
    """The acting arm; None when both, neither or unknown."""
    recovery: RecoveryKind
    static_fraction: float
    """Share of the span without motion, 0 … 1."""
    motion: Motion | None
    needs_vlm: bool
    """The detector is not sure; a VLM or a person should look."""
    boundaries_by: Provenance
    caption_by: Provenance | None
    review: ReviewState
    revision: int
    outcome: Outcome = Outcome.UNKNOWN
    doubts: tuple[Doubt, ...] = ()
    aspects: Aspects | None = None
    rephrasings: tuple[Rephrasing, ...] = ()

    @property
    def confidence(self) -> float:
        """That of the weaker edge."""
        return min(self.start.confidence, self.end.confidence)


def make_event_id(episode_id: str, level: Level, span: Span, revision: int) -> str:
    """Identity of an event: episode, level, frames and annotation revision. Captions do not change who it is."""
    return make_id("ev", episode_id, str(level), f"{span.frame_start}:{span.frame_end}", str(revision))
