"""The sampling plan: what share of training each cell gets, why that is optimal, and the order of draws.

The plan is an artefact: cells with their mass and bounds, a certificate (KKT residual, realised bounds), and
the draws compiled ahead of time, so that resuming and resharding are array slicing (loader.md).
"""

from dataclasses import dataclass
from typing import Annotated

from schemas.array import ArraySpec, Floats, Ints


@dataclass(frozen=True)
class Cell:
    """One (vision-language, action) cell of the contingency table."""

    vision_language: int
    action: int
    n_events: int
    mass: float
    """π_c: share of draws this cell gets."""
    lower: float
    upper: float
    """Bounds f·n_c/N and R·n_c/N on the mass."""


@dataclass(frozen=True)
class Spread:
    """How even a distribution over K bins is (clustering.md, Report)."""

    axis: str
    """``vision_language``, ``action`` or ``cell``."""
    n_bins: int
    n_effective: float
    """exp(H)."""
    gini: float
    max_over_min: float


@dataclass(frozen=True)
class SamplingPlan:
    """The solved programme of clustering.md."""

    plan_id: str
    level: str
    n_events: int
    n_draws: int
    cells: tuple[Cell, ...]
    objective: float
    kkt_residual: float
    iterations: int
    effective_sample_size: float
    max_uses: float
    """Largest expected number of uses of one event per ``n_events`` draws; ≤ R."""
    before: tuple[Spread, ...]
    after: tuple[Spread, ...]


@dataclass(frozen=True)
class Draw:
    """Draw t of a split: this event goes into this shard at this place."""

    plan_id: str
    split: str
    """``train``: the balanced epoch; ``reserve``: training events the epoch does not use; ``validation``;
    ``test``."""
    t: int
    """Position within the split."""
    event_id: str
    episode_id: str
    vision_language: int
    action: int
    repeat: int
    """0 for the event's first use in the epoch."""
    shard: str
    """e.g. ``train-000003``."""
    position: int
    """Place inside the shard."""
    target_share: float
    """π of its cell in the plan that drew it; 0 outside the plan."""
    weight: float | None
    """Draws per draw at natural frequency; None for splits the plan does not govern."""
    repeat_cap: float
    """R: that plan's limit on an event's expected uses per epoch; 1 outside the plan."""


@dataclass(frozen=True, eq=False)
class DrawSegment:
    """Training draws of one plan, which follow one another. An order that was never extended has one segment."""

    plan_id: str
    settings: str
    """Digest of what of the recipe shapes the order; under other settings it is drawn afresh."""
    start: int
    """t of its first draw."""
    n_draws: int
    vision_language: Annotated[Ints, ArraySpec("int64", "K")]
    action: Annotated[Ints, ArraySpec("int64", "K")]
    share: Annotated[Floats, ArraySpec("float64", "K")]
    """What each cell gets of these draws: the plan's masses in the first segment, later what was missing of them."""
