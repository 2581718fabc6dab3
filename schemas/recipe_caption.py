"""Who writes captions: templates, which need no model, or a vision-language model asked through the protocol."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.recipe_section import Positive, Section, Text
from schemas.recipe_vlm import VlmSpec


class TemplateCaption(Section):
    """Slot templates from kinematics and the instruction; no model."""

    method: Literal["template"] = "template"
    language: Literal["en"] = "en"
    with_duration: bool = False


class VlmCaption(VlmSpec):
    """A vision-language model groups and names what the signals have cut (docs/vlm.md)."""

    method: Literal["vlm"]
    language: Literal["en"] = Field(default="en", description="Of the templates that word what the model does not.")
    window_s: Annotated[float, Field(ge=10, le=90)] = Field(default=90.0, description="Longest stretch asked about.")
    tokens_per_minute: Positive = Field(default=16_000.0, description="Of video; pictures are left out to stay below.")
    token_px: Literal[28, 32] = Field(
        default=32, description="Side of the square that is one token: 32 for Qwen3-VL, 28 for Qwen2.5-VL."
    )
    canary_one_in: Annotated[int, Field(ge=0)] = Field(
        default=20, description="One window in so many carries a question with a known answer. 0: none."
    )
    on_rejected: Literal["keep", "quarantine"] = Field(
        default="keep", description="What becomes of an episode when answers about a part of it fail their checks."
    )
    rephrasings: Annotated[int, Field(ge=0, le=5)] = Field(default=0, description="Other wordings of each caption.")
    languages: list[Text] = Field(default=["en"], min_length=1, description="Of the rephrasings, BCP 47.")


class CaptionSpec(Section):
    """Who writes the captions."""

    by: Annotated[TemplateCaption | VlmCaption, Field(discriminator="method")] = Field(default_factory=TemplateCaption)
