"""What somebody may do; each may do all that those before may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """From least to most."""

    ANNOTATOR = "annotator"
    """Works on what the queue gives."""
    REVIEWER = "reviewer"
    """Also sees everybody's throughput and agreement, and settles conflicts."""
    ADJUDICATOR = "adjudicator"
    """Also sees all raters' copies side by side and decides."""
    ADMIN = "admin"
    """Also lifts quarantines, and sees people and the audit."""

    def covers(self, other: Role) -> bool:
        """Whether this role may do what the other one may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
