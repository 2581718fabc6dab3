"""From what sources list to what is drawn: how much came through every step, and every loss by stage and check.

Two flows, because the unit changes: recordings up to those with events, then events of the balanced level. In both,
what enters a step is what leaves it, losses included, to the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jobs.report.tables import FORGOTTEN, Tables
from schemas.event import Level

EXAMPLES = 10
NOT_DONE = "not done yet"


@dataclass(frozen=True)
class Node:
    """One bar of a flow."""

    key: str
    label: str
    column: int
    n: int
    lost: bool = False
    """Whether what is here went no further."""


@dataclass(frozen=True)
class Flow:
    """So many went from one bar to another."""

    start: str
    end: str
    n: int


@dataclass(frozen=True)
class Example:
    """A recording that was lost, and what was said about it."""

    source: str
    locator: str
    episode_id: str
    said: str


@dataclass(frozen=True)
class Loss:
    """What a check, or a failure, has taken out."""

    key: str
    after: str
    """The last step they reached."""
    stage: str
    check: str
    """The check's name; of a failure the error's, of what nobody has done yet just that."""
    n: int
    by_source: dict[str, int]
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class LevelCount:
    """Events of one level."""

    level: str
    n_events: int
    n_episodes: int
    ns: int


@dataclass(frozen=True)
class Trimmed:
    """Video that one check took away."""

    stage: str
    check: str
    n_episodes: int
    ns: int


@dataclass(frozen=True)
class BeforeListing:
    """What a source names and does not have: nothing was listed for it, so it is in no count."""

    source: str
    check: str
    said: str


@dataclass(frozen=True)
class Funnel:
    """Both flows, and video beside them."""

    nodes: tuple[Node, ...]
    flows: tuple[Flow, ...]
    losses: tuple[Loss, ...]
    event_nodes: tuple[Node, ...]
    event_flows: tuple[Flow, ...]
    event_losses: tuple[Loss, ...]
    level: str
    levels: tuple[LevelCount, ...]
    recorded_ns: int
    kept_ns: int
    trimmed: tuple[Trimmed, ...]
    """With ``kept_ns`` they add up to ``recorded_ns``."""
    before_listing: tuple[BeforeListing, ...]
    has_shards: bool


def funnel(tables: Tables) -> Funnel:
    """Everything that went in, and where it went."""
    level = tables.recipe.balance.level
    has_shards = tables.has_shards
    _fates(tables, level, has_shards)
    nodes, flows, losses = _recordings(tables, has_shards)
    event_nodes, event_flows, event_losses = _events(tables, level, has_shards)
    return Funnel(
        nodes,
        flows,
        losses,
        event_nodes,
        event_flows,
        event_losses,
        str(level),
        _levels(tables),
        tables.number("SELECT sum(ns) FROM episode"),
        tables.number("SELECT sum(ns) FROM alignment"),
        tuple(trimmed(tables)),
        tuple(
            BeforeListing(*row)
            for row in tables.rows(
                """SELECT source, "check", message FROM finding WHERE stage = 'discover' AND verdict = 'drop'
                   AND "check" NOT IN ('duplicate_recording', 'forgotten') ORDER BY ALL"""
            )
        ),
        has_shards,
    )


# -- recordings --------------------------------------------------------------------------------------------------------

_STEPS = ("listed", "ingested", "kept", "with events", "in the shard set")


def _fates(tables: Tables, level: Level, has_shards: bool) -> None:
    """``fate``: per recording the last step it reached, and which stage and check kept it from the next one."""
    order = ["ingest", "lag", "vote", "align", "calibrate", "segment", "caption"]
    tables.make(
        "fate",
        """WITH missing AS (
               SELECT ref.item, ref.grp, min(stage.place) AS place, arg_min(stage.stage, stage.place) AS stage
               FROM ref CROSS JOIN stage
               ANTI JOIN done ON done.place = stage.place AND done.item = CASE WHEN of_group THEN grp ELSE ref.item END
               GROUP BY ALL),
           broken AS (
               SELECT missing.*, coalesce(any_value(failure.error), ?) AS why, any_value(failure.message) AS said
               FROM missing LEFT JOIN failure ON failure.stage = missing.stage AND failure.item IN (missing.item, grp)
               GROUP BY ALL),
           dropped AS (
               SELECT alignment.item, coalesce(arg_min(f.stage, f.nth), 'align') AS stage,
                   coalesce(arg_min(f.check, f.nth), 'nothing_left') AS why, arg_min(f.message, f.nth) AS said
               FROM alignment LEFT JOIN (
                   SELECT *, row_number() OVER (ORDER BY list_position(?::VARCHAR[], stage), "check", message) AS nth
                   FROM finding WHERE verdict = 'drop') f ON f.subject = alignment.item
               WHERE len(kept) = 0 GROUP BY alignment.item),
           has AS (SELECT item, count(*) AS n FROM event WHERE level = ? GROUP BY item),
           ours AS (SELECT item, count(*) FILTER (duplicate_of = '' AND NOT refused) AS n, bool_or(refused) AS refused
                    FROM member GROUP BY item),
           align_at AS (SELECT place FROM stage WHERE stage = 'align')
           SELECT ref.item, ref.source, ref.locator,
               CASE WHEN broken.stage = 'ingest' THEN 0 WHEN broken.place <= (FROM align_at) THEN 1
                    WHEN dropped.item IS NOT NULL THEN 1 WHEN broken.stage IS NOT NULL THEN 2
                    WHEN has.n IS NULL THEN 2 WHEN NOT ? THEN 3
                    WHEN sampled.item IS NULL THEN 3 ELSE 4 END AS step,
               CASE WHEN broken.place <= (FROM align_at) THEN broken.stage
                    WHEN dropped.item IS NOT NULL THEN dropped.stage
                    WHEN broken.stage IS NOT NULL THEN broken.stage WHEN has.n IS NULL THEN 'segment'
                    WHEN coalesce(ours.n, 0) = 0 THEN 'dedup' ELSE 'schedule' END AS stage,
               CASE WHEN broken.place <= (FROM align_at) THEN broken.why WHEN dropped.item IS NOT NULL THEN dropped.why
                    WHEN broken.stage IS NOT NULL THEN broken.why WHEN has.n IS NULL THEN 'no_events'
                    WHEN ours.refused THEN 'licence_not_allowed'
                    WHEN coalesce(ours.n, 0) = 0 THEN 'all_copies' ELSE 'not_drawn' END AS why,
               coalesce(CASE WHEN broken.place <= (FROM align_at) THEN broken.said
                    WHEN dropped.item IS NOT NULL THEN dropped.said ELSE broken.said END, '') AS said
           FROM ref LEFT JOIN broken USING (item) LEFT JOIN dropped USING (item) LEFT JOIN has USING (item)
           LEFT JOIN ours USING (item) LEFT JOIN (SELECT DISTINCT item FROM sample) sampled USING (item)""",
        [NOT_DONE, order, str(level), has_shards],
    )


def _recordings(tables: Tables, has_shards: bool) -> tuple[tuple[Node, ...], tuple[Flow, ...], tuple[Loss, ...]]:
    listed = tables.n_listed()
    n_steps = len(_STEPS) if has_shards else len(_STEPS) - 1
    reached = [tables.number("SELECT count(*) FROM fate WHERE step >= ?", [step]) for step in range(n_steps)]
    reached[0] = sum(listed.values())
    losses = [*_forgotten(tables), *_listed_twice(tables), *_lost(tables, n_steps)]
    nodes = [Node(f"source {name}", name, 0, n) for name, n in listed.items()]
    nodes += [Node(_STEPS[step], _STEPS[step], step + 1, n) for step, n in enumerate(reached)]
    nodes += [_lost_node(loss, 2 + _STEPS.index(loss.after)) for loss in losses]
    flows = [Flow(f"source {name}", _STEPS[0], n) for name, n in listed.items()]
    flows += [Flow(_STEPS[step - 1], _STEPS[step], reached[step]) for step in range(1, n_steps)]
    flows += [Flow(loss.after, loss.key, loss.n) for loss in losses]
    return tuple(nodes), tuple(flow for flow in flows if flow.n), tuple(losses)


def _lost_node(loss: Loss, column: int) -> Node:
    return Node(loss.key, f"{loss.stage}: {loss.check}", column, loss.n, lost=True)


def _forgotten(tables: Tables) -> Iterator[Loss]:
    """Recordings that were taken down and are still in their source. Which they were nobody may tell."""
    rows = tables.rows(f"SELECT source, message FROM finding WHERE {FORGOTTEN} ORDER BY ALL")  # noqa: S608 - own words
    if rows:
        examples = tuple(Example(source, "", "", said) for source, said in rows[:EXAMPLES])
        by_source = _counted(source for source, _ in rows)
        yield Loss("forgotten", _STEPS[0], "discover", "forgotten", len(rows), by_source, examples)


def _listed_twice(tables: Tables) -> Iterator[Loss]:
    rows = tables.rows(
        """SELECT l.source, l.locator, l.episode_id, r.source, r.locator
           FROM listed l JOIN ref r ON r.item = l.episode_id
           WHERE (l.source, l.locator) != (r.source, r.locator) ORDER BY ALL"""
    )
    n_lost = tables.number("SELECT (SELECT count(*) FROM listed) - (SELECT count(*) FROM ref)")
    if n_lost:
        examples = tuple(
            Example(source, locator, item, f"the same bytes as {kept_source}: {kept}")
            for source, locator, item, kept_source, kept in rows[:EXAMPLES]
        )
        by_source = _counted(row[0] for row in rows)
        yield Loss("listed twice", _STEPS[0], "discover", "duplicate_recording", n_lost, by_source, examples)


def _lost(tables: Tables, n_steps: int) -> Iterator[Loss]:
    rows = tables.rows(
        """SELECT step, stage, why, count(*) FROM fate WHERE step < ? GROUP BY ALL
           ORDER BY step, count(*) DESC, stage, why""",
        [n_steps - 1],
    )
    for step, stage, why, n in rows:
        where = "FROM fate WHERE (step, stage, why) = (?, ?, ?)"
        by_source = tables.rows(f"SELECT source, count(*) {where} GROUP BY 1 ORDER BY 1", [step, stage, why])
        shown = tables.rows(
            f"SELECT source, locator, item, said {where} ORDER BY ALL LIMIT {EXAMPLES}",
            [step, stage, why],
        )
        examples = tuple(Example(*row) for row in shown)
        yield Loss(f"{stage}: {why} ({_STEPS[step]})", _STEPS[step], stage, why, n, dict(by_source), examples)


def _counted(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


# -- events ------------------------------------------------------------------------------------------------------------

_SPLITS = ("train", "validation", "test")


def _events(
    tables: Tables, level: Level, has_shards: bool
) -> tuple[tuple[Node, ...], tuple[Flow, ...], tuple[Loss, ...]]:
    tables.make(
        "event_fate",
        """WITH whole AS (SELECT DISTINCT item FROM copied WHERE same_recording),
           drawn AS (SELECT event_id, bool_or(split = 'train') AS trained, bool_or(split = 'reserve') AS reserved
                     FROM sample GROUP BY event_id)
           SELECT event.event_id, ref.source,
               CASE WHEN fate.step < 3 THEN 'dropped' WHEN assigned.event_id IS NULL THEN 'unassigned'
                    WHEN member.event_id IS NULL THEN 'waiting' WHEN refused THEN 'refused'
                    WHEN duplicate_of != '' THEN CASE WHEN whole.item IS NULL THEN 'near' ELSE 'same' END
                    WHEN drawn.event_id IS NULL THEN 'undrawn' WHEN trained THEN 'drawn'
                    WHEN reserved THEN 'reserve' ELSE 'held out' END AS fate,
               coalesce(member.split, '') AS split, fate.stage, fate.why
           FROM event JOIN ref USING (item) JOIN fate USING (item) LEFT JOIN assigned USING (event_id)
           LEFT JOIN member USING (event_id) LEFT JOIN whole ON whole.item = event.item
           LEFT JOIN drawn USING (event_id) WHERE level = ?""",
        [str(level)],
    )
    if not tables.number("SELECT count(*) FROM event_fate"):
        return (), (), ()
    count = {
        (fate, split): n for fate, split, n in tables.rows("SELECT fate, split, count(*) FROM event_fate GROUP BY ALL")
    }
    return _event_flow(tables, str(level), count, has_shards)


def _event_flow(
    tables: Tables, level: str, count: dict[tuple[str, str], int], has_shards: bool
) -> tuple[tuple[Node, ...], tuple[Flow, ...], tuple[Loss, ...]]:
    def of(*fates: str, split: str | None = None) -> int:
        return sum(n for (fate, side), n in count.items() if fate in fates and split in (None, side))

    start, placed, kept = f"{level} events", "in a cell", "kept"
    ends = ("undrawn", "drawn", "reserve", "held out")
    losses = [
        *_with_their_recordings(tables, start),
        *_event_loss(tables, start, "unassigned", "assign", NOT_DONE),
        *_event_loss(tables, placed, "waiting", "dedup", NOT_DONE),
        *_event_loss(tables, placed, "refused", "dedup", "licence_not_allowed"),
        *_event_loss(tables, placed, "same", "dedup", "same_recording"),
        *_event_loss(tables, placed, "near", "dedup", "near_duplicate"),
    ]
    n_placed = of("waiting", "refused", "same", "near", *ends)
    nodes = [Node(start, start, 0, sum(count.values())), Node(placed, placed, 1, n_placed)]
    flows = [Flow(start, placed, n_placed)]
    if of(*ends):
        nodes.append(Node(kept, kept, 2, of(*ends)))
        flows.append(Flow(placed, kept, of(*ends)))
        for split in _SPLITS:
            n = of(*ends, split=split)
            nodes.append(Node(split, split, 3, n))
            flows.append(Flow(kept, split, n))
            if has_shards:
                for fate in ends[1:]:
                    key = f"{split} {fate}"
                    label = {"drawn": "drawn in the epoch", "reserve": "reserve", "held out": f"{split}, whole"}[fate]
                    nodes.append(Node(key, label, 4, of(fate, split=split)))
                    flows.append(Flow(split, key, of(fate, split=split)))
                losses += _event_loss(tables, split, "undrawn", "schedule", "not_drawn", split=split)
    column = {node.key: node.column for node in nodes}
    nodes += [_lost_node(loss, column[loss.after] + 1) for loss in losses]
    flows += [Flow(loss.after, loss.key, loss.n) for loss in losses]
    return tuple(node for node in nodes if node.n), tuple(flow for flow in flows if flow.n), tuple(losses)


def _with_their_recordings(tables: Tables, after: str) -> Iterator[Loss]:
    """Events of recordings that a later stage has lost, or has not reached."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for stage, check, source, n in tables.rows(
        "SELECT stage, why, source, count(*) FROM event_fate WHERE fate = 'dropped' GROUP BY ALL ORDER BY ALL"
    ):
        found.setdefault((stage, check), {})[source] = n
    for (stage, check), by_source in found.items():
        yield Loss(f"{stage}: {check} ({after})", after, stage, check, sum(by_source.values()), by_source)


