"""What to say when no mass meets the limits: which ones, of which events, and what would make them possible.

Three kinds of limits meet in a balance request: what groups of events may have, how often an event may be used, and
that shares add up to 1. A group that fails by itself is found by filling it greedily; what only fails together is found
by `clustering.conflicts`.
"""

import math
from dataclasses import dataclass

import numpy as np

from clustering.conflicts import SLACK, Conflict, Demands, conflicts, demands_of, needed_repeat_cap, reach
from clustering.errors import BalanceError
from clustering.instance import RECOVERY, SOURCES, Instance
from clustering.limits import Partition, Vector
from clustering.programme import Problem
from schemas.recipe_balance import BalanceSpec

_MOST_NAMED = 8


@dataclass(frozen=True, eq=False)
class _Group:
    """One group of a partition with what it asks for and can have."""

    name: str
    low: float
    high: float
    least: float
    most: float
    natural: float
    n_events: int
    relative: bool


def refuse_single(instance: Instance, spec: BalanceSpec) -> None:
    """Raises BalanceError when some limit excludes every mass by itself; it names all such limits."""
    problems = []
    for partition in instance.partitions:
        for group in _groups(instance.problem, partition):
            events = f"its {group.n_events:,} of {int(instance.cells.n_events.sum()):,} events"
            if group.low > group.most + SLACK:
                problems.append(_too_much(group, events, spec))
            elif group.high < group.least - SLACK:
                problems.append(_too_little(group, events, spec))
    if problems:
        raise BalanceError(_listed("cannot be met", problems))


def refused_together(instance: Instance, spec: BalanceSpec) -> BalanceError:
    """The error of limits that are possible one by one and that no mass meets together."""
    demands, names = demands_of(instance.problem), instance.problem.limits.names
    found = [_said(demands, conflict, names, spec) for conflict in conflicts(demands)]
    if not found:
        return BalanceError(
            "balance: its limits can be met only by giving some events no share at all; loosen a floor, a cap or a "
            "target a little, or set balance.floor above 0"
        )
    return BalanceError(_listed("contradict each other", found))


def _listed(what: str, problems: list[str]) -> str:
    lines = [f"  - {problem}" for problem in problems[:_MOST_NAMED]]
    if len(problems) > _MOST_NAMED:
        lines.append(f"  - and {len(problems) - _MOST_NAMED} more")
    return "\n".join([f"balance: limits that {what} with these training events:", *lines])


# -- one limit by itself ---------------------------------------------------------------------------------------------


def _groups(problem: Problem, partition: Partition) -> list[_Group]:
    n, inside = len(partition.names), partition.inside
    low, high, natural, n_events = (
        np.bincount(partition.labels[inside], values[inside], n).astype(np.float64)
        for values in (problem.lower, problem.upper, problem.natural, problem.n_events)
    )
    least, most = _relative_reach(problem, partition, low, high) if partition.relative else _reach(problem, low, high)
    return [
        _Group(
            name,
            low=float(partition.low[i]),
            high=float(partition.high[i]),
            least=float(least[i]),
            most=float(most[i]),
            natural=float(natural[i]),
            n_events=int(n_events[i]),
            relative=partition.relative,
        )
        for i, name in enumerate(partition.names)
    ]


def _reach(problem: Problem, low: Vector, high: Vector) -> tuple[Vector, Vector]:
    """[G] least and most of each group, given the box and Σ π = 1 alone."""
    spare, room = 1.0 - float(problem.lower.sum()), float((problem.upper - problem.lower).sum())
    others = room - (high - low)
    return low + np.maximum(spare - others, 0.0), low + np.minimum(spare, high - low)


def _relative_reach(problem: Problem, partition: Partition, low: Vector, high: Vector) -> tuple[Vector, Vector]:
    """The same as shares of the mass in all groups. What is in none is filled before the other groups."""
    outside = ~partition.inside
    spare = 1.0 - float(problem.lower.sum())
    room_outside = float((problem.upper - problem.lower)[outside].sum())
    rest_low, rest_high = low.sum() - low, high.sum() - high

    def largest(own_low: Vector, own_high: Vector, other_low: Vector) -> Vector:
        own = np.minimum(spare, own_high - own_low)
        other = other_low + np.maximum(spare - own - room_outside, 0.0)
        part: Vector = (own_low + own) / np.maximum(own_low + own + other, 1e-300)
        return part

    return 1.0 - largest(rest_low, rest_high, low), largest(low, high, rest_low)


