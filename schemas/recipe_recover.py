"""Where recoveries start: the recipe's section on targeted recovery (wall_wm.md §2.6).

A plan of recoveries is made beside a run, never by it: no stage reads this section, and changing it re-runs nothing.
"""

from typing import Annotated

from pydantic import Field, model_validator

from schemas.event import Verb
from schemas.recipe_section import Count, Fraction, Positive, Section, impossible

Point = Annotated[list[float], Field(min_length=3, max_length=3)]


class WorkspaceBox(Section):
    """The part of space an arm may be sent to, in the frame the source's poses are in."""

    low: Point = Field(description="Smallest x, y and z, metres.")
    high: Point = Field(description="Largest x, y and z, metres.")

    @model_validator(mode="after")
    def _has_room(self) -> "WorkspaceBox":
        for axis, low, high in zip("xyz", self.low, self.high, strict=True):
            if low >= high:
                raise impossible("high", f"found {high} along {axis}, expected more than low ({low})")
        return self


def contact_verbs() -> list[Verb]:
    """Verbs whose events begin with a contact made, moved or ended."""
    return [Verb.GRASP, Verb.PLACE, Verb.RELEASE, Verb.INSERT]


class RecoverSpec(Section):
    """Targeted recovery: which contacts, and how far from them to start."""

    alpha: Fraction = Field(
        default=0.75, description="Share of starts that are perturbed; the others stand at the contact pose itself."
    )
    radius_m: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        default=0.03, description="Radius of the ball of positions around a contact pose."
    )
    angle_deg: Annotated[float, Field(ge=0.0, le=180.0)] = Field(
        default=15.0, description="Radius of the ball of rotations, as the angle between two rotations."
    )
    starts: Count = Field(default=8, description="Starts per contact event.")
    verbs: Annotated[list[Verb], Field(min_length=1)] = Field(
        default_factory=contact_verbs, description="Which actions count as contacts, by their verb."
    )
    min_confidence: Fraction = Field(default=0.5, description="Contacts whose time is less certain are not used.")
    max_events: Count = Field(default=1000, description="More contacts than this, and a fixed sample of them is used.")
    max_replay_s: Positive = Field(default=20.0, description="How much of the demonstration follows a recovery.")
    max_height_m: float | None = Field(default=None, description="Starts above this z are not used.")
    box: WorkspaceBox | None = Field(default=None, description="Starts outside of it are not used.")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Another seed draws other starts.")
