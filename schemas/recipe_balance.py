"""How often what is drawn: the recipe's section on the balance programme and the wishes beside it (clustering.md).

What can contradict itself on paper is refused here; what depends on the corpus is refused by stage ``balance``.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.event import Level
from schemas.recipe_section import Count, Fraction, Name, Positive, Section, impossible

NotNegative = Annotated[float, Field(ge=0.0)]
RepeatCap = Annotated[float, Field(ge=1.0)]
_ROUNDING = 1e-9
"""Shares written in decimal add up to 1 only so far."""


class Entropy(Section):
    """The programme of clustering.md: evenness along both axes and over the cells."""

    by: Literal["entropy"] = "entropy"
    temperature: Fraction = Field(
        default=0.0, description="τ: cells are drawn towards n^τ, 0 = all alike, 1 = as they occur, by weight gamma."
    )


class Power(Section):
    """Cells in proportion to a power of what they hold, cut at the bounds on use."""

    by: Literal["power"]
    exponent: Fraction = Field(default=0.5, description="a in n^a: 0 = all cells alike, 1 = as they occur.")


class Marginals(Section):
    """Targets along one or both axes, met by proportional fitting within the bounds on use."""

    by: Literal["marginals"]
    temperature: Fraction = Field(default=1.0, description="τ: the fit starts at n^τ, 1 = as cells occur.")


class UniformTarget(Section):
    """Every cluster the same share."""

    by: Literal["uniform"]


class NaturalTarget(Section):
    """Every cluster the share it has."""

    by: Literal["natural"]


class PowerTarget(Section):
    """Every cluster in proportion to a power of what it holds."""

    by: Literal["power"]
    exponent: Fraction


class SharesTarget(Section):
    """Shares in so many words."""

    by: Literal["shares"]
    shares: dict[int, Fraction] = Field(
        description="Cluster id → share; clusters not named have the rest, in proportion to what they hold."
    )

    @model_validator(mode="after")
    def _at_most_everything(self) -> "SharesTarget":
        total = sum(self.shares.values())
        if total > 1 + _ROUNDING:
            raise impossible("shares", f"they add up to {total:g}, expected at most 1")
        return self


Target = Annotated[UniformTarget | NaturalTarget | PowerTarget | SharesTarget, Field(discriminator="by")]


class TargetsSpec(Section):
    """What each cluster's share of all draws is to be."""

    vision_language: Target | None = None
    action: Target | None = Field(default=None, description="Of the draws that have actions.")


class SourceLimits(Section):
    """What one source may have of all draws."""

    floor: Fraction = 0.0
    cap: Fraction = 1.0
    repeat_cap: RepeatCap | None = Field(
        default=None, description="Most uses of its events, where less than balance.repeat_cap: for doubtful labels."
    )

    @model_validator(mode="after")
    def _some_room(self) -> "SourceLimits":
        if self.floor > self.cap:
            raise impossible("floor", f"found {self.floor:g}, expected at most cap ({self.cap:g})")
        return self


class RecoveryLimits(Section):
    """What recoveries may have of all draws; an exact share has floor = cap."""

    floor: Fraction = 0.0
    cap: Fraction = 1.0

    @model_validator(mode="after")
    def _some_room(self) -> "RecoveryLimits":
        if self.floor > self.cap:
            raise impossible("floor", f"found {self.floor:g}, expected at most cap ({self.cap:g})")
        return self


class BalanceSpec(Section):
    """The programme of clustering.md, its named alternatives, and limits on groups of events."""

    level: Level = Level.ACTION
    method: Annotated[Entropy | Power | Marginals, Field(discriminator="by")] = Field(default_factory=Entropy)
    alpha: NotNegative = 1.0
    beta: NotNegative = 1.0
    gamma: Positive = 0.1
    floor: Fraction = 0.1
    repeat_cap: RepeatCap = 10.0
    unit: Literal["event", "second", "token"] = Field(default="event", description="What shares are shares of.")
    token_max_frames: Count = Field(default=33, description="Frames a model sees of an event; load.max_frames.")
    token_frames: Count = Field(default=4, description="Frames per latent frame; load.frames_per_latent.")
    targets: TargetsSpec = Field(default_factory=TargetsSpec)
    sources: dict[Name, SourceLimits] = Field(default_factory=dict, description="Floor, cap and repeat_cap by source.")
    recovery: RecoveryLimits | None = Field(default=None, description="Share of draws that are recoveries.")
    curriculum_steps: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="alpha and beta rise from 0 to their values over the epoch in so many steps."
    )
    epoch_draws: Count | None = Field(default=None, description="None: as many draws as training events.")
    seed: int = 0

    @model_validator(mode="after")
    def _holds_together(self) -> "BalanceSpec":
        targeted = self.targets.vision_language is not None or self.targets.action is not None
        match self.method:
            case Entropy() if self.alpha + self.beta == 0 and not targeted:
                raise impossible("beta", "alpha and beta are both 0: nothing would be balanced; raise one")
            case Marginals() if not targeted:
                raise impossible("targets", "method marginals fits targets: give vision_language, action or both")
            case Power() if targeted:
                raise impossible("targets", "method power has no targets: remove them or use marginals")
        if self.curriculum_steps is not None and not isinstance(self.method, Entropy):
            raise impossible("curriculum_steps", f"method {self.method.by} has no alpha and beta that could rise")
        floors = sum(limits.floor for limits in self.sources.values())
        if floors > 1 + _ROUNDING:
            raise impossible("sources", f"their floors add up to {floors:g}, expected at most 1; lower one")
        return self
