"""Findings and failures: what a check saw, what it decided and why; what broke and where.

Cleaning never deletes. A finding says KEEP, TRIM or DROP with the value and the threshold, so that a person
can disagree (`joinery why`) and a later run can decide otherwise. Failures are values too: a record that
could not be processed goes to quarantine with its traceback and loses nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of the subject of a finding."""

    KEEP = "keep"
    """Worth knowing, nothing removed."""
    TRIM = "trim"
    """The named interval is left out."""
    DROP = "drop"
    """The whole subject is left out."""


@dataclass(frozen=True)
class Finding:
    """One decision of one check about one subject (an episode or a whole source)."""

    subject: str
    """``episode_id``, or the source's name for findings about a listing."""
    source: str
    stage: str
    check: str
    """The check's name in snake case, e.g. ``listed_episode_missing``."""
    verdict: Verdict
    message: str
    """One sentence: where, what was found, what was expected, what to do."""
    value: float | None = None
    threshold: float | None = None
    start_ns: int | None = None
    end_ns: int | None = None


@dataclass(frozen=True)
class Failure:
    """A quarantined item: the stage raised on it. ``work_key`` tells which attempt at which inputs."""

    stage: str
    item: str
    source: str
    work_key: str
    error: str
    """Exception class name."""
    message: str
    traceback: str
    run_id: str
