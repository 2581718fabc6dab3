"""What balancing did: shares as they occur, as planned and as written, and the certificate of the optimum.

The plan and the counts are those the shard set's own files state (`pipeline.shards.facts`, plan.json, the card).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from jobs.report.tables import Tables
from pipeline.shards.agreement import Agreement, agreement
from pipeline.shards.facts import SplitFacts, deviations
from schemas.cluster import NULL_CLUSTER, Space
from schemas.plan import LimitedShare, SamplingPlan, Spread, Uses
from schemas.shard import ShardSet

TRAIN = "train"


@dataclass(frozen=True)
class ClusterShare:
    """One cluster's part of training."""

    space: str
    cluster: int
    n_events: int
    natural: float
    planned: float
    realised: float | None
    """Of the draws as written; None before there are any."""


@dataclass(frozen=True)
class VerbShare:
    """A verb's part of training, which the plan does not know about."""

    verb: str
    natural: float
    realised: float


@dataclass(frozen=True)
class SplitCount:
    """One split as written."""

    split: str
    n_samples: int
    n_events: int
    ns: int
    n_bytes: int


@dataclass(frozen=True)
class Balance:
    """The plan, what came of it, and how far apart the two are."""

    plan_id: str
    method: str
    unit: str
    level: str
    n_events: int
    n_draws: int
    n_cells: int
    kkt_residual: float
    iterations: int
    effective_sample_size: float
    max_uses: float
    before: tuple[Spread, ...]
    after: tuple[Spread, ...]
    uses: tuple[Uses, ...]
    limits: tuple[LimitedShare, ...]
    clusters: tuple[ClusterShare, ...]
    shard_set_id: str
    """Empty before one is published."""
    splits: tuple[SplitCount, ...]
    row_deviation: float | None
    """Largest |drawn − planned| in draws at the end of the train split, over looks and over cells; None without one."""
    cell_deviation: float | None
    total_variation: float | None
    verbs: tuple[VerbShare, ...]
    verb_agreement: dict[str, Agreement]
    """How far clusters agree with verbs, by space."""


def balance(tables: Tables) -> Balance | None:
    """None before there is a plan, or when there was nothing to plan."""
    plan = next(tables.ledger.present(SamplingPlan, "balance"), None)
    if plan is None or not plan.cells:
        return None
    train = _train(tables)
    rows, cells = deviations(plan, train.cells) if train else (None, None)
    published = next(tables.ledger.present(ShardSet, "publish"), None)
    return Balance(
        plan_id=plan.plan_id,
        method=plan.method,
        unit=plan.unit,
        level=plan.level,
        n_events=plan.n_events,
        n_draws=plan.n_draws,
        n_cells=len(plan.cells),
        kkt_residual=plan.kkt_residual,
        iterations=plan.iterations,
        effective_sample_size=plan.effective_sample_size,
        max_uses=plan.max_uses,
        before=plan.before,
        after=plan.after,
        uses=plan.uses,
        limits=plan.limits,
        clusters=(*_shares(plan, train, Space.VISION_LANGUAGE), *_shares(plan, train, Space.ACTION)),
        shard_set_id=published.shard_set_id if published else "",
        splits=_splits(tables) if tables.has_shards else (),
        row_deviation=rows,
        cell_deviation=cells,
        total_variation=_variation(plan, train) if train else None,
        verbs=_verbs(tables) if train else (),
        verb_agreement=_agreement(tables),
    )


def _splits(tables: Tables) -> tuple[SplitCount, ...]:
    rows = tables.rows(
        """SELECT split, count(*), count(DISTINCT event_id), sum(ns)::BIGINT, sum(n_bytes)::BIGINT FROM sample
           GROUP BY split ORDER BY split"""
    )
    return tuple(SplitCount(*row) for row in rows)


def _train(tables: Tables) -> SplitFacts | None:
    """The train split as `pipeline.shards.facts` counts it, as far as it is asked for here."""
    rows = tables.rows("SELECT vision_language, action, count(*) FROM sample WHERE split = ? GROUP BY ALL", [TRAIN])
    if not rows or not tables.has_shards:
        return None
    cells = Counter({(look, motion): n for look, motion, n in rows})
    return SplitFacts(n_samples=sum(cells.values()), cells=cells)


def _shares(plan: SamplingPlan, train: SplitFacts | None, space: Space) -> list[ClusterShare]:
    """The clusters of one space, the largest first; events without actions are told as the null cluster."""
    place = 0 if space is Space.VISION_LANGUAGE else 1
    events: Counter[int] = Counter()
    mass: dict[int, float] = {}
    for cell in plan.cells:
        cluster = (cell.vision_language, cell.action)[place]
        events[cluster] += cell.n_events
        mass[cluster] = mass.get(cluster, 0.0) + cell.mass
    drawn: Counter[int] = Counter()
    for key, n in (train.cells if train else Counter()).items():
        drawn[key[place]] += n
    total = sum(events.values())
    return [
        ClusterShare(
            str(space), cluster, n, n / total, mass[cluster], drawn[cluster] / train.n_samples if train else None
        )
        for cluster, n in sorted(events.items(), key=lambda each: (-each[1], each[0]))
    ]


def _variation(plan: SamplingPlan, train: SplitFacts) -> float:
    """Half the sum of |realised − planned| over cells: the share of draws that would have to be others."""
    mass: dict[tuple[int, int], float] = {}
    for cell in plan.cells:
        key = cell.vision_language, cell.action
        mass[key] = mass.get(key, 0.0) + cell.mass
    keys = sorted({*mass, *train.cells})
    return sum(abs(train.cells[key] / train.n_samples - mass.get(key, 0.0)) for key in keys) / 2


def _verbs(tables: Tables) -> tuple[VerbShare, ...]:
    """Training events that are kept, and the draws as written."""
    rows = tables.rows(
        """WITH occurring AS (SELECT verb, count(*) AS n FROM member JOIN event USING (event_id)
               WHERE split = 'train' AND duplicate_of = '' AND NOT refused GROUP BY verb),
           drawn AS (SELECT verb, count(*) AS n FROM sample WHERE split = 'train' GROUP BY verb)
           SELECT verb, coalesce(occurring.n, 0), coalesce(drawn.n, 0) FROM occurring FULL JOIN drawn USING (verb)
           ORDER BY 2 DESC, 1"""
    )
    n_natural, n_drawn = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if not n_natural or not n_drawn:
        return ()
    return tuple(VerbShare(verb, natural / n_natural, drawn / n_drawn) for verb, natural, drawn in rows)


def _agreement(tables: Tables) -> dict[str, Agreement]:
    found = {}
    for space, column in ((Space.VISION_LANGUAGE, "vision_language"), (Space.ACTION, "action")):
        rows = tables.rows(
            f"""SELECT {column}, verb, count(*) FROM assigned JOIN event USING (event_id) WHERE {column} != ?
                GROUP BY ALL ORDER BY ALL""",  # noqa: S608 - own words
            [NULL_CLUSTER],
        )
        found[str(space)] = agreement({(cluster, verb): n for cluster, verb, n in rows})
    return found
