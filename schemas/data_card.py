"""The data card's source: what only people know about a shard set. Numbers are counted and stand elsewhere.

A recipe names a ``card.yaml`` as ``shard.card``, or writes the section in place. Every key may be left out; what is
left out is said to be not stated, never guessed. docs/cards.md shows what becomes of each key.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from schemas.agreement import AgreementReport
from schemas.recipe_section import Count, Section, Text, impossible

NOT_STATED = "not stated"

Sentences: TypeAlias = list[Text]
Address = Annotated[str, Field(pattern=r"^https?://\S+$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]


class Person(Section):
    """Somebody to be named: a person or an organisation."""

    name: Text
    kind: Literal["person", "organisation"] = "person"
    affiliation: str = ""
    url: Address | None = None


class Change(Section):
    """One line of the changelog."""

    version: Text
    day: date
    changes: Text


class Uses(Section):
    """What the data set was made for, and what it was not."""

    intended: Sentences = Field(default_factory=list)
    out_of_scope: Sentences = Field(default_factory=list)
    decisions: Sentences = Field(default_factory=list)
    """Decisions of the makers that affect how well a model trained on it will do."""
    social_impact: str = ""


class Embodiment(Section):
    """What moved."""

    name: Text = Field(description="As the episodes call it.")
    arms: Annotated[int, Field(ge=0)] | None = None
    hand: str = ""
    degrees_of_freedom: Count | None = None
    control_mode: str = ""
    control_rate_hz: Annotated[float, Field(gt=0)] | None = None
    teleoperation: str = Field(default="", description="The device, or how else it was moved.")
    simulated: bool | None = None


class CameraNote(Section):
    """What a file does not say about a camera."""

    name: Text = Field(description="As the episodes call it.")
    mount: str = ""
    calibration: str = ""


class Operators(Section):
    """Who moved the robot, or is seen at work."""

    number: Count | None = None
    skill: str = ""


class Collection(Section):
    """How the recordings came about."""

    sites: Sentences = Field(default_factory=list)
    scenes: str = ""
    operators: Operators = Field(default_factory=Operators)
    consent: str = Field(default="", description="Number or title of the form that people signed.")
    first_day: date | None = None
    last_day: date | None = None
    sampling: str = Field(default="", description="What was recorded and what was not, and who chose.")
    failures: str = Field(default="", description="Whether failed attempts were kept.")
    resets: str = ""
    missing: str = Field(default="", description="What should be there and is not.")

    @model_validator(mode="after")
    def _days_are_in_order(self) -> "Collection":
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise impossible("last_day", f"found {self.last_day}, expected {self.first_day} (first_day) or later")
        return self


class Annotation(Section):
    """How events were cut, named and looked at."""

    task: str = ""
    """What counts as one event of the level, where the guidelines define it; the four below likewise."""
    subtask: str = ""
    action: str = ""
    segment: str = ""
    boundary_rule: str = Field(default="", description="Which picture is the first of an event.")
    guidelines: str = Field(default="", description="Where they can be read.")
    guidelines_version: str = ""
    platform: str = Field(default="", description="With what people looked at events.")
    raters_per_item: Annotated[float, Field(gt=0)] | None = None
    raters: str = Field(default="", description="Who they are, and what they were paid.")
    failure_modes: Sentences = Field(default_factory=list)
    agreement: AgreementReport | None = Field(
        default=None, description="The document `joinery review agreement` writes, relative to the card."
    )


class Subject(StrEnum):
    """What of people can be in a recording."""

    FACES = "faces"
    NUMBER_PLATES = "number_plates"
    SCREENS = "screens"
    VOICES = "voices"
    PLACES = "places"
    """GPS positions, addresses, the inside of a home."""
    OTHER = "other"


class Handling(Section):
    """How one kind of personal data was looked for, and how well that went."""

    subject: Subject
    method: Text
    version: str = ""
    unit: str = "pictures"
    n_checked: Annotated[int, Field(ge=0)] = Field(default=0, description="Of them a person looked at afterwards.")
    n_missed: Annotated[int, Field(ge=0)] = Field(default=0, description="Of those, where something was left.")

    @model_validator(mode="after")
    def _no_more_missed_than_checked(self) -> "Handling":
        if self.n_missed > self.n_checked:
            raise impossible("n_missed", f"found {self.n_missed}, expected n_checked ({self.n_checked}) or less")
        return self


class Gate(Section):
    """What somebody must agree to before they get the data."""

    prompt: Text
    fields: dict[Text, Literal["text", "checkbox", "date_picker", "country"]] = Field(default_factory=dict)


class People(Section):
    """Who is in the recordings, what they agreed to, and how to be taken out."""

    visible: str = Field(default="", description="In how much of the material people can be seen.")
    wearer_consent: str = ""
    bystanders: str = ""
    minors: str = ""
    audio: str = ""
    personal_data: list[Handling] = Field(default_factory=list)
    takedown_contact: str = ""
    takedown_days: Count | None = None
    gate: Gate | None = None

    @model_validator(mode="after")
    def _one_handling_per_subject(self) -> "People":
        seen: set[Subject] = set()
        for place, handling in enumerate(self.personal_data):
            if handling.subject in seen and handling.subject is not Subject.OTHER:
                raise impossible(
                    f"personal_data.{place}.subject", f"'{handling.subject}' comes twice; make it one entry"
                )
            seen.add(handling.subject)
        return self


class Biases(Section):
    """In which way the data differ from the world."""

    known: Sentences = Field(default_factory=list)
    geography: str = ""
    handedness: str = ""
    cameras: str = ""


class Maintenance(Section):
    """Who keeps it up."""

    owner: str = ""
    cadence: str = ""
    deprecation: str = ""
    errata: Sentences = Field(default_factory=list)


class DataCard(Section):
    """The whole of ``card.yaml``."""

    card: Literal[1] = Field(default=1, description="Version of the card's language.")
    title: Text = "Joinery shards"
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = Field(
        default="0.0.0", description="As 1.0.0; 0.0.0 says that it was never released."
    )
    released: date | None = Field(default=None, description="The day it was published, as 2026-03-31.")
    url: Address | None = Field(default=None, description="Where the data set can be had.")
    doi: Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")] | None = None
    creators: list[Person] = Field(default_factory=list)
    contact: Text = NOT_STATED
    citation: str = ""
    languages: list[Language] = Field(default_factory=list, description="Of the captions, as en or pt-BR.")
    summary: str = ""
    licence: Text | None = Field(default=None, description="Of the set as a whole; default: those of its sources.")
    licence_url: Address | None = None
    uses: Uses = Field(default_factory=Uses)
    embodiments: list[Embodiment] = Field(default_factory=list)
    cameras: list[CameraNote] = Field(default_factory=list)
    collection: Collection = Field(default_factory=Collection)
    annotation: Annotation = Field(default_factory=Annotation)
    people: People = Field(default_factory=People)
    biases: Biases = Field(default_factory=Biases)
    maintenance: Maintenance = Field(default_factory=Maintenance)
    changelog: list[Change] = Field(default_factory=list)
