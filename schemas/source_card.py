"""What must be known about a source before anything of it may be used: rights, consent, people, whom to ask.

A recipe names a card for every source: one of a registry (`schemas.registry_file`) or one written in place. A
source without a card is refused before any process starts. Licence and consent travel with every episode from
ingest into every sample; the rest is looked up by name.
"""

from enum import StrEnum

from pydantic import Field

from schemas.recipe_section import Section, Text


class Redistribution(StrEnum):
    """Whether samples made of the recordings may be passed on."""

    ALLOWED = "allowed"
    """Under the licence's own terms, such as naming the authors."""
    NON_COMMERCIAL = "non_commercial"
    FORBIDDEN = "forbidden"
    NOT_STATED = "not_stated"


class PersonalData(StrEnum):
    """Whether people can be recognised in the recordings, by face, voice, home or otherwise."""

    NONE = "none"
    POSSIBLE = "possible"
    PRESENT = "present"
    NOT_STATED = "not_stated"


class SourceCard(Section):
    """One entry of the registry."""

    licence: Text = Field(description="SPDX name, or what the publisher says.")
    redistribution: Redistribution = Redistribution.NOT_STATED
    consent: Text = Field(default="not stated", description="What people in the recordings agreed to, and how.")
    personal_data: PersonalData = PersonalData.NOT_STATED
    personal_data_method: str = Field(default="", description="How personal data was looked for or removed.")
    contact: Text = Field(default="not stated", description="Whom to ask, and to write to for a takedown.")
    title: str = ""
    homepage: str = ""
    citation: str = ""
