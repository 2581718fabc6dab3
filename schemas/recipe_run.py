"""A part of the recipe's ``run`` section: what things cost. Part of no work key."""

from typing import Annotated

from pydantic import Field

from schemas.recipe_section import Section

Price = Annotated[float, Field(ge=0.0)]


class Prices(Section):
    """Prices in one currency, whichever it is."""

    cpu_hour: Price = Field(default=0.0, description="Of a processor core, for as long as a worker holds it.")
    gpu_hour: Price = Field(default=0.0, description="Of a GPU.")
    million_tokens_in: Price = Field(default=0.0, description="Read by a model.")
    million_tokens_out: Price = Field(default=0.0, description="Written by a model.")
    gb_month: Price = Field(default=0.0, description="Of storage; a GB is 10^9 bytes.")
    gb_read: Price = Field(default=0.0, description="Of source bytes, where storage charges for reading them.")
    currency: str = Field(default="", max_length=8, description="Printed behind amounts.")
