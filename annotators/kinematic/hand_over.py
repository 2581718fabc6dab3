"""What one arm lets go of and another one has: a hand-over, not a loss (events.md K7).

Each arm is read alone, and read alone a giver that grasps again on the spot has lost something in the air. It has not
when, at its release, another arm near by holds on that took hold while the giver still did.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from annotators.kinematic.contact import Contact
from annotators.kinematic.signals import ArmSignals
from schemas.recipe import SegmentSpec

_WITHIN_M = 0.3
"""Two tools on one object are at most this far apart; farther off, the other arm holds something else."""

Read = tuple[ArmSignals, list[Contact]]


def without_hand_overs(arms: Sequence[Read], spec: SegmentSpec) -> list[Read]:
    """Every arm's contacts, in which what another arm took over has not slipped."""
    return [
        (signals, [_judged(contact, signals, [*arms[:k], *arms[k + 1 :]], spec) for contact in contacts])
        for k, (signals, contacts) in enumerate(arms)
    ]


def _judged(contact: Contact, signals: ArmSignals, others: Sequence[Read], spec: SegmentSpec) -> Contact:
    if not contact.slipped or contact.opened is None:
        return contact
    given = any(
        _took_over(contact, other, spec.min_hold_s * signals.grid.rate_hz) and _near(signals, theirs, contact.opened)
        for theirs, contacts in others
        for other in contacts
    )
    return replace(contact, slipped=False) if given else contact


def _took_over(given: Contact, taken: Contact, least: float) -> bool:
    """Whether the second hold begins inside the first and outlasts it by ``least`` samples."""
    if given.opened is None or taken.closed is None or taken.missed:
        return False
    holds_on = taken.opened is None or taken.opened >= given.opened + least
    return (given.closed or 0) <= taken.closed < given.opened and holds_on


def _near(one: ArmSignals, other: ArmSignals, sample: int) -> bool:
    """Whether two tools are close enough for one object; without poses nobody knows, and nothing slips."""
    if one.position is None or other.position is None:
        return False
    at = min(sample, len(one.position) - 1)
    return float(np.linalg.norm(one.position[at] - other.position[at])) < _WITHIN_M
