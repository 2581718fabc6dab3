"""What `joinery review agreement` measured, as far as a data card tells of it.

How well people agree who look blind, and how often the machine was wrong in the audit, a random sample.
Of shares only the counts are taken, because intervals follow from them. More keys than these stand in the document.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Number = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """A part of the document: keys that no card tells of are for other readers."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class F1(Part):
    """Agreement about boundaries at one tolerance."""

    mean: Fraction
    """Over all pairs of raters."""
    best: Fraction
    """Of every rater with whoever is nearest."""


class Raters(Part):
    """Those who looked under the same conditions."""

    episodes: Number
    pairs: Number
    boundary_f1: dict[str, F1]
    """By tolerance, in words: ``0.25 s``, ``1 picture``."""


class Groups(Part):
    """Raters who saw none of the machine's boundaries; others agree with it more than they would have found."""

    blind: Raters


class Counted(Part):
    """So many of so many."""

    n: Number
    of: Number


class Errors(Part):
    """How often the machine was wrong in the audit."""

    events: Counted
    episodes: Counted
    """With any error: independent draws, so that its interval holds."""


class LevelReport(Part):
    """Of one level."""

    raters: Groups
    machine: Errors


class Levels(Part):
    """By level's name."""

    levels: dict[str, LevelReport]


class AgreementReport(Part):
    """The document."""

    joinery_agreement: Literal[1]
    at_rev: Number
    """Entries of the log of reviews it was made from."""
    by_level: Levels
