"""What a format is, said by its reader in one place: the rows of docs/sources.md and the first thing to read."""

from dataclasses import dataclass

from schemas.source import SourceKind


@dataclass(frozen=True)
class FormatFacts:
    """One sentence or less per field; ``-`` where a format has no such thing."""

    title: str
    kinds: tuple[SourceKind, ...]
    """The kinds of source it usually is, the default first."""
    layout: str
    """What lies on disk."""
    clock: str
    """Where times come from, and at which rate."""
    pose: str
    """What is read as the arm's pose, its units and frame."""
    rotation: str
    """How the source writes rotations."""
    gripper: str
    """Units and polarity in the source; canonical is 0 closed … 1 open."""
    commands: str
    """What its actions are: mode, space, frame."""
    language: str
    spans: str
    """Annotations imported, with their meaning."""
    refused: str
    """What is not read, and why."""
    tested_on: str
    """``real: …`` or ``fixture: …`` with the recording it was re-packed from."""
