"""What one arm lets go of and another one has: a hand-over, not a loss (events.md K7).

Each arm is read alone, and read alone a giver that grasps again on the spot has lost something in the air, and one
that does not has placed it there. Neither is so when, at its release, another arm near by holds on that took hold
while the giver still did. From then to the release the giver hands over.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from annotators.kinematic.contact import Contact
from annotators.kinematic.phases import ArmTimeline, PhaseSpan
from annotators.kinematic.signals import ArmSignals
from annotators.tree.evidence import Goal, Phase
from schemas.recipe import SegmentSpec

_WITHIN_M = 0.3
"""Two tools on one object are at most this far apart; farther off, the other arm holds something else."""

Read = tuple[ArmSignals, list[Contact]]
Given = tuple[int, int]
"""From the sample in which another arm took hold to the one in which this arm let go."""


def hand_overs(arms: Sequence[Read], spec: SegmentSpec) -> list[tuple[ArmSignals, list[Contact], list[Given]]]:
    """Every arm with its contacts, in which what another arm took over has not slipped, and with what it gave."""
    found = []
    for k, (signals, contacts) in enumerate(arms):
        settled, given = list[Contact](), list[Given]()
        for contact in contacts:
            taken = _taken(contact, signals, [*arms[:k], *arms[k + 1 :]], spec)
            settled.append(contact if taken is None else replace(contact, lost=False, slipped=False))
            if taken is not None and contact.opened is not None:
                given.append((taken, contact.opened))
        found.append((signals, settled, given))
    return found


def with_hand_overs(timeline: ArmTimeline, given: Sequence[Given]) -> ArmTimeline:
    """The timeline in which the giver hands over from the taker's grasp to its own release; its cuts stay."""
    phases = list(timeline.phases)
    for taken, opened in given:
        kept = [span for span in phases if not taken <= span.start < opened]
        phases = sorted([*kept, PhaseSpan(taken, Phase.HAND_OVER, Goal.PLACE)], key=lambda span: span.start)
    return replace(timeline, phases=tuple(phases))


def _taken(contact: Contact, signals: ArmSignals, others: Sequence[Read], spec: SegmentSpec) -> int | None:
    """When another arm took over what this contact lets go of; None when none did."""
    least = spec.min_hold_s * signals.grid.rate_hz
    if contact.opened is None or contact.missed or contact.touched_down is not None:
        return None
    times = [
        other.closed
        for theirs, contacts in others
        for other in contacts
        if other.closed is not None and _took_over(contact, other, least) and _near(signals, theirs, contact.opened)
    ]
    return max(times, default=None)


def _took_over(given: Contact, taken: Contact, least: float) -> bool:
    """Whether the second hold begins inside the first and outlasts it by ``least`` samples."""
    if given.opened is None or taken.closed is None or taken.missed:
        return False
    holds_on = taken.opened is None or taken.opened >= given.opened + least
    return (given.closed or 0) <= taken.closed < given.opened and holds_on


def _near(one: ArmSignals, other: ArmSignals, sample: int) -> bool:
    """Whether two tools are close enough for one object; without poses nobody knows."""
    if one.position is None or other.position is None:
        return False
    at = min(sample, len(one.position) - 1)
    return float(np.linalg.norm(one.position[at] - other.position[at])) < _WITHIN_M
