"""The sampling plan: what share of training each cell gets, why that is optimal, and the order of draws.

The plan is an artefact: cells with their mass and bounds, a certificate (KKT residual, realised bounds), and
the draws compiled ahead of time, so that resuming and resharding are array slicing (loader.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CellName:
    """What tells a cell from the others, in every plan."""

    vision_language: int
    action: int
    source: str
    recovery: bool | None


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

    @property
    def name(self) -> CellName:
        return CellName(self.vision_language, self.action, self.source, self.recovery)


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
    target_share: float
    """The cell's share of draws in the plan that drew it; 0 outside the plan."""
    weight: float | None
    """Draws per draw at natural frequency; None for splits the plan does not govern."""
    repeat_cap: float
    """R: that plan's limit on an event's expected uses per epoch; 1 outside the plan."""
    cell: int = -1
    """Place of the event's cell among that plan's; −1 when it has none, as held-out events may."""


@dataclass(frozen=True)
class DrawStep:
    """A part of a segment with shares of its own; all of it, but for a curriculum."""

    n_draws: int
    shares: tuple[float, ...]
    """What of these draws each cell gets, one per cell of the segment; their sum is 1."""


@dataclass(frozen=True)
class DrawSegment:
    """Training draws of one plan, which follow one another. An order that was never extended has one segment."""

    plan_id: str
    settings: str
    """Digest of what of the recipe shapes the order; under other settings it is drawn afresh."""
    start: int
    """t of its first draw."""
    cells: tuple[CellName, ...]
    """The plan's, in its order: a draw's ``cell`` is a place among them."""
    steps: tuple[DrawStep, ...]
    """The plan's masses in the first segment; later what was missing of them, in a single step."""

    @property
    def n_draws(self) -> int:
        return sum(step.n_draws for step in self.steps)
