"""What a stage that keeps goes on from: the chain of its own committed results.

Such a stage (`Stage.keeps`) is given back what it decided last, so what it makes depends on what was committed before.
That history is explicit: the predecessor's work key is part of the work key, and stands in the committed row. A run
that is killed before its commit finds the same predecessor again, and so makes the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.identity import ANEW, continued_key
from schemas.run import WorkDone


@dataclass(frozen=True)
class History:
    """Where one result stands in the chain."""

    key: str = ""
    """Its work key."""
    continues: str = ""
    previous: str = ""
    """The predecessor's attempt."""


def history_of(rows: Sequence[WorkDone], key: str, anew: bool) -> History:
    """The place in the chain of the result for these inputs (``key``), given all committed rows of the stage.

    A committed result for the same inputs is found again, the latest of several, so that a recipe taken back runs
    nothing; ``anew`` accepts only one that was decided again. Otherwise the result goes on from the chain's end.
    """
    attempts, continues, latest_first = _chain(rows)
    for committed in latest_first:
        before = continues[committed]
        if continued_key(key, before) == committed and (before.startswith(ANEW) or not anew):
            return History(committed, before, attempts.get(before.removeprefix(ANEW), ""))
    end = latest_first[0] if latest_first else ""
    before = (ANEW if anew else "") + end
    return History(continued_key(key, before), before, attempts.get(end, ""))


def chain_end(rows: Sequence[WorkDone]) -> str:
    """The attempt of what a stage that keeps has decided last; empty before it has decided anything."""
    attempts, _, latest_first = _chain(rows)
    return attempts[latest_first[0]] if latest_first else ""


def _chain(rows: Sequence[WorkDone]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """By work key the attempt and what it continues, and the work keys, latest first."""
    attempts: dict[str, str] = {}
    for row in rows:
        attempts[row.work_key] = min(row.attempt, attempts.get(row.work_key, row.attempt))
    continues = {row.work_key: row.continues for row in rows}
    generation = _generations(continues)
    return attempts, continues, sorted(continues, key=lambda at: (-generation[at], at))


def _generations(continues: dict[str, str]) -> dict[str, int]:
    """How many results came before each one."""
    found: dict[str, int] = {}
    for key in continues:
        path, at = [], key
        while at and at not in found:
            path.append(at)
            at = continues.get(at, "").removeprefix(ANEW)
        first = found.get(at, -1) + 1
        found |= {earlier: first + n for n, earlier in enumerate(reversed(path))}
    return found