def _event_loss(
    tables: Tables, after: str, fate: str, stage: str, check: str, *, split: str | None = None
) -> Iterator[Loss]:
    rows = tables.rows(
        "SELECT source, count(*) FROM event_fate WHERE fate = ? AND (? IS NULL OR split = ?) GROUP BY 1 ORDER BY 1",
        [fate, split, split],
    )
    if rows:
        yield Loss(f"{stage}: {check} ({after})", after, stage, check, sum(n for _, n in rows), dict(rows))


def _levels(tables: Tables) -> tuple[LevelCount, ...]:
    rows = {
        row[0]: row
        for row in tables.rows(
            "SELECT level, count(*), count(DISTINCT item), sum(ns)::BIGINT FROM event GROUP BY level ORDER BY level"
        )
    }
    return tuple(LevelCount(*rows.get(str(level), (str(level), 0, 0, 0))) for level in Level)


# -- video -------------------------------------------------------------------------------------------------------------


def trimmed(tables: Tables) -> Iterator[Trimmed]:
    """What is not kept, each nanosecond to one check: that which dropped the recording, or the first that trimmed it.

    Trims are snapped to whole frames; what that takes on top is told as such, so that the sum is exact.
    """
    taken: dict[tuple[str, str], tuple[int, set[str]]] = {}

    def take(stage: str, check: str, item: str, ns: int) -> None:
        if ns:
            before, items = taken.get((stage, check), (0, set()))
            taken[stage, check] = before + ns, items | {item}

    for item, ns in tables.rows("SELECT item, ns FROM episode ANTI JOIN alignment USING (item) ORDER BY item"):
        take("align", NOT_DONE, item, ns)
    for item, stage, why, ns in tables.rows(
        """SELECT item, CASE WHEN step = 1 THEN fate.stage ELSE 'align' END, CASE WHEN step = 1 THEN why ELSE
               'nothing_left' END, episode.ns FROM fate JOIN episode USING (item) JOIN alignment USING (item)
           WHERE len(kept) = 0 ORDER BY item"""
    ):
        take(stage, why, item, ns)
    cut = tables.rows(
        """SELECT item, episode.start_ns, episode.end_ns, [[k.start_ns, k.end_ns] for k in kept] FROM episode
           JOIN alignment USING (item) WHERE len(kept) > 0 AND alignment.ns != episode.ns ORDER BY item"""
    )
    for item, start_ns, end_ns, kept in cut:
        gone = _outside(start_ns, end_ns, kept)
        trims = tables.rows(
            """SELECT stage, "check", start_ns, end_ns FROM finding WHERE subject = ? AND verdict = 'trim'
               AND start_ns IS NOT NULL AND end_ns IS NOT NULL ORDER BY stage, "check", start_ns, end_ns""",
            [item],
        )
        for stage, check, first, last in trims:
            inside, gone = _split(gone, first, last)
            take(stage, check, item, inside)
        take("align", "whole_frames", item, sum(end - start for start, end in gone))
    for (stage, check), (ns, items) in sorted(taken.items(), key=lambda each: (-each[1][0], each[0])):
        yield Trimmed(stage, check, len(items), ns)


def _outside(start_ns: int, end_ns: int, kept: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """What of a recording lies in none of the kept ranges."""
    edges = [start_ns, *(edge for one in sorted(map(tuple, kept)) for edge in one), end_ns]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]


def _split(ranges: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> tuple[int, list[tuple[int, int]]]:
    """How much of the ranges lies in an interval, and what does not."""
    inside, rest = 0, []
    for a, b in ranges:
        first, last = max(a, start_ns), min(b, end_ns)
        if first >= last:
            rest.append((a, b))
            continue
        inside += last - first
        rest += [part for part in ((a, first), (last, b)) if part[1] > part[0]]
    return inside, rest
