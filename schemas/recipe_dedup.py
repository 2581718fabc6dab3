"""The recipe's ``dedup`` and ``split`` sections: which events are copies of others, and which episodes are held out."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe_section import Section, impossible

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Epsilon = Annotated[float, Field(ge=0.0, lt=1.0)]


class DedupSpec(Section):
    """When two events count as the same one (clustering.md, Dedup)."""

    epsilon_vision_language: Epsilon = Field(default=0.05, description="Look and words: cosine above 1 − this.")
    epsilon_action: Epsilon = Field(default=0.02, description="The same for motion; both must hold.")
    on_duplicates: Literal["drop", "keep"] = Field(
        default="drop", description="Whether a copy leaves training, or is only told of and kept on one side."
    )


class SplitSpec(Section):
    """Which share of the episodes is held out, each with its copies."""

    validation_fraction: Share = Field(default=0.1, description="For choosing between models.")
    test_fraction: Share = Field(default=0.0, description="For the last word; nothing else may look at it.")

    shared_events: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0, description="Share of the smaller episode's events that binds two episodes; 0: any one does."
    )

    @model_validator(mode="after")
    def _something_is_left(self) -> "SplitSpec":
        if self.validation_fraction + self.test_fraction >= 1.0:
            found = f"found {self.test_fraction} beside validation_fraction {self.validation_fraction}"
            raise impossible("test_fraction", f"{found}: nothing would be left to train on; lower either")
        return self