def _too_much(group: _Group, events: str, spec: BalanceSpec) -> str:
    limit = _limit(group.name, "floor")
    if group.n_events == 0:
        return f"{limit} is {group.low:.6g}, but there is no such training event; remove it"
    key, cap = _repeat_cap(group.name, spec)
    advice = f"lower it to {_down(group.most)}"
    if not group.relative and group.low > cap * group.natural:
        advice += f" or raise {key} to {_up(group.low / group.natural)}"
    return (
        f"{limit} is {group.low:.6g}, but {events} (share {group.natural:.4g}), used at most {key} = {cap:g} "
        f"times each, reach {_down(group.most)}; {advice}"
    )


def _too_little(group: _Group, events: str, spec: BalanceSpec) -> str:
    limit = _limit(group.name, "cap")
    used = f"{events} (share {group.natural:.4g})"
    advice = f"raise it to {_up(group.least)}"
    if not group.relative and group.high < spec.floor * group.natural:
        lower = f"balance.floor to {_down(group.high / group.natural)}"
        return (
            f"{limit} is {group.high:.6g}, but {used}, used at least balance.floor = {spec.floor:g} times each, have "
            f"{_up(group.least)}; {advice} or lower {lower}"
        )
    return (
        f"{limit} is {group.high:.6g}, but the others, used at most balance.repeat_cap = {spec.repeat_cap:g} times "
        f"each, leave {_up(group.least)} to {used}; {advice} or raise balance.repeat_cap"
    )


def _repeat_cap(name: str, spec: BalanceSpec) -> tuple[str, float]:
    """The key and value of the R that holds for a group: its source's own where that is less."""
    source = spec.sources.get(name.removeprefix(f"{SOURCES}.")) if name.startswith(SOURCES) else None
    if source is not None and source.repeat_cap is not None and source.repeat_cap < spec.repeat_cap:
        return f"{name}.repeat_cap", source.repeat_cap
    return "balance.repeat_cap", spec.repeat_cap


def _limit(name: str, side: str) -> str:
    """``balance.sources.aloha`` → ``balance.sources.aloha.floor``; a target is floor and cap in one."""
    return f"{name}.{side}" if name.startswith((SOURCES, RECOVERY)) else name


def _down(share: float) -> str:
    """Five decimals that promise no more than there is."""
    return f"{math.floor(share * 1e5 + 1e-6) / 1e5:.6g}"


def _up(share: float) -> str:
    return f"{math.ceil(share * 1e5 - 1e-6) / 1e5:.6g}"


# -- several together --------------------------------------------------------------------------------------------------


def _said(demands: Demands, conflict: Conflict, names: tuple[str, ...], spec: BalanceSpec) -> str:
    if not conflict.minimal:
        listed = ", ".join(names[row] for row in conflict.rows[:_MOST_NAMED])
        return f"no mass meets all of these {len(conflict.rows)}, beginning with {listed}; loosen some"
    parts = [_part(demands, conflict, int(row), names[row]) for row in conflict.rows]
    advice = "change one of them as far as said"
    if not any(limits.repeat_cap is not None for limits in spec.sources.values()):
        cap = needed_repeat_cap(demands, conflict.rows)
        if cap is not None and cap > spec.repeat_cap:
            advice += f" or raise balance.repeat_cap to {_up(cap)}"
    return f"{' and '.join(parts)}; {advice}"


def _part(demands: Demands, conflict: Conflict, row: int, name: str) -> str:
    least, most = reach(demands, row, conflict.rows[conflict.rows != row])
    low, high = float(demands.low[row]), float(demands.high[row])
    if low == high == 0.0:  # a relative target: the row is what is missing, not a share
        return f"{name} (off by {_up(max(least, -most))} of all draws at best)"
    if low > most:
        return f"{_limit(name, 'floor')} is {low:.6g} (the others leave {_down(most)})"
    return f"{_limit(name, 'cap')} is {high:.6g} (the others force {_up(least)})"
