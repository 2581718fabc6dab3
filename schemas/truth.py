"""``truth.json``: what really happens in every episode of a corpus. One format for all who know: simulators, people.

Times are nanoseconds on the episode clock, 0 at the first frame of the master view. An entry is joined to an episode
by source and locator; the locator is the reader's own (``episode_index=3``, a file name). An action lag moves the
truth: boundaries are where the pictures show them, ``action_lag_ns`` says how much later the rows do.
"""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from schemas.episode import Arm
from schemas.event import BoundaryKind
from schemas.recipe_section import Section, Text, impossible

PHYSICAL_KINDS = (
    BoundaryKind.GRASP,
    BoundaryKind.LIFT,
    BoundaryKind.TRANSPORT,
    BoundaryKind.SUPPORT,
    BoundaryKind.RELEASE,
    BoundaryKind.RETREAT,
    BoundaryKind.MISS,
    BoundaryKind.SLIP,
    BoundaryKind.CONTACT,
)
"""B1–B6, X1 and X2 of events.md, and contact without a hold."""
TRUTH_KINDS = (*PHYSICAL_KINDS, BoundaryKind.HARD_CUT)
"""What can be true at all; the other kinds are only a detector's way of cutting."""


class TrueMark(Section):
    """One true boundary."""

    kind: BoundaryKind
    t_ns: int
    arm: Arm | None = None
    item: str = ""


class TruePart(Section):
    """What an arm is doing for a while, as a phase or as a verb of `schemas.event.Verb`; parts of an arm tile it."""

    phase: Text
    arm: Arm | None = None
    start_ns: int
    end_ns: int


class TruthEpisode(Section):
    """One episode's truth."""

    source: Text
    locator: Text
    rate_hz: Annotated[int | float, Field(gt=0)]
    n_frames: Annotated[int, Field(ge=0)]
    instruction: str = ""
    success: bool | None = Field(default=None, description="Null when nobody knows.")
    annotator: str = Field(default="", description="Who says so; what several people say of one recording are entries.")
    boundaries: tuple[TrueMark, ...]
    phases: tuple[TruePart, ...] = ()
    action_lag_ns: int = 0
    defect: str | None = Field(default=None, description="What is broken on purpose.")
    task: str = Field(default="", description="Family of tasks, for slices; empty: the source says enough.")
    split: str = Field(default="", description="For slices: development, held out, …")
    seed: int | None = None
    made_with: str = Field(default="", description="Programs and their versions.")


class TruthDefect(Section):
    """An episode that is broken on purpose."""

    source: Text
    locator: Text
    defect: Text


class Truth(Section):
    """The whole file."""

    truth: Literal[1] = Field(description="Version of the format.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="What the corpus was made with.")
    sources: dict[str, str] = Field(default_factory=dict, description="Source name → kind.")
    kinds: tuple[BoundaryKind, ...] = Field(
        default=TRUTH_KINDS, description="Which kinds were looked for; of others nothing is known."
    )
    defects: tuple[TruthDefect, ...] = ()
    episodes: tuple[TruthEpisode, ...]

    @model_validator(mode="after")
    def _each_episode_once(self) -> Self:
        """Two truths of one recording by one annotator: at most one of them is."""
        counted = Counter((episode.source, episode.locator, episode.annotator) for episode in self.episodes)
        twice = [": ".join(filter(None, entry)) for entry, n in counted.items() if n > 1]
        if twice:
            raise impossible("episodes", f"listed more than once: {', '.join(sorted(twice)[:5])}")
        return self
