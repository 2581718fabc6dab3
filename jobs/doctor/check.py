"""What a check says: whether it is well, what was found, what is expected, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import JoineryError

_WRONG = (JoineryError, OSError, RuntimeError, ValueError, ImportError, AttributeError)
"""What a broken library, file system or machine answers with."""


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Runs work, but slower, or not as far, or not all that was asked about."""
    FAILURE = "failure"
    """A run would fail."""


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    state: State
    found: str
    expected: str = ""
    advice: str = ""


def well(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, State.OK, found)


def doubtful(name: str, found: str, expected: str, advice: str) -> Check:
    """A run works all the same."""
    return Check(name, State.WARNING, found, expected, advice)


def broken(name: str, found: str, expected: str, advice: str) -> Check:
    """A run would fail."""
    return Check(name, State.FAILURE, found, expected, advice)


def looked_at(name: str, look: Callable[[], Iterable[Check]], expected: str, advice: str) -> Iterator[Check]:
    """The lines of one part; what it raises becomes a line, and the other parts are looked at all the same."""
    try:
        yield from look()
    except _WRONG as error:
        said = " ".join(str(error).split()) or "no message"
        yield broken(name, f"{type(error).__name__}: {said}", expected, advice)
