"""What people have said: how much they looked at, what they accepted, changed and rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from jobs.report.tables import Tables
from pipeline.store import one_of
from schemas.event import Event, Level, ReviewState
from schemas.time import NS_PER_S

CHUNK = 64
WITHIN_S = 1.0
"""A boundary of people is compared with the machine's nearest one no farther than this; beyond, it is a new one."""


@dataclass(frozen=True)
class ReviewCount:
    """One level, or one source: events by review state."""

    name: str
    states: dict[str, int]

    @property
    def n_reviewed(self) -> int:
        """Of which anybody said anything."""
        return sum(n for state, n in self.states.items() if state != ReviewState.PROPOSED)


@dataclass(frozen=True)
class Shift:
    """By how many frames people have moved the machine's boundaries."""

    n_frames: int
    """People's minus the machine's; positive: people cut later."""
    n: int


@dataclass(frozen=True)
class People:
    """All of it."""

    n_events: int
    n_reviewed: int
    levels: tuple[ReviewCount, ...]
    sources: tuple[ReviewCount, ...]
    """Of sources somebody has looked at."""
    shifts: tuple[Shift, ...]
    n_compared: int
    n_new: int
    """Boundaries of people without one of the machine within `WITHIN_S`."""


def people(tables: Tables) -> People:
    """Counts over all events; shifts against the last tree of the same recording that no person had touched."""
    levels = {str(level): dict.fromkeys(map(str, ReviewState), 0) for level in Level}
    for level, state, n in tables.rows("SELECT level, review, count(*) FROM event GROUP BY ALL ORDER BY ALL"):
        levels[level][state] = n
    sources: dict[str, dict[str, int]] = {}
    for source, state, n in tables.rows(
        """FROM (SELECT source, review, count(*) FROM event JOIN ref USING (item) GROUP BY ALL)
           QUALIFY bool_or(review != 'proposed') OVER (PARTITION BY source) ORDER BY ALL"""
    ):
        sources.setdefault(source, {})[state] = n
    counts = tuple(ReviewCount(name, states) for name, states in levels.items())
    shifts, n_new = _shifts(tables)
    return People(
        n_events=sum(sum(count.states.values()) for count in counts),
        n_reviewed=sum(count.n_reviewed for count in counts),
        levels=counts,
        sources=tuple(ReviewCount(name, states) for name, states in sources.items()),
        shifts=shifts,
        n_compared=sum(shift.n for shift in shifts),
        n_new=n_new,
    )


def _shifts(tables: Tables) -> tuple[tuple[Shift, ...], int]:
    """People's boundaries against the machine's nearest ones that cut as coarsely or more; and how many have none."""
    items = [item for (item,) in tables.rows(f"SELECT DISTINCT item FROM event WHERE {_TOUCHED} ORDER BY item")]  # noqa: S608
    found: Counter[int] = Counter()
    n_new = 0
    for i in range(0, len(items), CHUNK):
        tables.add(
            "tree", tables.workspace.scan(Event, columns=_COLUMNS, where=one_of("episode_id", items[i : i + CHUNK]))
        )
        for frames, n in tables.rows(_COMPARED, [items[i : i + CHUNK], round(WITHIN_S * NS_PER_S)]):
            if frames is None:
                n_new += n
            else:
                found[frames] += n
    return tuple(Shift(frames, n) for frames, n in sorted(found.items())), n_new


_COLUMNS = ["episode_id", "level", "start", "end", "review", "boundaries_by", "attempt"]
_TOUCHED = "review IN ('accepted', 'edited') OR placed_by = 'human'"
_DEPTH = "list_position(['task', 'subtask', 'action', 'segment'], level)"
_COMPARED = f"""
    WITH untouched AS (
        SELECT attempt FROM tree GROUP BY attempt
        HAVING bool_and(review = 'proposed' AND boundaries_by.proposer != 'human')),
    last AS (
        SELECT item, arg_max(attempt, (run_id, attempt)) AS attempt FROM work JOIN untouched USING (attempt)
        WHERE stage = 'caption' GROUP BY item),
    edges AS (
        SELECT episode_id AS item, level, unnest(["start", "end"]) AS edge FROM tree SEMI JOIN last USING (attempt)),
    machine AS (
        SELECT item, edge.frame AS frame, min(edge.t_ns) AS ns, min({_DEPTH}) AS depth FROM edges
        WHERE edge.kind != 'range_edge' GROUP BY ALL),
    told AS (
        SELECT item, level, unnest([{{'frame': frame_start, 'ns': start_ns, 'kind': start_kind}},
            {{'frame': end_frame, 'ns': end_ns, 'kind': end_kind}}]) AS edge FROM event
        WHERE ({_TOUCHED}) AND item IN (SELECT unnest(?::VARCHAR[]))),
    people AS (
        SELECT item, edge.frame AS frame, min(edge.ns) AS ns, min({_DEPTH}) AS depth FROM told
        WHERE edge.kind != 'range_edge' AND item IN (SELECT item FROM last) GROUP BY ALL),
    nearest AS (
        SELECT people.item, people.frame,
            arg_min(people.frame - machine.frame, (abs(people.frame - machine.frame), machine.frame)) AS shift
        FROM people LEFT JOIN machine ON machine.item = people.item AND machine.depth <= people.depth
            AND abs(machine.ns - people.ns) <= ? GROUP BY ALL)
    SELECT shift, count(*) FROM nearest GROUP BY shift ORDER BY shift"""  # noqa: S608 - own words
