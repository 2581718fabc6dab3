"""The sampling plan: what share of training each cell gets, why that is optimal, and the order of draws.

The plan is an artefact: cells with their mass and bounds, a certificate (KKT residual, realised bounds), and
the draws compiled ahead of time, so that resuming and resharding are array slicing (loader.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One (vision-language, action) cell of the contingency table, or a source's or the recoveries' part of it."""

    vision_language: int
    action: int
    n_events: int
    mass: float
    """Share of the epoch's draws this cell gets."""
    lower: float
    upper: float
    """Bounds on the mass: every event used ``balance.floor`` times, and ``balance.repeat_cap`` times."""
    source: str = ""
    """Empty where the recipe sets no limits by source."""
    recovery: bool | None = None
    """None where the recipe sets no limits on recoveries."""
    mean_units: float = 1.0
    """What one draw of it adds up to in the plan's unit: events, seconds or latent frames. Its share of the unit, π_c,
    is mass · mean_units over the sum of that over all cells."""


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
    source: str = ""
    """Of this source's events alone; empty: of all."""


@dataclass(frozen=True)
class Uses:
    """How often events are used in an epoch."""

    source: str
    """Empty: of all sources."""
    n_events: int
    natural_share: float
    share: float
    """Of the unit, before and after balancing."""
    coverage: float
    """Share of the events that are used at all."""
    fewest: float
    most: float
    """Expected uses of one event."""
    effective_sample_size: float


@dataclass(frozen=True)
class LimitedShare:
    """A group of events the recipe limits: a source, the recoveries, a cluster with a target."""

    name: str
    """The recipe's key, e.g. ``balance.sources.aloha``."""
    floor: float
    cap: float
    natural_share: float
    share: float
    multiplier: float
    """By how much the objective would rise per unit by which the limit gave way; 0 when it does not bind."""


@dataclass(frozen=True)
class CurriculumStep:
    """A part of an epoch with masses of its own."""

    n_draws: int
    alpha: float
    beta: float
    kkt_residual: float
    masses: tuple[float, ...]
    """Share of the step's draws, one per cell of the plan."""


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
    """With a curriculum, of its worst step."""
    iterations: int
    effective_sample_size: float
    max_uses: float
    """Largest expected number of uses of one event in an epoch of the corpus's size; ≤ R."""
    before: tuple[Spread, ...]
    after: tuple[Spread, ...]
    method: str = "entropy"
    unit: str = "event"
    uses: tuple[Uses, ...] = ()
    """All events, then each source when there are several."""
    limits: tuple[LimitedShare, ...] = ()
    steps: tuple[CurriculumStep, ...] = ()
    """The curriculum, whose steps are drawn one after the other; empty: every prefix has the cells' masses."""


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
    cell: int = -1
    """Place of the event's cell among the plan's; −1 when it has none, as held-out events may."""
