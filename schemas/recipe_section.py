"""What every part of a recipe is made of: strict frozen sections, shared value types, and errors that name a key.

Apart from `schemas.recipe` so that each source format can declare its own section in its own file.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.identity import canonical_json, digest

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A part of the recipe: frozen, and strict about keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


def impossible(key: str, message: str) -> PydanticCustomError:
    """The error of values that are fine one by one and contradict each other; ``key`` is the one to look at.

    A dotted key below the section that raises it; `schemas.recipe_file` finds the line it stands on.
    """
    return PydanticCustomError("impossible", "{key}: {problem}", {"key": key, "problem": message})


def section_digest(section: BaseModel) -> str:
    """Digest of a section's values, defaults included; formatting and key order do not matter."""
    return digest(canonical_json(section.model_dump(mode="json")))
