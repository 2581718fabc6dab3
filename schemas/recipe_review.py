"""The recipe's ``review`` section: whether a run takes in what people said."""

from pydantic import Field

from schemas.recipe_section import Section


class ReviewSpec(Section):
    """People's events and words (docs/review.md)."""

    use: bool = Field(default=True, description="Whether an exported revision comes before what detectors say.")
